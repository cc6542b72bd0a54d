"""The C library by ctypes' C half: how every other file of this folder reaches the kernel.

Runs in every process of the chain. `check` turns a result of -1 into KernelError with errno.
System calls the C library has no wrapper for go through `syscall(NR, …)`; their numbers are the
same on all 64-bit architectures for calls newer than 2019 (uapi/asm-generic/unistd.h), older ones
are in `NUMBERS` by machine.
"""

from __future__ import annotations

import os

from runtime.errors import KernelError, Unsupported
from runtime.kernel import foreign

# It keeps the interpreter's lock during a call. We are single-threaded where it matters, and a
# process that clone3 makes must not come back into Python without the lock it believes to hold.
libc = foreign.Library()

int_, ulong, char_p, void_p = foreign.c_int, foreign.c_ulong, foreign.c_char_p, foreign.c_void_p
long_ = foreign.c_long

libc.syscall.restype = long_
libc.mount.argtypes = (char_p, char_p, char_p, ulong, char_p)
libc.umount2.argtypes = (char_p, int_)
libc.fstatfs.argtypes = (int_, void_p)
libc.unshare.argtypes = (int_,)
libc.setns.argtypes = (int_, int_)
libc.prctl.argtypes = (int_, ulong, ulong, ulong, ulong)
libc.sethostname.argtypes = (char_p, foreign.c_size_t)
libc.setdomainname.argtypes = (char_p, foreign.c_size_t)

NUMBERS = {
    "x86_64": {"pivot_root": 155, "capset": 126, "capget": 125, "seccomp": 317,
               "bpf": 321, "keyctl": 250, "ioprio_set": 251, "sched_setattr": 314},
    "aarch64": {"pivot_root": 41, "capset": 91, "capget": 90, "seccomp": 277,
                "bpf": 280, "keyctl": 219, "ioprio_set": 30, "sched_setattr": 274},
}
MACHINE = os.uname().machine
NR_pidfd_send_signal, NR_pidfd_open, NR_clone3, NR_close_range = 424, 434, 435, 436
NR_open_tree, NR_move_mount, NR_fsopen, NR_fsconfig, NR_fsmount = 428, 429, 430, 431, 432
NR_openat2, NR_mount_setattr = 437, 442


def number(call: str) -> int:
    """The number of a system call on this machine. Raises Unsupported."""
    try:
        return NUMBERS[MACHINE][call]
    except KeyError:
        raise Unsupported(f"{call} on {MACHINE}: runtime/kernel/libc.py lacks its number") from None


def encode(text: str | None) -> bytes | None:
    """A C string, or NULL."""
    return None if text is None else os.fsencode(text)


def check(result: int, doing: str, target: str = "", hint: str = "") -> int:
    """The result of a call, or KernelError with what we were doing and to what."""
    if result < 0:
        raise KernelError(doing, foreign.get_errno(), target, hint)
    return result


def syscall(nr: int, *arguments: object) -> int:
    """A raw system call; pass integers wider than int as c_ulong. Result or -1 and errno."""
    return int(libc.syscall(long_(nr), *arguments))
