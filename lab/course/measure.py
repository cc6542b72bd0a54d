"""Compares what an author or a student wrote with what the kernel says.

    same("48m", "50331648")     a size in Docker's spelling and in bytes
    same("9", "SIGKILL")        a signal by number and by name
    same("1,248", "1248")       digits as people type them

Numbers compare as numbers, everything else as text without regard to case and outer blanks. Pure.
"""

from __future__ import annotations

import re

from runtime.inspect.capabilities import SIGNAL_NAMES

UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
SIZE = re.compile(r"^(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?$")
# /proc writes a mask of signals or capabilities so; people leave out the zeros.
MASK = re.compile(r"^[0-9a-f]{16}$")
DIGITS = re.compile(r"^-?\d{1,3}([,_' ]\d{3})+$")


def number(text: object) -> float | None:
    """The number that a text means: "48m" 50331648, "1,248" 1248, "0.5" 0.5; None of words."""
    word = str(text).strip().lower()
    if DIGITS.match(word):
        word = re.sub(r"[,_' ]", "", word)
    if match := SIZE.match(word):
        return float(match[1]) * UNITS[match[2]]
    try:
        return float(word) if word not in ("nan", "inf", "infinity") else None
    except ValueError:
        return None


def signal(text: str) -> float | None:
    """9 of "SIGKILL", "kill" or "9"; None of anything else."""
    word = text.strip().upper().removeprefix("SIG")
    for signal_number, name in SIGNAL_NAMES.items():
        if word == name:
            return float(signal_number)
    return None


def same(expected: object, observed: object, within_percent: float = 0.0) -> bool:
    """Whether both mean the same value, `within_percent` of the expected one."""
    if isinstance(expected, bool) or isinstance(observed, bool):
        return str(expected).lower() == str(observed).lower()
    if MASK.match(str(expected)) and (mask := _mask(observed)) is not None:
        return int(str(expected), 16) == mask
    first, second = number(expected), number(observed)
    if first is None or second is None:
        return _words(expected) == _words(observed) or _same_signal(expected, observed)
    return abs(first - second) <= abs(first) * within_percent / 100


def _mask(text: object) -> int | None:
    try:
        return int(str(text).strip(), 16)
    except ValueError:
        return None


def _same_signal(expected: object, observed: object) -> bool:
    first = number(expected) or signal(str(expected))
    second = number(observed) or signal(str(observed))
    return first is not None and first == second


def _words(value: object) -> str:
    # "0, 0" is "0 0" and "0:0": how a pair is written is no part of the answer.
    return " ".join(re.split(r"[\s,:]+", str(value).strip().strip("`'\"").lower()))


def plain(value: float) -> str:
    """A number without a needless `.0`: 50331648, 0.5."""
    return str(int(value)) if value == int(value) else str(value)
