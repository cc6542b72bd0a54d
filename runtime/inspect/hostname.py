"""The host name inside another UTS namespace.

In the caller's process, by a visit there (`visit.py`): uname(2) answers for the thread that asks.
No file shows it: /proc/sys/kernel/hostname is the reader's own, also opened through /proc/PID/root.
Needs CAP_SYS_ADMIN in the target's user namespace and in our own.
Sources: setns(2), uname(2), kernel/utsname_sysctl.c.
"""

from __future__ import annotations

import os

from runtime.inspect.visit import visit


def hostname_of(path: str) -> str:
    """The host name in the UTS namespace at path, `/proc/48213/ns/uts`. Raises OSError."""
    return visit(path, "uts", lambda: os.uname().nodename)
