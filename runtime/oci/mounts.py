"""Mounts of config.json, each at its destination inside the new root.

Runs in init, in its own mount namespace. An image may hold links that point anywhere, and a mount
through one would land on the host (CVE-2021-30465): so every destination is resolved by
openat2(RESOLVE_IN_ROOT) and acted on by descriptor. An entry is {"destination": "/data", "type":
"bind", "source": "/srv", "options": ["rbind", "ro"]}.
Sources: runtime-spec config.md "Mounts"; mount(2), mount_setattr(2), openat2(2).
"""

from __future__ import annotations

import errno
import os

from runtime.errors import Denied, KernelError
from runtime.kernel import files, mounts
from runtime.kernel.mounts import FLAGS, MS_BIND, MS_REC, PROPAGATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MOST_LINKS = 8
# Behind a link, what is masked in them could be exchanged (CVE-2019-19921).
ORDINARY = ("proc", "sysfs")
# mount(2)'s flags as mount_setattr(2) spells them; sync and dirsync belong to a file system.
ATTRIBUTES = (
    (mounts.MS_RDONLY, mounts.MOUNT_ATTR_RDONLY), (mounts.MS_NOSUID, mounts.MOUNT_ATTR_NOSUID),
    (mounts.MS_NODEV, mounts.MOUNT_ATTR_NODEV), (mounts.MS_NOEXEC, mounts.MOUNT_ATTR_NOEXEC),
    (mounts.MS_NOATIME, mounts.MOUNT_ATTR_NOATIME),
    (mounts.MS_STRICTATIME, mounts.MOUNT_ATTR_STRICTATIME),
    (mounts.MS_NODIRATIME, mounts.MOUNT_ATTR_NODIRATIME),
    (mounts.MS_NOSYMFOLLOW, mounts.MOUNT_ATTR_NOSYMFOLLOW),
)


class Options:
    """A mount's options, sorted by the call that takes them."""

    __slots__ = ("flags", "propagation", "data", "recursive", "recursive_clear")

    def __init__(self, options: list[str]) -> None:
        self.flags, self.propagation = 0, []  # type: int, list[int]
        self.recursive, self.recursive_clear = 0, 0
        data = []
        for option in options:
            if option in FLAGS:
                add, remove = FLAGS[option]
                self.flags = (self.flags | add) & ~remove
            elif option in PROPAGATION:
                self.propagation.append(PROPAGATION[option])
            elif option[:1] == "r" and option[1:] in FLAGS:  # "rro": this mount and all below
                add, remove = FLAGS[option[1:]]
                self.recursive |= add
                self.recursive_clear |= remove
            else:
                data.append(option)
        self.data = ",".join(data) or None


def attributes(flags: int) -> int:
    """The flags that a mount has by itself, as MOUNT_ATTR_*."""
    return sum(new for old, new in ATTRIBUTES if flags & old)


def is_bind(entry: dict[str, Any]) -> bool:
    """Does the entry show a directory or file of the host?"""
    options = entry.get("options") or []
    return entry.get("type") == "bind" or "bind" in options or "rbind" in options


def attach(root_fd: int, entry: dict[str, Any], bundle: str) -> None:
    """Mount one entry of config.json's mounts at its destination inside the root."""
    options, source = Options(entry.get("options") or []), entry.get("source")
    bind = is_bind(entry)
    if bind and source is not None:
        source = os.path.join(bundle, source)
    folder = not bind or source is None or os.path.isdir(source)
    fd = target(root_fd, entry["destination"], folder)
    place = files.Opened(fd, entry["destination"])
    try:
        if entry.get("type") in ORDINARY and real(root_fd, fd) != entry["destination"].rstrip("/"):
            raise Denied(f"mount {entry['type']} at {entry['destination']}: a link of the image "
                         "leads elsewhere")
        if bind:
            mounts.mount(source, place, None, mounts.Flags(options.flags & MS_REC | MS_BIND))
        else:
            mounts.mount(source, place, entry.get("type"), mounts.Flags(options.flags),
                         options.data)
    finally:
        os.close(fd)
    # A bind takes no flags but MS_REC; the rest is set on what now lies at the destination.
    extra = options.flags & ~(MS_BIND | MS_REC) if bind else 0
    if extra or options.propagation or options.recursive or options.recursive_clear:
        fd = target(root_fd, entry["destination"], folder)
        try:
            change(files.Opened(fd, entry["destination"]), options, extra)
        finally:
            os.close(fd)


def change(place: files.Opened, options: Options, extra: int) -> None:
    """Set on a mount what the call that made it does not take."""
    if extra:
        atime = mounts.MOUNT_ATTR__ATIME if extra & mounts.MS_RELATIME else 0
        mounts.mount_setattr(place, attributes(extra), False, atime)
    if options.recursive or options.recursive_clear:
        mounts.mount_setattr(place, attributes(options.recursive), True,
                             attributes(options.recursive_clear))
    for propagation in options.propagation:
        mounts.mount(None, place, None, mounts.Flags(propagation))


def target(root_fd: int, destination: str, folder: bool, links: int = 0) -> int:
    """A descriptor of the destination inside the root, made if it is missing. Close it.

    Raises KernelError: ELOOP for a link of /proc/PID/fd or its like, which leads out of any root.
    """
    found = there(root_fd, destination)
    if found is not None:
        return found
    above, _, name = destination.strip("/").rpartition("/")
    above_fd = target(root_fd, above, True, links)
    try:
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
    except OSError as error:
        if isinstance(error, KernelError):
            raise
        raise KernelError("make inside the root", error.errno or 0, destination) from None
    finally:
        os.close(above_fd)
    return files.open_in_root(root_fd, destination.strip("/"), os.O_PATH)


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
