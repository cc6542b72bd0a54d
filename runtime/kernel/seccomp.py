"""seccomp(2): install a filter of system calls, as ready-made BPF.

Runs in init, as late as can be, because from then on our own calls are judged as well. The bytes
are an array of struct sock_filter, 8 bytes an instruction.
Sources: seccomp(2), Documentation/userspace-api/seccomp_filter.rst.
"""

from __future__ import annotations

from runtime.kernel import foreign
from runtime.kernel.libc import check, number, syscall
from runtime.trace.operation import operation

SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_LOG = 2


class sock_fprog(foreign.Structure):  # noqa: N801
    _fields_ = [("len", foreign.c_ushort), ("filter", foreign.c_char_p)]


@operation("seccomp(2)")
def set_filter(program: bytes, flags: int = 0) -> None:
    """Add the filter to this thread and all it will become.

    Needs no_new_privs or CAP_SYS_ADMIN (EACCES). More than 4096 instructions is EINVAL. seccomp(2)
    """
    argument = sock_fprog(len(program) // 8, program)
    check(syscall(number("seccomp"), foreign.c_uint(SECCOMP_SET_MODE_FILTER),
                  foreign.c_uint(flags), foreign.byref(argument)), "seccomp",
          f"filter of {len(program) // 8} instructions")
