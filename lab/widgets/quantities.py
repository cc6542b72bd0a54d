"""Numbers as a pane says them: bytes, microseconds, shares, times of day. Pure functions.

  size(50331648) == "48.0M"      short_size(50331648) == "48M"      duration(118) == "118 µs"
  clock(1790000000.114) == "14:13:20.114"      exit_words(137) == "128 + 9 KILL"
"""

from __future__ import annotations

import time

from lab.glyphs import G
from runtime.inspect.capabilities import signal_name

_UNITS = (("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10))


def size(count: int | None) -> str:
    """Bytes with one decimal: 47.9M; `max` for no limit."""
    if count is None:
        return "max"
    for letter, unit in _UNITS:
        if count >= unit:
            return f"{count / unit:.1f}{letter}"
    return f"{count}B"


def short_size(count: int | None) -> str:
    """Bytes without a decimal that says nothing: 48M, 1.5G."""
    text = size(count)
    return text.replace(".0", "") if len(text) > 2 else text


def duration(microseconds: float) -> str:
    """118 µs, 4.2 ms, 1.31 s."""
    if microseconds < 1000:
        return f"{microseconds:.0f} {G.micro}s"
    if microseconds < 1_000_000:
        return f"{microseconds / 1000:.1f} ms"
    return f"{microseconds / 1_000_000:.2f} s"


def age(seconds: float) -> str:
    """4 s, 12 m, 3 h, 2 d."""
    if seconds < 90:
        return f"{max(0, int(seconds))} s"
    if seconds < 5400:
        return f"{int(seconds / 60)} m"
    if seconds < 172800:
        return f"{int(seconds / 3600)} h"
    return f"{int(seconds / 86400)} d"


def clock(epoch_s: float) -> str:
    """The local time of day with milliseconds."""
    milliseconds = int(epoch_s * 1000 + 0.5)
    moment = time.localtime(milliseconds // 1000)
    return time.strftime("%H:%M:%S", moment) + f".{milliseconds % 1000:03d}"


def fraction(epoch_s: float) -> str:
    """Only what is behind the second, as the cause line counts: `.114`."""
    return clock(epoch_s)[-4:]


def exit_words(code: int) -> str:
    """What an exit code says of itself: 137 is `128 + 9 KILL`; "" for a program's own code."""
    if 128 < code <= 128 + 64:
        return f"128 + {code - 128} {signal_name(code - 128)}"
    return {125: "docker itself failed", 126: "command cannot be run",
            127: "command not found"}.get(code, "")
