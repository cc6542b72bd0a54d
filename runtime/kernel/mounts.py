"""Mounts: mount(2), umount2(2), pivot_root(2).

Runs in init, inside its own mount namespace: nothing here ever changes the host's mount table.
FLAGS maps the words of mount(8) and config.json to (set, clear) bits: {"ro": (MS_RDONLY, 0), …}.
Sources: mount(2), pivot_root(2), mount_namespaces(7), Documentation/filesystems/overlayfs.rst.
"""

from __future__ import annotations

from runtime.kernel import foreign
from runtime.kernel.libc import (
    NR_mount_setattr, char_p, check, encode, int_, libc, number, syscall, ulong,
)
from runtime.trace.operation import operation

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_SYNCHRONOUS = 0x10
MS_REMOUNT = 0x20
MS_MANDLOCK = 0x40
MS_DIRSYNC = 0x80
MS_NOSYMFOLLOW = 0x100
MS_NOATIME = 0x400
MS_NODIRATIME = 0x800
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_SILENT = 0x8000
MS_UNBINDABLE = 0x20000
MS_PRIVATE = 0x40000
MS_SLAVE = 0x80000
MS_SHARED = 0x100000
MS_RELATIME = 0x200000
MS_I_VERSION = 0x800000
MS_STRICTATIME = 0x1000000
MS_LAZYTIME = 0x2000000
MNT_DETACH = 2
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC = 1, 2, 4, 8
MOUNT_ATTR__ATIME, MOUNT_ATTR_NOATIME, MOUNT_ATTR_STRICTATIME = 0x70, 0x10, 0x20
MOUNT_ATTR_NODIRATIME, MOUNT_ATTR_IDMAP, MOUNT_ATTR_NOSYMFOLLOW = 0x80, 0x100000, 0x200000
AT_FDCWD, AT_EMPTY_PATH, AT_RECURSIVE = -100, 0x1000, 0x8000

FLAGS = {
    "ro": (MS_RDONLY, 0), "rw": (0, MS_RDONLY),
    "nosuid": (MS_NOSUID, 0), "suid": (0, MS_NOSUID),
    "nodev": (MS_NODEV, 0), "dev": (0, MS_NODEV),
    "noexec": (MS_NOEXEC, 0), "exec": (0, MS_NOEXEC),
    "noatime": (MS_NOATIME, 0), "atime": (0, MS_NOATIME),
    "nodiratime": (MS_NODIRATIME, 0), "diratime": (0, MS_NODIRATIME),
    "relatime": (MS_RELATIME, 0), "norelatime": (0, MS_RELATIME),
    "strictatime": (MS_STRICTATIME, 0), "nostrictatime": (0, MS_STRICTATIME),
    "sync": (MS_SYNCHRONOUS, 0), "async": (0, MS_SYNCHRONOUS),
    "dirsync": (MS_DIRSYNC, 0), "remount": (MS_REMOUNT, 0),
    "nosymfollow": (MS_NOSYMFOLLOW, 0), "symfollow": (0, MS_NOSYMFOLLOW),
    "lazytime": (MS_LAZYTIME, 0), "nolazytime": (0, MS_LAZYTIME),
    "mand": (MS_MANDLOCK, 0), "nomand": (0, MS_MANDLOCK),
    "iversion": (MS_I_VERSION, 0), "noiversion": (0, MS_I_VERSION),
    "silent": (MS_SILENT, 0), "loud": (0, MS_SILENT),
    "bind": (MS_BIND, 0), "rbind": (MS_BIND | MS_REC, 0), "defaults": (0, 0),
}
PROPAGATION = {
    "private": MS_PRIVATE, "rprivate": MS_PRIVATE | MS_REC,
    "slave": MS_SLAVE, "rslave": MS_SLAVE | MS_REC,
    "shared": MS_SHARED, "rshared": MS_SHARED | MS_REC,
    "unbindable": MS_UNBINDABLE, "runbindable": MS_UNBINDABLE | MS_REC,
}


NAMED_FLAGS = [(name, value) for name, value in globals().items() if name.startswith("MS_")]
NAMED_ATTRIBUTES = [(name, value) for name, value in globals().items()
                    if name.startswith("MOUNT_ATTR_") and name != "MOUNT_ATTR__ATIME"]


class Flags(int):
    """An integer that prints as its mount(2) flags: "MS_BIND|MS_REC"."""

    def __str__(self) -> str:
        return "|".join([name for name, value in NAMED_FLAGS if self & value]) or "0"

    __repr__ = __str__


@operation("mount(2)")
def mount(source: str | None, target: str, kind: str | None = None,
          flags: int = 0, options: str | None = None) -> None:
    """Attach a file system at target, or change one already there (MS_BIND, MS_REMOUNT, MS_SLAVE).

    `options` is the file system's own text, at most a page: "lowerdir=/a:/b,upperdir=…". mount(2)
    """
    check(libc.mount(encode(source), encode(target), encode(kind), flags, encode(options)),
          "mount", f"{kind or source or Flags(flags)} on {target}")


class mount_attr(foreign.Structure):  # noqa: N801  (struct mount_attr of linux/mount.h)
    _fields_ = [(name, foreign.c_uint64)
                for name in ("attr_set", "attr_clr", "propagation", "userns_fd")]


class Attributes(int):
    """An integer that prints as its mount_setattr(2) attributes: "MOUNT_ATTR_RDONLY"."""

    def __str__(self) -> str:
        return "|".join([name for name, value in NAMED_ATTRIBUTES if self & value]) or "0"

    __repr__ = __str__


@operation("mount_setattr(2)")
def mount_setattr(target: str, set_attributes: int, recursive: bool = False, clear: int = 0,
                  propagation: int = 0, fd: int = AT_FDCWD, userns_fd: int = 0) -> None:
    """Add MOUNT_ATTR_* to a mount, and with recursive to all below it in the same step.

    With `fd` the mount behind that descriptor, be it attached or not; then `target` is for the
    reader. Unlike MS_REMOUNT it leaves every other flag as it is; the three ways to keep access
    times are one setting, cleared as a whole (MOUNT_ATTR__ATIME). Linux 5.12. mount_setattr(2)
    """
    if (set_attributes | clear) & MOUNT_ATTR__ATIME:
        clear |= MOUNT_ATTR__ATIME
    attributes = mount_attr(attr_set=set_attributes, attr_clr=clear, propagation=propagation,
                            userns_fd=userns_fd)
    path, flags = (target, 0) if fd == AT_FDCWD else ("", AT_EMPTY_PATH)
    check(syscall(NR_mount_setattr, int_(fd), char_p(encode(path)),
                  foreign.c_uint(flags | (AT_RECURSIVE if recursive else 0)),
                  foreign.byref(attributes), ulong(foreign.sizeof(attributes))),
          "mount_setattr", target)


@operation("umount2(2)")
def umount2(target: str, flags: int = 0) -> None:
    """Take the topmost mount off target; MNT_DETACH: once its last user goes. umount(2)"""
    check(libc.umount2(encode(target), flags), "umount2", target)


@operation("pivot_root(2)")
def pivot_root(new_root: str, put_old: str) -> None:
    """Make new_root the root mount of this namespace and stack the old one at put_old.

    new_root must be a mount point whose parent is not shared. pivot_root(2)
    """
    check(syscall(number("pivot_root"), char_p(encode(new_root)), char_p(encode(put_old))),
          "pivot_root", new_root)
