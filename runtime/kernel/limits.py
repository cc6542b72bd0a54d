"""Resource limits of a process (ulimit), and its OOM score.

Runs in init. A limit is {"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 4096}, in the units of
getrlimit(2); raising a hard limit needs CAP_SYS_RESOURCE. Sources: getrlimit(2), proc(5).
"""

from __future__ import annotations

from runtime.errors import KernelError
from runtime.trace.operation import operation

# The numbers of asm-generic/resource.h, the same on x86-64 and arm64.
RLIMITS = {
    "RLIMIT_CPU": 0, "RLIMIT_FSIZE": 1, "RLIMIT_DATA": 2, "RLIMIT_STACK": 3, "RLIMIT_CORE": 4,
    "RLIMIT_RSS": 5, "RLIMIT_NPROC": 6, "RLIMIT_NOFILE": 7, "RLIMIT_MEMLOCK": 8, "RLIMIT_AS": 9,
    "RLIMIT_LOCKS": 10, "RLIMIT_SIGPENDING": 11, "RLIMIT_MSGQUEUE": 12, "RLIMIT_NICE": 13,
    "RLIMIT_RTPRIO": 14, "RLIMIT_RTTIME": 15,
}


@operation("setrlimit(2)")
def setrlimit(kind: str, soft: int, hard: int) -> None:
    """Set one limit of this process. Raises KernelError (EPERM: the hard limit may not rise)."""
    import resource

    def signed(value: int) -> int:  # the C type is unsigned, resource's is signed: infinity is -1
        return value if value < 1 << 63 else -1

    try:
        resource.setrlimit(RLIMITS[kind], (signed(soft), signed(hard)))
    except ValueError:  # resource's word for EPERM and EINVAL
        raise KernelError("setrlimit", 1, f"{kind} {soft}:{hard}",
                          "raising a hard limit needs CAP_SYS_RESOURCE") from None
