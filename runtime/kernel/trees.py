"""Mounts that are made first and shown afterwards: open_tree(2), fsopen(2), move_mount(2).

Runs in init, and in the shim for what only the host's root may do. mount(2) names its target by a
path, and a path can lead elsewhere by the time the next call asks again. A detached mount is held
by a descriptor from the beginning: it gets its attributes before anybody can see it, is put on a
directory that is held by another, and the descriptor goes on meaning it after that.

    tree = open_tree("/srv/data", recursive=True)      a copy of what is mounted there
    mount_setattr("/srv/data", MOUNT_ATTR_RDONLY, fd=tree)
    move_mount(tree, directory_fd, "/data")

Linux 5.2. Sources: open_tree(2), move_mount(2), fsopen(2), fsconfig(2), fsmount(2); linux/mount.h.
"""

from __future__ import annotations

import errno
import os

from runtime.errors import KernelError
from runtime.kernel import foreign
from runtime.kernel.libc import (
    NR_fsconfig, NR_fsmount, NR_fsopen, NR_move_mount, NR_open_tree, char_p, check, encode, int_,
    syscall,
)
from runtime.kernel.mounts import AT_EMPTY_PATH, AT_FDCWD, AT_RECURSIVE
from runtime.trace.operation import operation

OPEN_TREE_CLONE = 1
MOVE_MOUNT_F_EMPTY_PATH, MOVE_MOUNT_T_EMPTY_PATH = 0x4, 0x40
FSOPEN_CLOEXEC = FSMOUNT_CLOEXEC = 1
FSCONFIG_SET_FLAG, FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE = 0, 1, 6


@operation("open_tree(2)")
def open_tree(source: str, recursive: bool = False, fd: int = AT_FDCWD) -> int:
    """A copy of the mount that source lies on, from there down, attached nowhere. Close it.

    With `fd` of what that descriptor means; then `source` is for the reader. open_tree(2)
    """
    flags = OPEN_TREE_CLONE | os.O_CLOEXEC | (AT_RECURSIVE if recursive else 0)
    path = source
    if fd != AT_FDCWD:
        path, flags = "", flags | AT_EMPTY_PATH
    return check(syscall(NR_open_tree, int_(fd), char_p(encode(path)), foreign.c_uint(flags)),
                 "open_tree", source)


@operation("move_mount(2)")
def move_mount(tree: int, place: int, target: str) -> None:
    """Attach a detached mount on the file or directory behind `place`. move_mount(2)

    The target's name is for the reader. `tree` goes on meaning the mount, now where all see it.
    """
    check(syscall(NR_move_mount, int_(tree), char_p(b""), int_(place), char_p(b""),
                  foreign.c_uint(MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH)),
          "move_mount", target)


@operation("fsmount(2)")
def fsmount(kind: str, source: str | None = None, options: str | None = None,
            attributes: int = 0) -> int:
    """A new file system, mounted nowhere yet, with MOUNT_ATTR_*. Close it.

    `options` as mount(2) takes them: "mode=755,size=1m". Raises KernelError, with the file system's
    own words where it has any. fsopen(2), fsconfig(2), fsmount(2)
    """
    context = check(syscall(NR_fsopen, char_p(encode(kind)), foreign.c_uint(FSOPEN_CLOEXEC)),
                    "fsopen", kind)
    try:
        if source is not None:
            configure(context, FSCONFIG_SET_STRING, "source", source)
        for option in (options or "").split(","):
            key, given, value = option.partition("=")
            if key:
                configure(context, FSCONFIG_SET_STRING if given else FSCONFIG_SET_FLAG, key,
                          value if given else None)
        configure(context, FSCONFIG_CMD_CREATE, None, None)
        return check(syscall(NR_fsmount, int_(context), foreign.c_uint(FSMOUNT_CLOEXEC),
                             foreign.c_uint(attributes)), "fsmount", kind)
    finally:
        os.close(context)


def configure(context: int, command: int, key: str | None, value: str | None) -> None:
    """One step of a file system in the making. Raises KernelError. fsconfig(2)"""
    if syscall(NR_fsconfig, int_(context), foreign.c_uint(command), char_p(encode(key)),
               char_p(encode(value)), int_(0)) < 0:
        number, asked = foreign.get_errno(), "" if value is None else f"={value}"
        raise KernelError("fsconfig", number, f"{key or 'create'}{asked}", words(context))


def words(context: int) -> str:
    """What the file system says of its refusal: "tmpfs: Unknown parameter 'x'"; "" if nothing."""
    try:
        return os.read(context, 1024).decode("utf-8", "replace").strip().removeprefix("e ")
    except OSError as error:
        if error.errno not in (errno.ENODATA, errno.EINVAL):
            raise
        return ""
