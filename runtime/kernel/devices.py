"""Device nodes: mknod(2).

Runs in init, in the new root's /dev. A node is ("null", "c", 1, 3). Sources: mknod(2), null(4).
"""

from __future__ import annotations

import os
import stat

from runtime.errors import KernelError
from runtime.trace.operation import operation

KINDS = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}


@operation("mknod(2)")
def mknod(path: str, kind: str, major: int, minor: int, mode: int) -> None:
    """Make a device node, or a fifo. Needs CAP_MKNOD in the initial user namespace. mknod(2)"""
    try:
        os.mknod(path, KINDS[kind] | mode, os.makedev(major, minor))
    except FileExistsError:
        raise
    except OSError as error:
        raise KernelError("mknod", error.errno or 0, str(path)) from None
