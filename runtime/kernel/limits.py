"""Resource limits of a process (ulimit), and its OOM score.

Runs in init. A limit is {"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 4096}, in the units of
getrlimit(2); raising a hard limit needs CAP_SYS_RESOURCE. Sources: getrlimit(2), proc(5).
"""

from __future__ import annotations

from runtime.kernel import foreign
from runtime.kernel.libc import check, int_, libc
from runtime.trace.operation import operation

# The numbers of asm-generic/resource.h, the same on x86-64 and arm64.
RLIMITS = {
    "RLIMIT_CPU": 0, "RLIMIT_FSIZE": 1, "RLIMIT_DATA": 2, "RLIMIT_STACK": 3, "RLIMIT_CORE": 4,
    "RLIMIT_RSS": 5, "RLIMIT_NPROC": 6, "RLIMIT_NOFILE": 7, "RLIMIT_MEMLOCK": 8, "RLIMIT_AS": 9,
    "RLIMIT_LOCKS": 10, "RLIMIT_SIGPENDING": 11, "RLIMIT_MSGQUEUE": 12, "RLIMIT_NICE": 13,
    "RLIMIT_RTPRIO": 14, "RLIMIT_RTTIME": 15,
}
INFINITY = (1 << 64) - 1

class rlimit(foreign.Structure):  # noqa: N801  (struct rlimit of getrlimit(2))
    _fields_ = [("soft", foreign.c_uint64), ("hard", foreign.c_uint64)]


@operation("setrlimit(2)")
def setrlimit(kind: str, soft: int, hard: int) -> None:
    """Set one limit of this process. Raises KernelError (EPERM: the hard limit may not rise).

    By the C library, not by Python's `resource`: that is a file, which a process that has entered
    another root can no longer import. RLIM_INFINITY is 2⁶⁴−1, also given as −1. getrlimit(2)
    """
    limit = rlimit(soft & INFINITY, hard & INFINITY)
    check(libc.setrlimit(int_(RLIMITS[kind]), foreign.byref(limit)), "setrlimit",
          f"{kind} {soft}:{hard}")


@operation("prlimit(2)")
def prlimit(pid: int, kind: str, soft: int, hard: int) -> None:
    """Set one limit of another process. Raises KernelError. prlimit(2)"""
    limit = rlimit(soft & INFINITY, hard & INFINITY)
    check(libc.prlimit(int_(pid), int_(RLIMITS[kind]), foreign.byref(limit), None), "prlimit",
          f"{kind} {soft}:{hard} of {pid}")


def getrlimit(pid: int, kind: str) -> tuple[int, int]:
    """One limit of a process (0: this one): soft and hard. prlimit(2)"""
    limit = rlimit(0, 0)
    check(libc.prlimit(int_(pid), int_(RLIMITS[kind]), None, foreign.byref(limit)), "prlimit",
          f"{kind} of {pid}")
    return limit.soft, limit.hard
