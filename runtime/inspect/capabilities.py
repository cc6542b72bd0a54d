"""The words for the masks of /proc/PID/status: capabilities, seccomp mode, signals.

Pure functions, any process. Masks are ints: "CapEff: 00000000a80425fb" is 0xa80425fb, and
`decode(0xa80425fb)` is ("CHOWN", "DAC_OVERRIDE", …), Docker's default fourteen. Signals are named
as `docker kill -s` takes them: "TERM"; bit 14 of SigCgt is signal 15.
Sources: capabilities(7), include/uapi/linux/capability.h, signal(7), proc_pid_status(5).
"""

from __future__ import annotations

import signal
from collections.abc import Iterable

from runtime.errors import Invalid

NAMES: tuple[str, ...] = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
    "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
    "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
    "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD",
    "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
    "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)

# moby/oci/caps/defaults.go: what a container of Docker keeps of root.
DOCKER_DEFAULT: tuple[str, ...] = (
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "NET_BIND_SERVICE", "NET_RAW", "SYS_CHROOT", "MKNOD", "AUDIT_WRITE", "SETFCAP",
)

SECCOMP_MODES = {0: "disabled", 1: "strict", 2: "filter"}


def decode(mask: int) -> tuple[str, ...]:
    """The names of a mask's bits, in the kernel's order; an unknown bit is `CAP_63`."""
    return tuple(
        NAMES[bit] if bit < len(NAMES) else f"CAP_{bit}"
        for bit in range(mask.bit_length()) if mask >> bit & 1
    )


def encode(names: Iterable[str]) -> int:
    """The mask of the names, with or without CAP_, any case. Raises Invalid for another word."""
    mask = 0
    for name in names:
        mask |= 1 << number(name)
    return mask


def number(name: str) -> int:
    """The bit of one capability: `number("cap_sys_admin")` is 21. Raises Invalid."""
    word = name.upper().removeprefix("CAP_")
    try:
        return NAMES.index(word)
    except ValueError:
        raise Invalid(f"unknown capability: {name}", "see capabilities(7)") from None


def seccomp_word(mode: int | None) -> str:
    """What the Seccomp line of status means: `filter` is what Docker's profile gives."""
    return SECCOMP_MODES.get(mode, "unknown") if mode is not None else "unknown"


def _signal_names() -> dict[int, str]:
    words = {int(known): known.name.removeprefix("SIG") for known in signal.Signals}
    first, last = int(signal.SIGRTMIN), int(signal.SIGRTMAX)
    for real_time in range(first + 1, last):
        words[real_time] = f"RTMIN+{real_time - first}"
    return words


SIGNAL_NAMES: dict[int, str] = _signal_names()


def signal_name(signal_number: int) -> str:
    """`TERM` for 15; a number the kernel does not name stays a number."""
    return SIGNAL_NAMES.get(signal_number, str(signal_number))


def signal_number(name: str) -> int:
    """15 for `TERM`, `SIGTERM`, `term` or `15`. Raises Invalid."""
    word = name.upper().removeprefix("SIG")
    for known, spelling in SIGNAL_NAMES.items():
        if word in (spelling, str(known)):
            return known
    raise Invalid(f"unknown signal: {name}", "see signal(7)")


def decode_signals(mask: int) -> tuple[str, ...]:
    """The signals of a SigCgt, SigBlk or SigIgn mask; bit 0 is signal 1."""
    return tuple(signal_name(bit + 1) for bit in range(mask.bit_length()) if mask >> bit & 1)
