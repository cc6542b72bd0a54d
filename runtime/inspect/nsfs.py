"""Whose a namespace is: its owner and its parent, asked of the namespace itself by ioctl(2).

In the caller's process; opens the file under /proc/PID/ns and closes it again. A user namespace
owns every other one that was made inside it: who has a capability there has it over those. pid and
user namespaces stand in trees, and have a parent. What lies above the reader's own is EPERM.
Sources: ioctl_nsfs(2), user_namespaces(7), linux/nsfs.h.
"""

from __future__ import annotations

import fcntl
import os

NS_GET_USERNS, NS_GET_PARENT = 0xB701, 0xB702
RELATIONS = {"owner": NS_GET_USERNS, "parent": NS_GET_PARENT}


def related(path: str, relation: str) -> int:
    """The inode of the "owner" or "parent" of the namespace at path. Raises OSError.

    EINVAL: this kind has no parent. EPERM: the reader stands too low to be told.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        other = fcntl.ioctl(fd, RELATIONS[relation])
    finally:
        os.close(fd)
    try:
        return os.fstat(other).st_ino
    finally:
        os.close(other)
