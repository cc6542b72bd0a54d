"""Sizes and durations as Docker writes them: "7.99MB", "48MiB", "About a minute", "3 weeks ago".

For tables; the twin of docker/go-units size.go and duration.go. Pure text.

    size(7990000) → "7.99MB"   binary_size(50331648) → "48MiB"   duration(75) → "About a minute"
"""

from __future__ import annotations

MINUTE, HOUR, DAY, WEEK = 60, 3600, 86400, 7 * 86400


def _scaled(count: float, step: int, units: tuple[str, ...]) -> tuple[float, str]:
    power = 0
    while count >= step and power < len(units) - 1:
        count, power = count / step, power + 1
    return count, units[power]


def size(count: float, digits: int = 4) -> str:
    """Bytes in thousands, with that many significant digits (docker images, stats: 3 and 4)."""
    value, unit = _scaled(count, 1000, ("B", "kB", "MB", "GB", "TB", "PB", "EB"))
    return f"{_significant(value, digits)}{unit}"


def binary_size(count: float) -> str:
    """Bytes in powers of 1024."""
    value, unit = _scaled(count, 1024, ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"))
    return f"{_significant(value, 4)}{unit}"


def _significant(value: float, digits: int) -> str:
    # Go's %.4g, which unlike ours writes 1e+03 from the fifth digit on; sizes never reach it.
    return f"{value:.{digits}g}"


def duration(seconds: float) -> str:
    """In words, rounded down as Docker does."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole == 1:
        return "1 second"
    if whole < MINUTE:
        return f"{whole} seconds"
    minutes = whole // MINUTE
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    hours = int(seconds / HOUR + 0.5)
    if hours == 1:
        return "About an hour"
    if hours < 48:
        return f"{hours} hours"
    if hours < 24 * 7 * 2:
        return f"{hours // 24} days"
    if hours < 24 * 30 * 2:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{hours // 24 // 365} years"
