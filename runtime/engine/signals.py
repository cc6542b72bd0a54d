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
    if decimal(word) and 0 < int(word) <= RTMAX:
        return int(word)
    # Counted up from the lowest real-time signal and down from the highest, never the other way.
    for base, sign, start, step in (("RTMIN", "+", RTMIN, 1), ("RTMAX", "-", RTMAX, -1)):
        if word == base:
            return start
        offset = word.removeprefix(base + sign)
        if offset != word and decimal(offset) and int(offset) <= RTMAX - RTMIN:
            return start + step * int(offset)
    raise Invalid(f"invalid signal: {text}")


def decimal(text: str) -> bool:
    """Digits alone; isdigit also holds for "²"."""
    return text.isascii() and text.isdigit()


def name(value: int) -> str:
    """"SIGKILL" of 9."""
    return f"SIG{NAMES[value - 1]}" if 0 < value <= len(NAMES) else f"signal {value}"
