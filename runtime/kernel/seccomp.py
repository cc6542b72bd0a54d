"""seccomp(2): install a filter of system calls, as ready-made BPF.

Runs in init, as late as can be, because from then on our own calls are judged as well. The bytes
are an array of struct sock_filter, 8 bytes an instruction.
Sources: seccomp(2), seccomp_unotify(2), Documentation/userspace-api/seccomp_filter.rst.
"""

from __future__ import annotations

from runtime.kernel import foreign
from runtime.kernel.libc import check, number, syscall
from runtime.trace.operation import operation

SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_LOG = 1, 2
SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_FILTER_FLAG_TSYNC_ESRCH = 8, 16
SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 32


class sock_fprog(foreign.Structure):  # noqa: N801
    _fields_ = [("len", foreign.c_ushort), ("filter", foreign.c_char_p)]


@operation("seccomp(2)")
def set_filter(program: bytes, flags: int = 0) -> None:
    """Add the filter to this thread and all it will become.

    Needs no_new_privs or CAP_SYS_ADMIN (EACCES). More than 4096 instructions is EINVAL. seccomp(2)
    """
    # Whoever waits to be asked waits for a listener, and here is none.
    load(program, flags & ~SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)


@operation("seccomp(2)")
def set_filter_with_listener(program: bytes, flags: int = 0) -> int:
    """The same; the descriptor, close-on-exec, by which the calls it asks about are answered.

    A thread has one such filter at most: a second is EBUSY. seccomp_unotify(2)
    """
    if flags & SECCOMP_FILTER_FLAG_TSYNC:
        # Two meanings of one result are told apart by this.
        flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH
    return load(program, flags | SECCOMP_FILTER_FLAG_NEW_LISTENER)


def load(program: bytes, flags: int) -> int:
    """seccomp(2) itself. Raises KernelError."""
    argument = sock_fprog(len(program) // 8, program)
    return check(syscall(number("seccomp"), foreign.c_uint(SECCOMP_SET_MODE_FILTER),
                         foreign.c_uint(flags), foreign.byref(argument)), "seccomp",
                 f"filter of {len(program) // 8} instructions")
