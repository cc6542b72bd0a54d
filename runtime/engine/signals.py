"""Signals by name or number, as Docker takes them.

"KILL", "SIGKILL", "kill" and "9" are one. Source: signal(7), moby/sys/signal.
"""

from __future__ import annotations

from runtime.errors import Invalid

# The order of signal(7), from 1; the same on x86-64 and arm64.
NAMES = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
]
RTMIN, RTMAX = 34, 64


def number(text: str) -> int:
    """The number of a signal. Raises Invalid in Docker's words."""
    word = text.upper().removeprefix("SIG")
    if word in NAMES:
        return NAMES.index(word) + 1
    if word.isdigit() and 0 < int(word) <= RTMAX:
        return int(word)
    base, sign, offset = word.partition("+") if "+" in word else word.partition("-")
    if base in ("RTMIN", "RTMAX") and (not sign or offset.isdigit()):
        value = RTMIN + int(offset or 0) if base == "RTMIN" else RTMAX - int(offset or 0)
        if RTMIN <= value <= RTMAX:
            return value
    raise Invalid(f"invalid signal: {text}")


def name(value: int) -> str:
    """"SIGKILL" of 9."""
    return f"SIG{NAMES[value - 1]}" if 0 < value <= len(NAMES) else f"signal {value}"
