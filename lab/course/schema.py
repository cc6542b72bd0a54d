"""The words a lesson file may use: every key, its type, and where it may stand.

One table per place, so that the loader can refuse a misspelt word with the word it probably meant,
and so that an author finds the whole vocabulary on two screens. Pure data and its reading; the
meaning of the predicates is in `checks.py`.

    check = [{ cgroup = "$name", file = "memory.events", key = "oom_kill", delta_ge = 1 }]
               └ subject          └ words of that subject                  └ comparison
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from runtime.errors import Invalid

FORMAT = 1

COURSE = {"format": "int", "id": "str", "locale": "str", "tracks": "strs", "assumed": "strs",
          "note": "words"}
TRACK = {"id": "str", "number": "int", "lessons": "strs", "title": "words", "about": "words"}
LESSON = {
    "format": "int", "id": "str", "level": "str", "minutes": "int", "teaches": "strs",
    "needs": "strs", "requires": "strs", "panes": "strs", "leaves": "strs", "vars": "table",
    "step": "tables",
}
VARIABLE = {"value": "str", "pick": "strs", "int": "ints"}

_STEP = {"id": "str", "kind": "str", "needs": "strs", "focus": "str", "hints": "int"}
_ACT = {"check": "checks", "fail": "fails", "solve": "strs"}
STEP: dict[str, dict[str, str]] = {
    "read": _STEP,
    "predict": _STEP | {"options": "strs", "answer": "str", "sure": "bool"},
    "do": _STEP | _ACT,
    "watch": _STEP | _ACT | {"container": "str", "stops": "strs", "options": "strs",
                             "equals": "check"},
    "ask": _STEP | {"equals": "check"},
    "explain": _STEP | {"options": "strs", "answer": "str"},
}
REQUIRED: dict[str, tuple[str, ...]] = {
    "read": (), "predict": ("options", "answer"), "do": ("check", "solve"),
    "watch": ("container", "check", "solve"),
    "ask": ("equals",), "explain": ("options", "answer"),
}
FAIL = {"when": "check", "say": "str"}

COMPARISON = {"eq": "value", "ge": "value", "le": "value"}
MODIFIER = {"sticky": "bool", "within": "time", "holds": "time", "since": "str",
            "at": "str", "within_percent": "number", "words": "str"}
COMBINATORS = {"all": "checks", "any": "checks", "not": "check"}

# The first word of a table that stands here is its subject: `file` is also a word of `cgroup`.
PREDICATES: dict[str, dict[str, str]] = {
    "container": {"container": "str", "exists": "bool", "state": "str", "exit_code": "codes",
                  "oom_killed": "bool", "alive": "bool", "field": "str"},
    "ns": {"ns": "str", "kind": "str or strs", "differs_from": "str", "same_as": "str",
           "members_ge": "int", "field": "str", "hostname": "str"},
    "proc": {"proc": "str", "field": "str", "command": "str", "has": "str or strs",
             "lacks": "str or strs", "count": "int", "bits": "bool"} | COMPARISON,
    "cgroup": {"cgroup": "str", "file": "str", "key": "str", "delta_ge": "number",
               "frozen": "bool", "populated": "bool"} | COMPARISON,
    "mount": {"mount": "str", "target": "str", "fstype": "str", "root": "str", "option": "str",
              "propagation": "str", "on_host": "bool", "field": "str"},
    "net": {"net": "str", "links": "int", "link": "str", "exists": "bool", "up": "bool",
            "kind": "str", "addr": "str", "field": "str"},
    "overlay": {"overlay": "str", "path": "str", "is": "str", "lower_has": "bool",
                "field": "str"},
    "event": {"event": "sequence"},
    "operations": {"operations": "str", "has": "str", "phases": "bool",
                   "phase_of": "str", "largest": "bool", "held": "bool"},
    "answer": {"answer": "str"},
    "predicted": {"predicted": "str"},
    "gone": {"gone": "str", "what": "str"},
    "value": {"value": "value"},
    "file": {"file": "str", "in": "str", "exists": "bool", "content_re": "str",
             "owner": "int or str", "size_ge": "int"},
}

CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("container", "state"): ("created", "running", "paused", "exited", "dead", "removed"),
    ("container", "field"): ("state", "exit_code", "pid", "oom_killed"),
    ("ns", "kind"): ("mnt", "pid", "net", "uts", "ipc", "cgroup", "user", "time"),
    ("mount", "propagation"): ("private", "shared", "slave"),
    ("mount", "field"): ("fstype", "root"),
    ("net", "field"): ("names", "count", "state", "up", "index", "mtu", "addr"),
    ("overlay", "is"): ("copied_up", "whiteout", "opaque", "lower_only", "upper_only"),
    ("ns", "field"): ("inode", "own", "hostname"),
    ("overlay", "field"): ("is", "device", "size"),
    ("gone", "what"): ("container", "process", "cgroup", "upper"),
}


def meant(word: str, known: Iterable[str]) -> str:
    """` (did you mean "check"?)` for a near miss, else the list of what may stand there."""
    known = list(known)
    near = difflib.get_close_matches(word, known, 1, 0.6)
    if near:
        return f' (did you mean "{near[0]}"?)'
    return f" (known: {', '.join(known)})"


def check_keys(table: Mapping[str, Any], allowed: Mapping[str, str], where: str) -> None:
    """Refuse the first key that may not stand here, or whose value has the wrong type."""
    for key, value in table.items():
        if key not in allowed:
            raise Invalid(f'{where}: unknown key "{key}"{meant(key, allowed)}')
        kind = allowed[key]
        if not TYPES[kind][0](value):
            raise Invalid(f"{where}: {key} = {value!r}: should be {TYPES[kind][1]}")


def require(table: Mapping[str, Any], keys: Iterable[str], where: str) -> None:
    """Refuse a table that lacks one of the keys."""
    for key in keys:
        if key not in table:
            raise Invalid(f"{where}: {key} is missing")


def seconds(text: str) -> float:
    """ "5s" or "500ms" as seconds. Raises ValueError."""
    if text.endswith("ms"):
        return float(text[:-2]) / 1000
    if text.endswith("s"):
        return float(text[:-1])
    raise ValueError(f"{text!r} is no time such as 5s or 500ms")


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and seconds(value) >= 0
    except ValueError:
        return False


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_ints(value: Any) -> bool:
    return isinstance(value, list) and all(_is_int(item) for item in value)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_words(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _is_sequence(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"sequence"} and _is_strings(value["sequence"])


TYPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "str": (lambda value: isinstance(value, str), "text in quotes"),
    "int": (_is_int, "a whole number"),
    "number": (_is_number, "a number"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "strs": (_is_strings, 'a list of texts, ["a", "b"]'),
    "str or strs": (lambda value: isinstance(value, str) or _is_strings(value),
                    "text, or a list of texts"),
    "int or str": (lambda value: _is_int(value) or isinstance(value, str),
                   "a whole number, or a variable"),
    "ints": (lambda value: _is_int(value) or _is_ints(value), "a whole number or a list of them"),
    "codes": (lambda value: _is_int(value) or _is_ints(value) or isinstance(value, str),
              "an exit code, a list of them, or a variable"),
    "value": (lambda value: isinstance(value, str | bool) or _is_number(value), "one value"),
    "time": (_is_time, 'a time such as "5s" or "500ms"'),
    "words": (_is_words, 'a table of texts by language, { en = "…" }'),
    "table": (lambda value: isinstance(value, dict), "a table"),
    "tables": (_is_tables, "a list of tables"),
    "check": (lambda value: isinstance(value, dict), "one check, { … }"),
    "checks": (_is_tables, "a list of checks, [{ … }]"),
    "fails": (_is_tables, "a list of { when = { … }, say = \"…\" }"),
    "sequence": (_is_sequence, '{ sequence = ["start $name", "die $name"] }'),
}
