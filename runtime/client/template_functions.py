"""The functions of a template, and how a value prints: Go's own and those Docker adds.

Plain functions over JSON values; ValueError and LookupError carry Go's sentence for a mistake.
Sources: Go text/template funcs.go and fmt, docker/cli templates/templates.go.
"""

from __future__ import annotations

from runtime import documents
from runtime.errors import LabError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class TemplateError(LabError):
    """A template that cannot be read, or not be run over this data; in Go's words."""


def text(value: Any) -> str:
    """A value as Go's %v prints it: true, 48, [a b], map[k:v]."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        inner = " ".join(f"{key}:{_inner(value[key])}" for key in sorted(value))
        return f"map[{inner}]"
    if isinstance(value, (list, tuple)):
        return f"[{' '.join(_inner(item) for item in value)}]"
    if isinstance(value, float):
        return f"{value:g}" if value != int(value) or abs(value) >= 1e21 else str(int(value))
    return str(value)


def _inner(value: Any) -> str:
    return "<nil>" if value is None else text(value)


def true(value: Any) -> bool:
    """Whether `if` takes it: not zero, not empty."""
    return bool(value)


def json(value: Any) -> str:
    if isinstance(value, dict):
        value = {key: item for key, item in value.items() if not callable(item)}
    return documents.encode(value)


def index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, str):
            value = value.encode()
        if isinstance(value, dict):
            # A map without the key gives its zero value; of a map of texts, the usual one: "".
            value = value.get(key, "")
        elif value is None:
            raise LookupError("index of untyped nil")
        elif not isinstance(key, int) or not -1 < key < len(value):
            raise LookupError(f"index out of range: {text(key)}")
        else:
            value = value[key]
    return value


def length(value: Any) -> int:
    if value is None:
        raise ValueError("len of nil pointer")
    return len(value.encode()) if isinstance(value, str) else len(value)


def print_(*values: Any) -> str:
    """With a space between two values of which neither is a text, as Go's Sprint."""
    parts: list[str] = []
    for number, value in enumerate(values):
        if number and not isinstance(value, str) and not isinstance(values[number - 1], str):
            parts.append(" ")
        parts.append(_inner(value))
    return "".join(parts)


def html(value: Any) -> str:
    from html import escape

    return escape(text(value)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


def urlquery(value: Any) -> str:
    from urllib.parse import quote_plus

    return quote_plus(text(value))


def printf(form: str, *values: Any) -> str:
    """Go's verbs, as far as Python has the same."""
    parts, rest, left = [], form, list(values)
    while rest:
        before, percent, rest = rest.partition("%")
        parts.append(before)
        if not percent:
            break
        width = len(rest) - len(rest.lstrip("-+# 0123456789."))
        flags, verb, rest = rest[:width], rest[width:width + 1], rest[width + 1:]
        parts.append("%" if verb == "%" else _verb(flags, verb, left))
    return "".join(parts)


def _verb(flags: str, verb: str, left: list[Any]) -> str:
    if not left:
        return f"%!{verb}(MISSING)"
    value = left.pop(0)
    if verb == "q":
        return documents.encode(text(value))
    if verb in "dxXofeg" and isinstance(value, (int, float)):
        return f"%{flags}{verb}" % value
    if verb in "vst":
        return f"%{flags}s" % _inner(value)
    return f"%!{verb}({text(value)})"


def title(value: str) -> str:
    """Every word with a capital."""
    parts, start = [], True
    for character in value:
        parts.append(character.upper() if start else character)
        start = not (character.isalnum() or character in "_'")
    return "".join(parts)


def pad(value: str, before: int, after: int) -> str:
    return " " * before + value + " " * after if value else value


def equal(first: Any, *others: Any) -> bool:
    if not others:
        raise ValueError("missing argument for comparison")
    return any(_same_kind(first, other) and first == other for other in others)


def _same_kind(first: Any, other: Any) -> bool:
    if first is not None and other is not None and type(first) is not type(other):
        raise ValueError("incompatible types for comparison")
    return True


def part(value: Any, *ends: int) -> Any:
    return value[slice(*ends)] if len(ends) > 1 else value[ends[0]:] if ends else value


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "json": json, "index": index, "len": length, "printf": printf,
    "print": print_, "html": html, "urlquery": urlquery,
    "println": lambda *values: " ".join(_inner(value) for value in values) + "\n",
    "join": lambda items, separator: separator.join(text(item) for item in items or []),
    "split": lambda value, separator: value.split(separator) if separator else list(value),
    "upper": lambda value: value.upper(),
    "lower": lambda value: value.lower(),
    "title": title, "pad": pad, "slice": part,
    "truncate": lambda value, count: value[:count],
    "eq": equal,
    "ne": lambda first, other: not equal(first, other),
    "lt": lambda first, other: first < other,
    "le": lambda first, other: first <= other,
    "gt": lambda first, other: first > other,
    "ge": lambda first, other: first >= other,
    "not": lambda value: not true(value),
    # These two stop at the first value that decides; format.py evaluates them itself.
    "and": lambda *values: values[-1],
    "or": lambda *values: values[-1],
}
