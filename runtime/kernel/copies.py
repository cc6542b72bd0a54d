"""Copies of what an image has, into a file system that will lie over it ("tmpcopyup").

Runs in init, before pivot_root, while nobody else can reach the copy. What is copied was made by a
stranger: every name is opened in its directory's descriptor and never followed, a file that is no
regular one is made anew and not opened. Sources: sendfile(2), mknodat(2), fchownat(2).
"""

from __future__ import annotations

import os
import stat

from runtime.errors import KernelError
from runtime.trace.operation import operation

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not blocking, for it may be a fifo by the time it is opened.
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@operation("sendfile(2)")
def copy_directory(source_fd: int, target_fd: int, path: str) -> None:
    """Copy what is in one open directory to another, with modes, owners and times.

    The path is for the reader. Raises KernelError. sendfile(2)
    """
    try:
        folder = os.open(".", FOLDER, dir_fd=source_fd)
        try:
            copy_entries(folder, target_fd)
        finally:
            os.close(folder)
    except OSError as error:
        raise KernelError("copy", error.errno or 0, path) from None


def copy_entries(source_fd: int, target_fd: int) -> None:
    """Every name of a directory, and of those below."""
    for name in os.listdir(source_fd):
        found = os.stat(name, dir_fd=source_fd, follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            os.mkdir(name, 0o700, dir_fd=target_fd)
            inner, outer = (os.open(name, FOLDER, dir_fd=fd) for fd in (source_fd, target_fd))
            try:
                copy_entries(inner, outer)
            finally:
                os.close(inner)
                os.close(outer)
        elif stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(name, dir_fd=source_fd), name, dir_fd=target_fd)
        elif stat.S_ISREG(found.st_mode):
            copy_file(source_fd, target_fd, name)
        else:
            os.mknod(name, found.st_mode, found.st_rdev, dir_fd=target_fd)
        os.chown(name, found.st_uid, found.st_gid, dir_fd=target_fd, follow_symlinks=False)
        if not stat.S_ISLNK(found.st_mode):
            # After the owner, which takes the setuid bit away.
            os.chmod(name, stat.S_IMODE(found.st_mode), dir_fd=target_fd)
        os.utime(name, ns=(found.st_atime_ns, found.st_mtime_ns), dir_fd=target_fd,
                 follow_symlinks=False)


def copy_file(source_fd: int, target_fd: int, name: str) -> None:
    """The bytes of one regular file."""
    inner = os.open(name, FILE, dir_fd=source_fd)
    try:
        outer = os.open(name, NEW, 0o600, dir_fd=target_fd)
        try:
            while os.sendfile(outer, inner, None, 1 << 30):
                continue
        finally:
            os.close(outer)
    finally:
        os.close(inner)
