"""Points in time, from and to Docker's spellings.

    parse("2026-11-24T12:00:00.5Z") → 1795521600.5      since("10m", now) → now - 600
    local(1795521600.5) → "2026-11-24 12:00:00 +0000 UTC"

Used by ps, images, logs and events; off the start path. Sources: RFC 3339, Go's time.Duration and
moby api/types/time.
"""

from __future__ import annotations

import time

from runtime.client.options import ClientError

ZERO = "0001-01-01T00:00:00Z"
UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 time; 0 for Docker's zero time."""
    import calendar

    if not text or text.startswith("0001-"):
        return 0.0
    main, fraction, offset = _split(text)
    moment = calendar.timegm(time.strptime(main, "%Y-%m-%dT%H:%M:%S"))
    return moment - offset + fraction


def _split(text: str) -> tuple[str, float, int]:
    """Date and time, the fraction of the second, and the offset from UTC in seconds."""
    main, rest = text[:19], text[19:]
    digits = ""
    if rest.startswith("."):
        digits = rest[1:].split("Z")[0].split("+")[0].split("-")[0]
        rest = rest[1 + len(digits):]
    offset = 0
    if rest and rest != "Z":
        sign = -1 if rest[0] == "-" else 1
        hours, _, minutes = rest[1:].partition(":")
        offset = sign * (int(hours) * 3600 + int(minutes or 0) * 60)
    return main, float(f"0.{digits or 0}"), offset


def duration(text: str) -> float:
    """Seconds of a Go duration: "1h30m", "1.5s", "-2m". Raises ValueError."""
    sign = -1 if text.startswith("-") else 1
    rest = text.lstrip("+-")
    if not rest:
        raise ValueError(text)
    if rest == "0":
        return 0.0
    total = 0.0
    while rest:
        digits = len(rest) - len(rest.lstrip("0123456789."))
        letters = len(rest[digits:]) - len(rest[digits:].lstrip("nsuµmh"))
        number, unit, rest = rest[:digits], rest[digits:digits + letters], rest[digits + letters:]
        if not digits or unit not in UNITS:
            raise ValueError(text)
        total += float(number) * UNITS[unit]
    return sign * total


def since(text: str, now: float, name: str = "") -> float:
    """A moment given as a time, as seconds, or as how long ago. Raises ClientError."""
    try:
        return now - duration(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        pass
    for form in ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"):
        try:
            if len(text) > 19:
                return parse(text)
            return time.mktime(time.strptime(text.rstrip("Z"), form)) if not text.endswith("Z") \
                else parse(text)
        except ValueError:
            continue
    where = f'invalid value for "{name}": ' if name else ""
    raise ClientError(f'{where}failed to parse value as time or duration: "{text}"')


def local(moment: float) -> str:
    """As Go prints a time: "2026-11-24 12:00:00 +0000 UTC"."""
    return time.strftime("%Y-%m-%d %H:%M:%S %z %Z", time.localtime(moment))


def rfc3339(moment: float) -> str:
    """With local offset and nanoseconds, as `events` prints it."""
    whole = int(moment)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(whole))
    zone = time.strftime("%z", time.localtime(whole))
    return f"{stamp}.{round((moment - whole) * 1e9):09d}{zone[:3]}:{zone[3:]}"
