"""Removing a container's own directory, and nothing else.

Runs in the shim (a container started with --rm) and in the engine (rm). Never follows a link,
never leaves the file system of the directory it was given: what is mounted below stays.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def remove_tree(path: str) -> None:
    """Delete a directory and all below it. What is gone already is fine. Raises OSError.

    Two may do it at once: the shim of a container with --rm, and `rm -f`.
    """
    try:
        device = os.lstat(path).st_dev
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        _gone(os.unlink, path)
        return
    try:
        _empty(fd, device)
    finally:
        os.close(fd)
    _gone(os.rmdir, path)


def _empty(fd: int, device: int) -> None:
    """Delete everything in an open directory, by descriptor: names may be exchanged meanwhile."""
    for entry in list(os.scandir(fd)):
        if not entry.is_dir(follow_symlinks=False):
            _gone(os.unlink, entry.name, fd)
            continue
        # overlayfs makes work/work without any mode bits; root opens it all the same.
        try:
            inner = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                            | os.O_CLOEXEC, dir_fd=fd)
        except FileNotFoundError:
            continue
        try:
            if os.fstat(inner).st_dev != device:
                raise OSError(16, f"another file system is mounted at {entry.name}")
            _empty(inner, device)
        finally:
            os.close(inner)
        _gone(os.rmdir, entry.name, fd)


def _gone(remove: Callable[..., None], name: str, fd: int | None = None) -> None:
    """Remove one entry, unless somebody else just has."""
    try:
        remove(name, dir_fd=fd)
    except FileNotFoundError:
        return


def size(path: str) -> int:
    """The bytes of the files below path, as Docker counts reclaimed space."""
    total = 0
    try:
        entries = list(os.scandir(path))
    except OSError:
        return 0
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                total += size(entry.path)
            elif entry.is_file(follow_symlinks=False):
                total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total
