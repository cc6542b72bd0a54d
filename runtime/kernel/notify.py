"""inotify(7): be woken when a file changes. cgroup v2's event files are made for it.

Runs in the shim and in whoever waits for a file to grow. A watch is one descriptor that polls
readable; what is read from it is thrown away, the file itself says what is new. Source: inotify(7).
"""

from __future__ import annotations

from runtime.kernel.libc import check, encode, libc

IN_MODIFY = 0x2
IN_CLOEXEC, IN_NONBLOCK = 0x80000, 0x800


def watch(path: str, mask: int) -> int:
    """A new inotify descriptor that watches one path. Raises KernelError."""
    import os

    fd = check(libc.inotify_init1(IN_CLOEXEC | IN_NONBLOCK), "inotify_init1")
    try:
        check(libc.inotify_add_watch(fd, encode(path), mask), "inotify_add_watch", path)
    except OSError:
        os.close(fd)
        raise
    return fd
