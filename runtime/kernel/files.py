"""Files: directories, links, and the control files through which the kernel is told numbers.

Runs in the shim and in init. write_control is how cgroups, maps and sysctls are set: one write(2)
of the whole text, whose error is the kernel's answer; a buffered file would lose it in close().
Sources: open(2), mkdir(2), symlink(2), chown(2), chdir(2), and per file proc(5), cgroups(7).
"""

from __future__ import annotations

import errno
import os
import stat

from runtime.errors import Denied, KernelError
from runtime.kernel import foreign
from runtime.kernel.libc import NR_openat2, char_p, check, encode, int_, libc, syscall, ulong
from runtime.trace.operation import operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_BENEATH, RESOLVE_IN_ROOT = 0x01, 0x02, 0x08, 0x10
# A rename anywhere while ".." is walked may be an attack or none: the kernel asks to try again.
MOST_TRIES = 128
PROC_SUPER_MAGIC, DEVPTS_SUPER_MAGIC = 0x9FA0, 0x1CD1  # linux/magic.h
PROC_ROOT_INODE = 1
MOST_TEXT = 1 << 20
# A fifo that stands there already is ENXIO, instead of waiting for somebody who reads it.
MAKE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class open_how(foreign.Structure):  # noqa: N801  (struct open_how of linux/openat2.h)
    _fields_ = [(name, foreign.c_uint64) for name in ("flags", "mode", "resolve")]


class statfs(foreign.Structure):  # noqa: N801  (struct statfs of asm-generic/statfs.h, 120 bytes)
    _fields_ = [("f_type", foreign.c_long), *((f"rest{n}", foreign.c_long) for n in range(15))]
    f_type: int


# One is enough: what is asked for is read at once.
STATFS = statfs()


def open_in_root(root_fd: int, path: str, flags: int) -> int:
    """Open path as if root_fd were "/": no link, absolute or with .., leads out. openat2(2)

    The descriptor is close-on-exec. Raises KernelError.
    """
    return open_resolved(root_fd, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)


def open_resolved(folder_fd: int, path: str, flags: int, resolve: int) -> int:
    """Open path from folder_fd, by the rules of RESOLVE_*. Raises KernelError. openat2(2)"""
    how = open_how(flags=flags | os.O_CLOEXEC, resolve=resolve)
    name, size = char_p(encode(path)), ulong(foreign.sizeof(how))
    for _ in range(MOST_TRIES):
        fd = syscall(NR_openat2, int_(folder_fd), name, foreign.byref(how), size)
        if fd >= 0 or foreign.get_errno() != errno.EAGAIN:
            break
    return check(fd, "openat2", path)


def file_system(fd: int) -> int:
    """Which kind of file system an open file is on: PROC_SUPER_MAGIC. fstatfs(2)"""
    check(libc.fstatfs(fd, foreign.byref(STATFS)), "fstatfs", str(fd))
    return STATFS.f_type


class Shown(str):
    """A path for the kernel that prints as another for the reader: "." as "/proc/acpi"."""

    shown: str

    def __new__(cls, path: str, shown: str) -> Self:
        self = super().__new__(cls, path)
        self.shown = shown
        return self

    def __str__(self) -> str:
        return self.shown


class Opened(Shown):
    """The path of an open descriptor, /proc/self/fd/N, that prints as what it leads to.

    For calls that take paths only: acting by it acts on what was opened, whatever became of the
    name meanwhile; and the slow motion and an error show "/dev/pts", not a number. It asks /proc,
    so it is for the time before pivot_root, when that is the host's.
    """

    def __new__(cls, fd: int, shown: str, name: str = "") -> Self:
        return super().__new__(cls, f"/proc/self/fd/{fd}{'/' + name if name else ''}",
                               f"{shown.rstrip('/')}/{name}" if name else shown)

    def below(self, name: str) -> Opened:
        """A name in this directory."""
        return Opened(int(self[14:]), self.shown, name)


@operation("mkdir(2)")
def mkdir_at(folder_fd: int, name: str, mode: int = 0o755) -> None:
    """Make a directory below an open one. mkdirat(2)"""
    os.mkdir(name, mode, dir_fd=folder_fd)


@operation("open(2)")
def make_file_at(folder_fd: int, name: str, mode: int = 0o644) -> None:
    """Make an empty file below an open directory, never through a link. openat(2)"""
    os.close(os.open(name, MAKE, mode, dir_fd=folder_fd))


@operation("mkdir(2)")
def mkdir(path: str, mode: int = 0o755) -> None:
    """Make a directory; mode goes through the umask. mkdir(2)"""
    os.mkdir(path, mode)


@operation("open(2)")
def make_file(path: str, mode: int = 0o644) -> None:
    """Make an empty file, as the target of a bind mount; one already there is fine. open(2)"""
    os.close(os.open(path, MAKE, mode))


@operation("symlink(2)")
def symlink(target: str, path: str) -> None:
    """Make path a symbolic link to target; one already there is left. symlink(2)"""
    try:
        os.symlink(target, path)
    except FileExistsError:
        return


@operation("chown(2)")
def chown(path: str | int, uid: int, gid: int) -> None:
    """Give the file (or the open descriptor) to uid and gid. chown(2)"""
    os.chown(path, uid, gid)


@operation("chown(2)")
def chown_at(folder_fd: int, name: str, uid: int, gid: int) -> None:
    """The same below an open directory, never through a link. fchownat(2)"""
    os.chown(name, uid, gid, dir_fd=folder_fd, follow_symlinks=False)


@operation("chmod(2)")
def chmod(path: str, mode: int) -> None:
    """Set the mode bits. chmod(2)"""
    os.chmod(path, mode)


@operation("chdir(2)")
def chdir(path: str) -> None:
    """Make path the working directory. chdir(2)"""
    try:
        os.chdir(path)
    except OSError as error:
        raise KernelError("chdir", error.errno or 0, path) from None


@operation("fchdir(2)")
def fchdir(fd: int, path: str) -> None:
    """Make the directory behind fd the working directory; path is for the reader. chdir(2)"""
    try:
        os.fchdir(fd)
    except OSError as error:
        raise KernelError("fchdir", error.errno or 0, path) from None


@operation("chroot(2)")
def chroot(path: str) -> None:
    """Make path the root of this process only; the way out is well known. chroot(2)"""
    os.chroot(path)


@operation("rmdir(2)")
def rmdir(path: str) -> None:
    """Remove an empty directory, or a cgroup without processes. rmdir(2)"""
    os.rmdir(path)


@operation("unlink(2)")
def unlink(path: str) -> None:
    """Remove a name. unlink(2)"""
    os.unlink(path)


@operation("write(2)")
def write_control(path: str, text: str) -> None:
    """Write text to a control file in one write. Raises KernelError with the file's name.

    Below /proc it is a file of the kernel's and no other: what an image or another container has
    put there would take the text and let nothing happen (CVE-2019-16884, CVE-2025-52881).
    """
    try:
        fd = open_proc(path[6:]) if path.startswith("/proc/") else os.open(
            path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
    except OSError as error:
        raise KernelError("write_control", error.errno or 0, f"{text.strip()!r} to {path}"
                          ) from None


def open_proc(name: str) -> int:
    """Open /proc/NAME for writing: /proc is a procfs, and nothing is mounted on the way to it."""
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if file_system(proc) != PROC_SUPER_MAGIC or os.fstat(proc).st_ino != PROC_ROOT_INODE:
            raise Denied(f"write /proc/{name}: what is at /proc is not the kernel's procfs")
        return open_resolved(proc, name, os.O_WRONLY,
                             RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS)
    finally:
        os.close(proc)


@operation("write(2)")
def write_open_control(fd: int, text: str, path: str) -> None:
    """The same through an open descriptor; path is for the reader. Raises KernelError."""
    try:
        os.write(fd, text.encode())
    except OSError as error:
        raise KernelError("write_control", error.errno or 0, f"{text!r} to {path}") from None


def read_in_root(root: str, path: str) -> str | None:
    """The text of a regular file below `root`, as if that were "/"; None when nothing is there.

    For files that a stranger made. What is no regular file reads as "": opening a fifo would never
    return, reading /dev/zero never end, and a link stays inside. No more than MOST_TEXT is read.
    """
    try:
        root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # Looked at first, for to open a device can be to set it off; and not blocking, for
            # the file may be exchanged meanwhile.
            os.close(open_regular(root_fd, path, os.O_PATH))
            fd = open_regular(root_fd, path, os.O_RDONLY | os.O_NONBLOCK)
        finally:
            os.close(root_fd)
    except OSError as error:
        return None if error.errno in (errno.ENOENT, errno.ENOTDIR) else ""
    with open(fd, "rb", buffering=0) as file:
        return (file.read(MOST_TEXT) or b"").decode("utf-8", "replace")


def open_regular(root_fd: int, path: str, flags: int) -> int:
    """open_in_root of a regular file and of nothing else: EINVAL. Raises KernelError."""
    fd = open_in_root(root_fd, path.lstrip("/"), flags)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise KernelError("read", errno.EINVAL, path, "no regular file")
    return fd


def read(path: str) -> str | None:
    """The text of a small file under /proc or /sys; None when there is none to be had."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = os.read(fd, 65536)
        while chunk := os.read(fd, 65536):
            data += chunk
        return data.decode("utf-8", "replace")
    except OSError:
        return None
    finally:
        os.close(fd)
