"""Capabilities: the bits root is made of.

Runs in init and in exec's process. Sets are masks: CAP_KILL is bit 5, so {"CAP_KILL"} is 0x20.
Sources: capabilities(7), capset(2), PR_CAPBSET_DROP and PR_CAP_AMBIENT of prctl(2).
"""

from __future__ import annotations

from runtime.kernel import foreign
from runtime.kernel.libc import check, libc, number, syscall
from runtime.trace.operation import operation

NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID",
    "SETUID", "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN",
    "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE",
    "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME",
    "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
    "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)
OLDEST_LAST, EINVAL = 38, 22  # Linux 5.6 knew these many; a kernel says EINVAL to a later one
BITS = {f"CAP_{name}": bit for bit, name in enumerate(NAMES)}

_LINUX_CAPABILITY_VERSION_3 = 0x20080522
PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_SET_KEEPCAPS, PR_CAP_AMBIENT = 23, 24, 8, 47
PR_CAP_AMBIENT_RAISE, PR_CAP_AMBIENT_CLEAR_ALL = 2, 4


class Mask(int):
    """A capability set that prints as /proc/PID/status does: "a80425fb"."""

    def __str__(self) -> str:
        return f"{self:x}"

    __repr__ = __str__


def mask_of(names: list[str]) -> Mask:
    """The bits of the names; a name the kernel never had is a KeyError."""
    mask = 0
    for name in names:
        mask |= 1 << BITS[name]
    return Mask(mask)


class _Header(foreign.Structure):  # struct __user_cap_header_struct
    _fields_ = [("version", foreign.c_uint32), ("pid", foreign.c_int)]


class _Data(foreign.Structure):  # struct __user_cap_data_struct, two of them for 64 bits
    _fields_ = [(name, foreign.c_uint32) for name in ("effective", "permitted", "inheritable")]


def bounding() -> Mask:
    """The bounding set of this process: what execve can ever give it. PR_CAPBSET_READ

    Asked of the kernel bit by bit, for /proc inside may be none, or an image's idea of one. Raises
    KernelError: what could not be asked would not be dropped.
    """
    mask = 0
    for bit in range(len(NAMES)):
        held = libc.prctl(PR_CAPBSET_READ, bit, 0, 0, 0)
        if held < 0 and (bit < OLDEST_LAST or foreign.get_errno() != EINVAL):
            check(held, "prctl", "PR_CAPBSET_READ")
        elif held == 1:
            mask |= 1 << bit
    return Mask(mask)


@operation("prctl(2)")
def drop_bounding(keep: int, have: int) -> None:
    """PR_CAPBSET_DROP of every bit of `have` that `keep` lacks: one call a bit, one operation."""
    dropped = have & ~keep
    for bit in range(dropped.bit_length()):
        if dropped >> bit & 1:
            check(libc.prctl(PR_CAPBSET_DROP, bit, 0, 0, 0), "prctl", "PR_CAPBSET_DROP")


@operation("prctl(2)")
def keep_capabilities(on: bool) -> None:
    """Keep the permitted set over the change of user id that follows. PR_SET_KEEPCAPS"""
    check(libc.prctl(PR_SET_KEEPCAPS, int(on), 0, 0, 0), "prctl", "PR_SET_KEEPCAPS")


@operation("capset(2)")
def capset(effective: int, permitted: int, inheritable: int) -> None:
    """Set the three sets of this thread; a bit outside the permitted set is EPERM. capset(2)"""
    header = _Header(_LINUX_CAPABILITY_VERSION_3, 0)
    low, high = 0xFFFFFFFF, 32
    data = (_Data * 2)(
        _Data(effective & low, permitted & low, inheritable & low),
        _Data(effective >> high, permitted >> high, inheritable >> high),
    )
    check(syscall(number("capset"), foreign.byref(header), foreign.byref(data)), "capset",
          f"effective {effective:x}")


@operation("prctl(2)")
def set_ambient(mask: int) -> None:
    """Make the ambient set exactly mask. After the change of user id: before, it is cleared."""
    check(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "prctl", "PR_CAP_AMBIENT")
    for bit in range(mask.bit_length()):
        if mask >> bit & 1:
            check(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit, 0, 0), "prctl",
                  "PR_CAP_AMBIENT_RAISE")
