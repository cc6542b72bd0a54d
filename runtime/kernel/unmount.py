"""Taking down what is mounted at a path, all of it: umount2(2) with MNT_DETACH.

Runs in the shim and the engine, for a container that was started without a mount namespace of its
own (`--without mount`): any other's mounts go with its namespace. Sources: umount(2).
"""

from __future__ import annotations

import errno
import os

from runtime.kernel.mounts import MNT_DETACH, umount2

UMOUNT_NOFOLLOW = 8
# Nothing is mounted there, or nothing is there at all.
NOTHING = (errno.EINVAL, errno.ENOENT, errno.ENOTDIR)


def detach_all(path: str) -> int:
    """Let go of every mount on path with all below it; how many there were. Raises KernelError.

    Detached, they are gone from the table at once, and end with the last process that uses them.
    """
    count = 0
    while True:
        try:
            umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW)
        except OSError as error:
            # An ordinary user has mounted nothing where he may not unmount.
            if error.errno in NOTHING or error.errno == errno.EPERM and os.geteuid() != 0:
                return count
            raise
        count += 1
