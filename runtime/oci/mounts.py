"""Mounts of config.json, each at its destination inside the new root.

Runs in init, in its own mount namespace. An entry is {"destination": "/data", "type": "bind",
"source": "/srv", "options": ["rbind", "ro"]}. A bind is copied, set and only then shown, all by
descriptor (kernel/trees.py): nobody sees it writable first, and no name is asked for twice, which
could lead elsewhere the second time (places.py). A new file system is one mount(2) where that can
say all, and made in steps like a bind where it cannot.
Sources: runtime-spec config.md "Mounts"; mount(2), mount_setattr(2); runc's rootfs_linux.go.
"""

from __future__ import annotations

import errno
import os
import stat

from runtime.errors import Denied, KernelError
from runtime.kernel import files, mounts, trees
from runtime.kernel.mounts import FLAGS, MS_BIND, MS_RDONLY, MS_REC, MS_REMOUNT, PROPAGATION
from runtime.oci.places import real, refuse_proc, target, there, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.plan import Plan

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
# Those that a file system has wherever it is mounted, in fsconfig(2)'s words.
WHOLE = ((MS_RDONLY, "ro"), (mounts.MS_SYNCHRONOUS, "sync"), (mounts.MS_DIRSYNC, "dirsync"),
         (mounts.MS_MANDLOCK, "mand"), (mounts.MS_LAZYTIME, "lazytime"))
SETTABLE = (mounts.MOUNT_ATTR_RDONLY | mounts.MOUNT_ATTR_NOSUID | mounts.MOUNT_ATTR_NODEV
            | mounts.MOUNT_ATTR_NOEXEC | mounts.MOUNT_ATTR_NOSYMFOLLOW)
ATIME = mounts.MS_NOATIME | mounts.MS_RELATIME | mounts.MS_STRICTATIME | mounts.MS_NODIRATIME
ATIME_ATTRIBUTES = mounts.MOUNT_ATTR__ATIME | mounts.MOUNT_ATTR_NODIRATIME
# What statvfs(3) calls a mount's flags; relatime is the setting that has no bit.
STATVFS = ((1, mounts.MOUNT_ATTR_RDONLY), (2, mounts.MOUNT_ATTR_NOSUID),
           (4, mounts.MOUNT_ATTR_NODEV), (8, mounts.MOUNT_ATTR_NOEXEC),
           (1024, mounts.MOUNT_ATTR_NOATIME), (2048, mounts.MOUNT_ATTR_NODIRATIME),
           (8192, mounts.MOUNT_ATTR_NOSYMFOLLOW))
ST_NOATIME, ST_RELATIME = 1024, 4096


class Options:
    """A mount's options, sorted by the call that takes them.

    flags and cleared are mount(2)'s, the latter those that a word like "dev" takes away;
    recursive and recursive_clear are MOUNT_ATTR_*, of words like "rro"; idmap is "idmap", "ridmap"
    or None; data is what only the file system understands.
    """

    __slots__ = ("flags", "cleared", "propagation", "data", "recursive", "recursive_clear",
                 "copy_up", "idmap")

    def __init__(self, options: list[str]) -> None:
        self.flags, self.cleared, self.propagation = 0, 0, []  # type: int, int, list[int]
        self.recursive, self.recursive_clear = 0, 0
        self.copy_up, self.idmap = False, None  # type: bool, str | None
        data = []
        for option in options:
            if option in FLAGS:
                add, remove = FLAGS[option]
                self.flags = (self.flags | add) & ~remove
                self.cleared = (self.cleared | remove) & ~add
            elif option in PROPAGATION:
                self.propagation.append(PROPAGATION[option])
            elif option[:1] == "r" and is_attribute(FLAGS.get(option[1:])):
                add, remove = FLAGS[option[1:]]
                self.recursive |= attributes(add)
                # One setting of access times takes the place of whatever other.
                self.recursive_clear |= attributes(remove) | (
                    mounts.MOUNT_ATTR__ATIME if add & ATIME & ~mounts.MS_NODIRATIME else 0)
            elif option == "tmpcopyup":
                self.copy_up = True
            elif option in ("idmap", "ridmap"):
                self.idmap = option
            else:
                data.append(option)
        self.data = ",".join(filter(None, data)) or None


def attributes(flags: int) -> int:
    """The flags that a mount has by itself, as MOUNT_ATTR_*."""
    return sum(new for old, new in ATTRIBUTES if flags & old)


def is_attribute(flag: tuple[int, int] | None) -> bool:
    """Is it a flag that a mount has by itself, so that "r" before its word means all below too?"""
    return flag is not None and bool(attributes(sum(flag)) or sum(flag) == mounts.MS_RELATIME)


def is_bind(entry: dict[str, Any]) -> bool:
    """Does the entry show a directory or file of the host?"""
    options = entry.get("options") or []
    return entry.get("type") == "bind" or "bind" in options or "rbind" in options


def attach(root_fd: int, entry: dict[str, Any], plan: Plan, tree: int | None = None) -> int | None:
    """Mount one entry of config.json's mounts at its destination inside the root.

    `tree` is a bind's source where the shim had to open it (sources.py). Returns a descriptor of
    the mount if it has to become read-only later on, when all that lies on it is there.
    """
    options = Options(entry.get("options") or [])
    if options.flags & MS_REMOUNT:
        remount(root_fd, entry, options)
        return None
    if is_bind(entry):
        attach_bind(root_fd, entry, options, plan.bundle, tree)
        return None
    options.data = labelled(entry, options.data, (plan.spec.get("linux") or {}).get("mountLabel"))
    return attach_new(root_fd, entry, options)


def attach_bind(root_fd: int, entry: dict[str, Any], options: Options, bundle: str,
                tree: int | None) -> None:
    """Copy the host's mount, set what was asked for, show it at the destination."""
    destination = entry["destination"]
    if tree is None:
        tree = trees.open_tree(os.path.join(bundle, entry["source"]), bool(options.flags & MS_REC))
    try:
        set_bind(tree, destination, options)
        place = target(root_fd, destination, stat.S_ISDIR(os.fstat(tree).st_mode))
        try:
            refuse_proc(root_fd, place, destination,
                        files.file_system(tree) == files.PROC_SUPER_MAGIC)
            trees.move_mount(tree, place, destination)
        finally:
            os.close(place)
    finally:
        os.close(tree)


def set_bind(tree: int, shown: str, options: Options) -> None:
    """The flags of a bind: exactly those that were named; if none were, the source's own."""
    asked = options.flags & ~(MS_BIND | MS_REC)
    if asked or options.cleared:
        wanted = attributes(asked)
        away = SETTABLE & ~wanted | (ATIME_ATTRIBUTES & ~wanted if asked & ATIME else 0)
        try:
            mounts.mount_setattr(shown, mounts.Attributes(wanted), False, mounts.Attributes(away),
                                 fd=tree)
        except KernelError as error:
            if error.errno != errno.EPERM or spoils(tree, asked, options.cleared):
                raise
            # A user namespace may not take from a mount what the host has locked: that stays.
            mounts.mount_setattr(shown, mounts.Attributes(wanted), False, fd=tree)
    set_later(tree, shown, options)


def spoils(tree: int, asked: int, cleared: int) -> bool:
    """Would keeping the mount's own flags break what was asked for by name?"""
    found = os.fstatvfs(tree).f_flag
    have = sum(attribute for bit, attribute in STATVFS if found & bit)
    if have & attributes(cleared):
        return True
    strict = 0 if found & (ST_NOATIME | ST_RELATIME) else mounts.MOUNT_ATTR_STRICTATIME
    return bool(asked & ATIME) and attributes(asked & ATIME) != have & ATIME_ATTRIBUTES | strict


def set_later(tree: int, shown: str, options: Options) -> None:
    """What is said of a mount and all below it, and whom it tells of new mounts."""
    if options.recursive or options.recursive_clear:
        mounts.mount_setattr(shown, mounts.Attributes(options.recursive), True,
                             mounts.Attributes(options.recursive_clear), fd=tree)
    for propagation in options.propagation:
        mounts.mount_setattr(shown, mounts.Attributes(0), bool(propagation & MS_REC),
                             propagation=mounts.Flags(propagation & ~MS_REC), fd=tree)


def attach_new(root_fd: int, entry: dict[str, Any], options: Options) -> int | None:
    """Mount a new file system: by mount(2), or in steps where it has to be held meanwhile."""
    kind, destination = entry["type"], entry["destination"]
    found = there(root_fd, destination)
    place = target(root_fd, destination, True) if found is None else found
    try:
        if kind in ORDINARY and real(root_fd, place) != whole(destination):
            raise Denied(f'filesystem "{kind}" must be mounted on ordinary directory',
                         "a link of the image leads elsewhere")
        refuse_proc(root_fd, place, destination, kind == "proc")
        if kind == "tmpfs" and found is not None and "mode=" not in (options.data or ""):
            # A directory that is there keeps its mode, as with runc.
            mode = f"mode={stat.S_IMODE(os.fstat(place).st_mode):04o}"
            options.data = f"{mode},{options.data}" if options.data else mode
        # Made read-only when everything is in it.
        later = bool(options.flags & MS_RDONLY) and (
            kind == "tmpfs" or whole(destination) == "/dev")
        if later or options.copy_up or options.propagation or options.recursive \
                or options.recursive_clear:
            return attach_held(place, entry, options, later)
        mounts.mount(entry.get("source"), files.Opened(place, destination), kind,
                     mounts.Flags(options.flags), options.data)
        return None
    finally:
        os.close(place)


def attach_held(place: int, entry: dict[str, Any], options: Options, later: bool) -> int | None:
    """Mount a new file system that is held by a descriptor from its beginning."""
    kind, destination, flags = entry["type"], entry["destination"], options.flags
    if later:
        flags &= ~MS_RDONLY
    words = [word for flag, word in WHOLE if flags & flag]
    data = ",".join([*words, options.data or ""])
    tree = trees.fsmount(kind, entry.get("source"), data, mounts.Attributes(attributes(flags)))
    try:
        if options.copy_up:
            from runtime.kernel.copies import copy_directory

            copy_directory(place, tree, destination)
        set_later(tree, destination, options)
        trees.move_mount(tree, place, destination)
        return os.dup(tree) if later else None
    finally:
        os.close(tree)


def remount(root_fd: int, entry: dict[str, Any], options: Options) -> None:
    """Change what is mounted at the destination already: the word "remount"."""
    place = target(root_fd, entry["destination"], True)
    try:
        mounts.mount(entry.get("source"), files.Opened(place, entry["destination"]),
                     entry.get("type"), mounts.Flags(options.flags), options.data)
    finally:
        os.close(place)


def labelled(entry: dict[str, Any], data: str | None, label: str | None) -> str | None:
    """The file system's options with linux.mountLabel, which SELinux gives all files in it."""
    if not label or entry["type"] in (*ORDINARY, "mqueue", "cgroup", "cgroup2"):
        return data
    context = f'context="{label}"'
    return f"{data},{context}" if data else context
