"""Removing a container's own directory, and nothing else.

Runs in the shim (a container started with --rm) and in the engine (rm). Never follows a link,
never leaves the file system of the directory it was given: what is mounted below stays.
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

DEEPEST = 64


def remove_tree(path: str) -> None:
    """Delete a directory and all below it. What is gone already is fine. Raises OSError.

    Two may do it at once: the shim of a container with --rm, and `rm -f`. Without root, what
    belongs to subordinate ids is removed by root of a user namespace that has them.
    """
    try:
        _remove_tree(path)
    except PermissionError:
        if os.geteuid() == 0:
            raise
        from runtime.kernel import unshared

        unshared.call("runtime.shim.removal:remove_tree", path)


def _remove_tree(path: str) -> None:
    try:
        device = os.lstat(path).st_dev
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        _gone(os.unlink, path)
        return
    try:
        while _empty(fd, fd, device, 0):
            continue
    finally:
        os.close(fd)
    _gone(os.rmdir, path)


def _empty(fd: int, top: int, device: int, depth: int) -> bool:
    """Delete everything in an open directory, by descriptor: names may be exchanged meanwhile.

    True if something too deep was put into `top` on the way, which has to be gone through again:
    a program inside can nest directories deeper than Python's stack and our descriptors reach.
    """
    again = False
    for entry in list(os.scandir(fd)):
        if not entry.is_dir(follow_symlinks=False):
            _gone(os.unlink, entry.name, fd)
        elif depth == DEEPEST:
            again = True
            _gone(os.rename, entry.name, fd, f"deep-{os.urandom(8).hex()}", top)
        else:
            again |= _empty_below(fd, entry.name, top, device, depth + 1)
    return again


def _empty_below(fd: int, name: str, top: int, device: int, depth: int) -> bool:
    """Delete one directory in an open one. Raises OSError for a mount point."""
    try:
        inner = _open_below(fd, name)
    except FileNotFoundError:
        return False
    try:
        if os.fstat(inner).st_dev != device:
            raise OSError(errno.EBUSY, f"another file system is mounted at {name}")
        again = _empty(inner, top, device, depth)
    finally:
        os.close(inner)
    _gone(os.rmdir, name, fd)
    return again


def _open_below(fd: int, name: str) -> int:
    """A directory in an open one. overlayfs makes work/work without any mode bits.

    Root opens it all the same; a user gives himself leave first, by descriptor, for chmod(2) would
    follow a link that somebody has put there.
    """
    how = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, os.O_RDONLY | how, dir_fd=fd)
    except PermissionError:
        place = os.open(name, os.O_PATH | how, dir_fd=fd)
        try:
            os.chmod(f"/proc/self/fd/{place}", 0o700)
            return os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        finally:
            os.close(place)


def _gone(remove: Callable[..., None], name: str, fd: int | None = None, goal: str = "",
          goal_fd: int = -1) -> None:
    """Remove one entry, or move it to `goal`, unless somebody else just has."""
    try:
        if goal:
            remove(name, goal, src_dir_fd=fd, dst_dir_fd=goal_fd)
        else:
            remove(name, dir_fd=fd)
    except FileNotFoundError:
        return


def size(path: str) -> int:
    """The bytes of the files below path, as Docker counts reclaimed space."""
    total, folders = 0, [path]
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except OSError:  # gone, or nested deeper than a path can say
            continue
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    total += entry.stat(follow_symlinks=False).st_size
            except OSError:
                continue
    return total
