"""Two films side by side: what one start did and the other did not, or did otherwise.

The twin of `diff -y`, over operations as plain data, be they a birth certificate's or a trace's
(strace.py); standard library only, and never loaded by a start. What must differ between any two
starts is left out of the comparison: ids, names, pids, descriptors, where a container is kept.

    pairs(film, other) → [Pair(" ", mount, mount), Pair("|", setresuid 0, setresuid 1000), …]
    " " the same    "|" the same call, other arguments    "~" the same, at another place
    "<" only the first    ">" only the second

Compared phase by phase: where a runtime does a thing early and another late, that is a difference.
The control groups above a container's own are left out: whoever is first makes them for all.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Operation = dict[str, Any]

# Two ways to make the same call: by path, or by a descriptor of the directory.
SAME = {"write_open_control": "write_control", "mkdir_at": "mkdir", "make_file_at": "make_file",
        "chown_at": "chown", "set_filter_with_listener": "set_filter"}
# Numbers that only the process itself knows, and who is who in this run.
OWN = frozenset(("fd", "folder_fd", "cgroup_fd", "tree", "place", "pidfd", "environment", "have"))
# What a call is about: two calls of one name are the same one if this is the same.
ABOUT = ("target", "path", "name", "kind")
PHASES = ("prepare", "isolate", "root", "limit", "drop", "exec")
PLACE = re.compile(r"/[^ ,:=]*/[0-9a-f]{64}(?=[/,: ]|$)")
IDENT = re.compile(r"\b[0-9a-f]{12}(?:[0-9a-f]{52})?\b")
PID = re.compile(r"^/proc/\d+/")


class Pair:
    """One row: an operation of the first film, one of the second, or both."""

    __slots__ = ("sign", "left", "right")

    def __init__(self, sign: str, left: Operation | None, right: Operation | None) -> None:
        self.sign, self.left, self.right = sign, left, right


class Fold:
    """So many rows that are the same on both sides."""

    __slots__ = ("count",)

    def __init__(self, count: int) -> None:
        self.count = count


def pairs(left: list[Operation], right: list[Operation]) -> list[Pair]:
    """Every operation of both, phase by phase, each beside its like."""
    phases = list(PHASES)
    phases += [each for each in dict.fromkeys(row.get("phase", "") for row in left + right)
               if each not in phases]
    left, right = without_parents(left), without_parents(right)
    made: list[Pair] = []
    for phase in phases:
        made += _aligned(*([row for row in film if row.get("phase", "") == phase]
                           for film in (left, right)))
    return made


def without_parents(film: list[Operation]) -> list[Operation]:
    """The film without what is done to the groups above those that it makes."""
    made = [str(each["arguments"].get("path")) for each in film if each["name"] == "mkdir"]
    above = {"/".join(parts[:end]) for parts in (path.split("/") for path in made
                                                 if path.startswith("/sys/fs/cgroup/"))
             for end in range(4, len(parts))}
    kept = []
    for each in film:
        path = str((each.get("arguments") or {}).get("path", ""))
        directory = path if name(each) == "mkdir" else path.rpartition("/")[0]
        if directory not in above:
            kept.append(each)
    return kept


def _aligned(left: list[Operation], right: list[Operation]) -> list[Pair]:
    """One phase of both."""
    match = SequenceMatcher(None, [subject(each) for each in left],
                            [subject(each) for each in right], autojunk=False)
    made: list[Pair] = []
    for tag, start, end, other, stop in match.get_opcodes():
        if tag == "equal":
            made += [Pair(" " if said(one) == said(two) else "|", one, two)
                     for one, two in zip(left[start:end], right[other:stop])]
        else:
            made += [Pair("<", one, None) for one in left[start:end]]
            made += [Pair(">", None, two) for two in right[other:stop]]
    return _moved(made)


def _moved(rows: list[Pair]) -> list[Pair]:
    """What both do, but not at the same place, is one row at the first one's place."""
    waiting: dict[tuple[str, ...], list[Pair]] = {}
    for row in rows:
        if row.sign == ">" and row.right is not None:
            waiting.setdefault(subject(row.right), []).append(row)
    gone = set()
    for row in rows:
        found = waiting.get(subject(row.left)) if row.sign == "<" and row.left else None
        if found:
            other = found.pop(0)
            row.sign, row.right = "~", other.right
            gone.add(id(other))
    return [row for row in rows if id(row) not in gone]


def folded(rows: list[Pair], around: int = 1) -> list[Pair | Fold]:
    """The rows that differ, with so many of the others around them; the rest is counted."""
    near = {at + step for at, row in enumerate(rows) if row.sign != " "
            for step in range(-around, around + 1)}
    made: list[Pair | Fold] = []
    for at, row in enumerate(rows):
        if row.sign != " " or at in near:
            made.append(row)
        elif made and isinstance(made[-1], Fold):
            made[-1].count += 1
        else:
            made.append(Fold(1))
    return made


def counted(rows: list[Pair]) -> dict[str, int]:
    """How many rows have each sign: {" ": 123, "|": 3, "~": 0, "<": 13, ">": 4}."""
    signs = [row.sign for row in rows]
    return {sign: signs.count(sign) for sign in " |~<>"}


def name(operation: Operation) -> str:
    """The call, whichever of its two ways it was made."""
    called = str(operation["name"])
    return SAME.get(called, called)


def subject(operation: Operation) -> tuple[str, ...]:
    """The call and what it is about: ("mount", "/proc", "proc")."""
    arguments = operation.get("arguments") or {}
    about = [plain(arguments[key]) for key in ABOUT if arguments.get(key)]
    if not about and arguments.get("source"):
        about = [plain(arguments["source"])]
    called = name(operation)
    if called == "execve":
        return (called,)  # which program is the difference, if there is one
    if called in ("mkdir", "make_file") and about and "/cgroup/" not in about[0]:
        # One says the whole path, the other a name in a directory that is open.
        about = [about[0].rstrip("/").rpartition("/")[2]]
    if called == "write_control" and "/devices." in about[0]:
        about.append(str(arguments.get("text")))
    return (called, *about)


def said(operation: Operation) -> dict[str, str]:
    """All its arguments, without what differs between any two starts."""
    found = {key: plain(value) for key, value in (operation.get("arguments") or {}).items()
             if key not in OWN and value not in (None, "", 0, "0", False)}
    if name(operation) in ("mkdir", "make_file"):
        found.pop("path", None)
        found.pop("name", None)  # two ways to say where; `subject` has compared them
    if name(operation) == "umount2" and found.get("flags") == "2":
        found["flags"] = "MNT_DETACH"
    if found.get("path", "").endswith("cgroup.event_control"):
        found.pop("text", None)  # two descriptors
    return found


def plain(value: object) -> str:
    """The value without ids, pids and places: "/sys/fs/cgroup/cpu/…/tasks".

    Of a group's path the tree stays, how deep it is, and the file.
    """
    text = PLACE.sub("…", str(value))
    text = PID.sub("/proc/PID/", text)
    if text.startswith("/sys/fs/cgroup/"):
        top, *names = text.removeprefix("/sys/fs/cgroup/").split("/")
        names = [each if "." in each or each == "tasks" else "…" for each in names]
        text = "/".join(["/sys/fs/cgroup", top, *names])
    return IDENT.sub("ID", text)
