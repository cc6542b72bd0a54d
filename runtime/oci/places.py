"""Places inside the new root, found by descriptor and never by name alone.

Runs in init. An image may hold links that point anywhere, and another container that shares a
volume may exchange a directory for a link between two of our calls (CVE-2021-30465). So a path of
the container is resolved once, by openat2(RESOLVE_IN_ROOT), and the descriptor that comes of it is
looked at and acted on: what is checked is what is used. What is mounted on /proc decides what our
own writes to /proc do, so next to nothing may be (CVE-2019-16884, CVE-2019-19921, CVE-2025-52881).
Sources: openat2(2); runtime-spec config.md "Mounts"; runc's list of what lxcfs puts below /proc.
"""

from __future__ import annotations

import errno
import os

from runtime.errors import Denied, KernelError
from runtime.kernel import files

MOST_LINKS = 8
# What is emulated for a container by a file system in user space, so that `free` tells the truth.
EMULATED = frozenset(f"/proc/{name}" for name in (
    "cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo", "net/dev",
    "sys/kernel/ns_last_pid", "sys/crypto/fips_enabled"))


def whole(destination: str) -> str:
    """The destination from the root, without dots: "/data" for "data/." (a relative one is old)."""
    return os.path.normpath(f"/{destination.lstrip('/')}")


def target(root_fd: int, destination: str, folder: bool, links: int = 0) -> int:
    """A descriptor of the destination inside the root, made if it is missing. Close it.

    Raises KernelError: ELOOP for a link of /proc/PID/fd or its like, which leads out of any root.
    """
    found = there(root_fd, destination)
    if found is not None:
        return found
    above, _, name = destination.strip("/").rpartition("/")
    if name == ".":
        return target(root_fd, above, folder, links)
    above_fd = target(root_fd, above, True, links)
    try:
        if name == "..":  # of where the links before it have led
            return target(root_fd, os.path.dirname(real(root_fd, above_fd)), folder, links)
        goal = link_at(above_fd, name)
        if goal is not None:
            # Ubuntu's /etc/resolv.conf leads to a file of a program that does not run here. What
            # it leads to is made, inside: the link's text starts at the root we were given.
            # Asked again, for the name may be that of the descriptor just opened, /proc/self/fd/4.
            if there(root_fd, destination) is not None or links == MOST_LINKS:
                raise KernelError("make inside the root", errno.ELOOP, destination)
            return target(root_fd, os.path.join(real(root_fd, above_fd), goal), folder, links + 1)
        if folder:
            files.mkdir_at(above_fd, name)
        else:
            files.make_file_at(above_fd, name)
        # From where it was made, not by the whole path once more.
        return os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above_fd)
    except OSError as error:
        if isinstance(error, KernelError):
            raise
        raise KernelError("make inside the root", error.errno or 0, destination) from None
    finally:
        os.close(above_fd)


def there(root_fd: int, destination: str) -> int | None:
    """A descriptor of what is there inside the root; None when nothing is."""
    try:
        return files.open_in_root(root_fd, destination.strip("/") or ".", os.O_PATH)
    except KernelError as error:
        if error.errno == errno.ENOENT:
            return None
        raise KernelError("open inside the root", error.errno or 0, destination) from None


def link_at(folder_fd: int, name: str) -> str | None:
    """The text of a symbolic link in an open directory; None when it is none."""
    try:
        return os.readlink(name, dir_fd=folder_fd)
    except OSError:
        return None


def real(root_fd: int, folder_fd: int) -> str:
    """Where an open directory is, seen from the root: "/run"."""
    root, path = (os.readlink(f"/proc/self/fd/{fd}") for fd in (root_fd, folder_fd))
    return path.removeprefix(root.rstrip("/")) or "/"


def refuse_proc(root_fd: int, fd: int, destination: str, brings_proc: bool) -> None:
    """Denied where a mount would lie on /proc or below it; a procfs itself may lie on /proc.

    Where the descriptor leads counts, not what it was called: a link may be on the way.
    """
    named = f"{whole(destination)}/".startswith("/proc/")
    if not named and files.file_system(fd) != files.PROC_SUPER_MAGIC:
        return
    where = real(root_fd, fd)
    if where == "/proc":
        if not brings_proc:
            raise Denied(f'"{destination}" cannot be mounted because it is not of type proc')
    elif where.startswith("/proc/") and where not in EMULATED:
        raise Denied(f'"{where}" cannot be mounted because it is inside /proc')
