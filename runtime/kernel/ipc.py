"""System V shared memory: one segment under a key, for others of the same IPC namespace to find.

Runs in the engine, which asks what a container can see of the host's.
Sources: shmget(2), shmctl(2), sysvipc(7).
"""

from __future__ import annotations

from runtime.kernel.libc import check, int_, libc, ulong, void_p
from runtime.trace.operation import operation

IPC_CREAT, IPC_EXCL, IPC_RMID = 0o1000, 0o2000, 0
PAGE = 4096


@operation("shmget(2)")
def make_segment(key: int) -> int:
    """Make a segment of a page under a key that has none; its id. Raises KernelError: EEXIST."""
    return check(libc.shmget(int_(key), ulong(PAGE), int_(IPC_CREAT | IPC_EXCL | 0o600)),
                 "shmget", hex(key))


@operation("shmctl(2)")
def remove_segment(ident: int) -> None:
    """Remove it. IPC_RMID"""
    check(libc.shmctl(int_(ident), int_(IPC_RMID), void_p(None)), "shmctl", str(ident))
