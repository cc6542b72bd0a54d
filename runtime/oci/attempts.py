"""What a process inside may do, found out by trying: each attempt for real, without lasting effect.

Runs in a process of exec (exec.py): in the container's namespaces and group, with its capabilities
and under its filter, but its program is this file instead of one of the image's, so that it works
in any image and knows the errno. Each attempt is a fork of its own: what it makes ends with it.
`host` is what there is to be seen of the host (engine/probes.py). A line on stdout for each:
    {"name": "signal", "yes": false, "errno": 3, "said": "pid 48190"}
Nothing may be imported once the container is entered: the host's files are out of reach.
Sources: namespaces(7), capabilities(7), chroot(2), shmget(2), keyctl(2), proc(5).
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import errno
import os
import stat

from runtime import documents
from runtime.kernel import capabilities, files, mounts, namespaces, processes
from runtime.kernel.libc import check, int_, libc, number, syscall, void_p

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Host = dict[str, Any]
    Answer = tuple[bool, int, str]  # could it? the errno, and what there was to be said

PATIENCE_S = 5
KEYCTL_GET_KEYRING_ID, SESSION_KEYRING = 0, -3
HIGHER_THAN_ANY_CHROOT = 64
PLACES = ("/dev", "/tmp", "/dev/shm", "/")


def main(host: Host) -> None:
    """Try all, one after the other. Leaves by _exit."""
    as_after_execve()
    for name, attempt in ATTEMPTS.items():
        pid = os.fork()
        if pid == 0:
            _signal.alarm(PATIENCE_S)
            tell(name, *outcome(attempt, host))
            os._exit(0)
        status = os.waitpid(pid, 0)[1]
        if status:
            tell(name, False, 0, f"ended by signal {os.WTERMSIG(status)}")
    os._exit(0)


def as_after_execve() -> None:
    """Of an ordinary user execve takes every capability that is not ambient. capabilities(7)"""
    if os.geteuid() == 0:
        return
    status = files.read("/proc/self/status") or ""
    masks = {line[:6]: int(line.split()[1], 16) for line in status.splitlines()
             if line.startswith("Cap")}
    ambient = masks.get("CapAmb", 0)
    capabilities.capset(ambient, ambient, masks.get("CapInh", 0))


def outcome(attempt: Callable[[Host], Answer], host: Host) -> Answer:
    """What came of it; an errno is an answer as well."""
    try:
        return attempt(host)
    except OSError as error:
        return False, error.errno or errno.EIO, ""
    except Exception as error:  # a mistake of ours must not hide the other answers
        return False, errno.EIO, f"{type(error).__name__}: {error}"


def tell(name: str, yes: bool, number_: int, said: str) -> None:
    """One line, in one write."""
    line = documents.encode({"name": name, "yes": yes, "errno": number_, "said": said})
    os.write(1, line.encode("utf-8", "replace") + b"\n")


def place() -> str:
    """A new empty directory inside, wherever one can be made. Remove it."""
    trouble: OSError | None = None
    for folder in PLACES:
        path = f"{folder.rstrip('/')}/.container-lab-{os.getpid()}"
        try:
            os.mkdir(path, 0o700)
            return path
        except OSError as error:
            trouble = trouble or error
    raise trouble or OSError(errno.EROFS, "")


def see_processes(host: Host) -> Answer:
    """The shim, by its host pid and start time: another process may have that number inside."""
    seen = f"{sum(name.isdecimal() for name in os.listdir('/proc'))} processes in /proc"
    found = processes.start_ticks(host["pid"]) == host["ticks"]
    return found, 0 if found else errno.ENOENT, seen


def signal_one(host: Host) -> Answer:
    """Signal 0 to the shim: all checks are made, and nothing is sent."""
    os.kill(host["pid"], 0)
    if processes.start_ticks(host["pid"]) != host["ticks"]:
        return False, errno.ESRCH, "that number is another process inside"
    return True, 0, f"pid {host['pid']}"


def mount_something(host: Host) -> Answer:
    """A tmpfs on a new directory, and off again."""
    path = place()
    try:
        mounts.mount("none", path, "tmpfs")
        mounts.umount2(path)
    finally:
        os.rmdir(path)
    return True, 0, "a tmpfs"


def read_name(host: Host) -> Answer:
    """uname(2) answers for the UTS namespace one is in."""
    name = os.uname().nodename
    return in_hosts(host, "uts"), 0, name


def set_name(host: Host) -> Answer:
    """To what it is already."""
    name = os.uname().nodename
    namespaces.sethostname(name)
    return in_hosts(host, "uts"), 0, name if in_hosts(host, "uts") else f"{name}, its own"


def in_hosts(host: Host, kind: str) -> bool:
    """Is the namespace of this kind the host's?"""
    return bool(os.readlink(f"/proc/self/ns/{kind}") == host["namespaces"].get(kind))


def see_links(host: Host) -> Answer:
    """The network interfaces by name."""
    names = [name for _, name in _socket.if_nameindex()]
    return in_hosts(host, "net"), 0, " ".join(names)


def reach_loopback(host: Host) -> Answer:
    """A server of ours waits on the host's 127.0.0.1."""
    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    sock.settimeout(PATIENCE_S - 1)
    sock.connect(("127.0.0.1", host["port"]))
    sock.close()
    return True, 0, f"127.0.0.1:{host['port']}"


def find_memory(host: Host) -> Answer:
    """A System V segment that the host has made under this key."""
    if not host["key"]:
        return False, errno.ENOSYS, "this kernel has no System V memory"
    ident = check(libc.shmget(int_(host["key"]), 0, 0), "shmget", hex(host["key"]))
    return True, 0, f"key {host['key']:#x} is segment {ident}"


def read_kcore(host: Host) -> Answer:
    """The kernel's memory as a core file; behind a mask it is /dev/null."""
    fd = os.open("/proc/kcore", os.O_RDONLY | os.O_CLOEXEC)
    found = os.read(fd, 4)
    return found == b"\x7fELF", 0, "an ELF header" if found else "0 bytes: it is /dev/null"


def read_masked(host: Host) -> Answer:
    """A file that Docker hides: which devices of the host are how busy."""
    fd = os.open("/proc/interrupts", os.O_RDONLY | os.O_CLOEXEC)
    found = os.read(fd, 4096)
    return bool(found), 0, f"{len(found)} bytes" + ("" if found else ": it is /dev/null")


def open_settings(host: Host) -> Answer:
    """Opened for writing, and not written: what is there names a program that the host runs."""
    os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY | os.O_CLOEXEC))
    return True, 0, "opened, not written"


def make_node(host: Host) -> Answer:
    """A node of the null device."""
    path = place()
    try:
        os.mknod(f"{path}/null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
        os.unlink(f"{path}/null")
    finally:
        os.rmdir(path)
    return True, 0, "c 1 3"


def open_disk(host: Host) -> Answer:
    """A node of a disk of the host's, opened to read."""
    if not host["disk"]:
        return False, errno.ENODEV, "this host has no disk to try"
    path, (major, minor) = place(), host["disk"]
    try:
        os.mknod(f"{path}/disk", stat.S_IFBLK | 0o600, os.makedev(major, minor))
        try:
            os.close(os.open(f"{path}/disk", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
        finally:
            os.unlink(f"{path}/disk")
    finally:
        os.rmdir(path)
    return True, 0, f"b {major} {minor}"


def see_groups(host: Host) -> Answer:
    """Where it is in the tree of groups; with a cgroup namespace that is "/"."""
    lines = (files.read("/proc/self/cgroup") or "").splitlines()
    paths = {line.split(":", 2)[2] for line in lines} - {"/"}
    return bool(paths), 0, min(paths, default="/")


def walk_out(host: Host) -> Answer:
    """The known way out of a chroot: go into another, and then up. chroot(2), NOTES"""
    path = place()
    # For the end alone: the name means something else once one is out.
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chroot(path)
        for _ in range(HIGHER_THAN_ANY_CHROOT):
            os.chdir("..")
        os.chroot(".")
        found = os.stat("/")
        out = [found.st_dev, found.st_ino] == host["root"]
        return out, 0, "the host's /" if out else "its own / again"
    finally:
        os.rmdir(os.path.basename(path), dir_fd=folder)


def new_users(host: Host) -> Answer:
    """A user namespace, in which one has every capability."""
    namespaces.unshare(namespaces.CLONE_NEWUSER)
    return True, 0, "with every capability in it"


def ask_keys(host: Host) -> Answer:
    """The serial number of its session keyring."""
    key = check(syscall(number("keyctl"), int_(KEYCTL_GET_KEYRING_ID), int_(SESSION_KEYRING),
                        void_p(None)), "keyctl", "")
    return True, 0, f"key {key}"


def be_first(host: Host) -> Answer:
    """A higher priority than a process is born with."""
    os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) - 1)
    return True, 0, f"nice {os.getpriority(os.PRIO_PROCESS, 0)}"


ATTEMPTS: dict[str, Callable[[Host], Answer]] = {
    "processes": see_processes, "signal": signal_one, "mount": mount_something,
    "name": read_name, "hostname": set_name, "links": see_links, "loopback": reach_loopback,
    "memory": find_memory, "kcore": read_kcore, "masked": read_masked,
    "settings": open_settings, "node": make_node,
    "disk": open_disk, "cgroup": see_groups, "root": walk_out, "userns": new_users,
    "keys": ask_keys, "priority": be_first,
}
