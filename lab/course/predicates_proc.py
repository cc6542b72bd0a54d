"""The predicates about a live process: ns, proc. Its files are in `predicates_files.py`.

Each reads what lsns and /proc would show, through the Source, for the container's first process or
the one with the `command` that the author names. A subject with a space in it is no container: it
is the process with that command line, whoever started it (`by_hand.py`). `self` is the reader.

    {ns = "$name", kind = ["pid", "mnt"], differs_from = "host"}
    {ns = "sleep $seconds", kind = "uts", hostname = "$host"}
    {proc = "$name", field = "SigCgt", has = "TERM"}
    {proc = "$name", field = "CapEff", lacks = ["SYS_ADMIN", "NET_RAW"]}
    {proc = "sleep $seconds", field = "uid_map", eq = "0 $uid 1"}
Sources: proc(5), namespaces(7), capabilities(7), user_namespaces(7).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from lab.course import by_hand
from lab.course.predicates import compare, missing
from lab.course.result import Context, Reading, Result
from runtime.inspect import namespaces, processes
from runtime.inspect.capabilities import decode, decode_signals
from runtime.inspect.source import Source, text

Words = Mapping[str, Any]
HOST = ("host", "self")
# Files of /proc/PID that are one value, and no line of its status.
MAPS = ("uid_map", "gid_map")


def pid_of(name: str, context: Context) -> int:
    """The container's first process, or the process of that command line; 0 when there is none."""
    if by_hand.is_command(name):
        return by_hand.newest(context.world.source, name, context.attempt.started_ns)
    facts = context.world.container(name)
    return facts.pid if facts else 0


def dead(name: str, context: Context) -> str:
    """Why there is no process of that name to look at."""
    facts = context.world.container(name)
    return missing(name, context) if facts is None else f"{name} is {facts.status}: no process"


def ns(words: Words, context: Context) -> Result:
    """Namespaces of the container against another's or the host's."""
    name = context.text(words["ns"])
    kinds = words.get("kind", list(namespaces.KINDS))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    word = "same_as" if "same_as" in words else "differs_from"
    other = context.text(words.get(word, "host"))
    relation = "its own" if word == "differs_from" else f"shared with {other}"
    goal = f"{name} has {relation} {', '.join(kinds)}" if word == "differs_from" else \
        f"{name} shares {', '.join(kinds)} with {other}"
    if "hostname" in words:
        return _hostname(words, context)
    pid = pid_of(name, context)
    if not pid:
        return Result(False, relation, dead(name, context), "", goal)
    mine = namespaces.namespaces(context.world.source, pid)
    theirs = _namespaces_of(other, context)
    wrong = [kind for kind in kinds if kind not in mine or kind not in theirs
             or (mine[kind] == theirs[kind]) != (word == "same_as")]
    shown = wrong or kinds
    observed = ", ".join(f"{kind} {mine.get(kind, 'unreadable')} ({other} {theirs.get(kind, '?')})"
                         for kind in shown[:2])
    enough = True
    if "members_ge" in words:
        everyone = namespaces.members(context.world.source)
        counts = {kind: len(everyone.get((kind, mine.get(kind, 0)), ())) for kind in kinds}
        enough = all(count >= words["members_ge"] for count in counts.values())
        observed += f", {min(counts.values())} processes"
    return Result(not wrong and enough, relation, observed, f"/proc/{pid}/ns/{shown[0]}", goal)


def _hostname(words: Words, context: Context) -> Result:
    """The host name that the UTS namespace of a process holds."""
    name, wanted = context.text(words["ns"]), context.text(words["hostname"])
    pid = os.getpid() if name in HOST else pid_of(name, context)
    goal = f"{name} calls its host {wanted}"
    if not pid:
        return Result(False, wanted, dead(name, context), "", goal)
    found = namespaces.hostname(context.world.source, pid) or "unreadable"
    return Result(found == wanted, wanted, found, f"/proc/{pid}/ns/uts", goal)


def _namespaces_of(name: str, context: Context) -> dict[str, int]:
    if name in HOST:
        return namespaces.own(context.world.source)
    pid = pid_of(name, context)
    return namespaces.namespaces(context.world.source, pid) if pid else {}


def ns_value(words: Words, context: Context) -> Reading | None:
    """The inode of one namespace, or (field "own") how many kinds are not the host's."""
    name, kind = context.text(words["ns"]), str(words.get("kind", "pid"))
    if words.get("field") == "own":
        return _own(name, context)
    if words.get("field") == "hostname":
        pid = os.getpid() if name in HOST else pid_of(name, context)
        called = namespaces.hostname(context.world.source, pid) if pid else None
        return Reading(called, f"/proc/{pid}/ns/uts") if called else None
    pid = 0 if name in HOST else pid_of(name, context)
    found = _namespaces_of(name, context).get(kind)
    path = f"/proc/{pid or 'self'}/ns/{kind}"
    return None if found is None else Reading(str(found), path)


def _own(name: str, context: Context) -> Reading | None:
    mine, theirs = _namespaces_of(name, context), _namespaces_of("host", context)
    if not mine:
        return None
    count = sum(mine[kind] != theirs.get(kind) for kind in mine)
    return Reading(str(count), f"/proc/{pid_of(name, context)}/ns")


def proc(words: Words, context: Context) -> Result:
    """A field of /proc/PID/status, or command, arguments, state and parent of a process."""
    name, label = context.text(words["proc"]), words.get("field", "Pid")
    reading = proc_value(words, context)
    expected = _proc_expected(words, context)
    goal = _proc_goal(context.text(words.get("command", name)), label, words, context) \
        or f"{context.text(words.get('command', name))}: {label} {expected}"
    if reading is None:
        return Result(False, expected, dead(name, context), "", goal)
    items = _items(label, reading.value)
    absent = [word for word in _listed(words, "has") if word not in items]
    present = [word for word in _listed(words, "lacks") if word in items]
    passed = not absent and not present and compare(words, context, reading.value)
    passed = passed and ("count" not in words or len(reading.value.split()) == words["count"])
    against = "".join(f", without {word}" for word in absent)
    against += "".join(f", with {word}" for word in present)
    return Result(passed, expected, f"{label} {reading.value}{against}", reading.path, goal)


def _listed(words: Words, key: str) -> list[str]:
    """One word or several, as the author wrote them."""
    value = words.get(key, [])
    return [value] if isinstance(value, str) else list(value)


def _proc_goal(name: str, label: str, words: Words, context: Context) -> str:
    """The goal in the words of the story, where there is one to tell."""
    if label == "comm" and "eq" in words:
        return f"the process of {name} is {context.text(words['eq'])}"
    if label == "SigCgt" and "has" in words:
        return f"pid 1 of {name} catches {words['has']}"
    if label == "CapEff" and ("has" in words or "lacks" in words):
        parts = [f"{verb} {' and '.join(_listed(words, key))}"
                 for key, verb in (("has", "holds"), ("lacks", "does not hold")) if key in words]
        return f"{name} {', and '.join(parts)}"
    if label == "Seccomp" and words.get("eq") in (0, 2):
        return f"{'a filter' if words['eq'] else 'no filter'} stands before {name}'s system calls"
    return ""


def _proc_expected(words: Words, context: Context) -> str:
    parts = [f"{word} {' and '.join(_listed(words, word))}" for word in ("has", "lacks")
             if word in words]
    parts += [f"has {words['count']} values"] if "count" in words else []
    signs = {"eq": "is ", "ge": "is at least ", "le": "is at most "}
    parts += [sign + context.text(words[word]) for word, sign in signs.items() if word in words]
    return " and ".join(parts) or "can be read"


def _items(label: str, value: str) -> tuple[str, ...]:
    """The names in a mask of signals or capabilities; of anything else its words."""
    if label.startswith("Sig"):
        return decode_signals(int(value, 16))
    if label.startswith("Cap"):
        return tuple(word.removeprefix("CAP_") for word in decode(int(value, 16)))
    return tuple(value.split())


def proc_value(words: Words, context: Context) -> Reading | None:
    """The value of one field of the process; with `bits`, how many bits of its mask are set."""
    reading = _field(words, context)
    if reading is None or not words.get("bits"):
        return reading
    return Reading(str(int(reading.value, 16).bit_count()), reading.path)


def _field(words: Words, context: Context) -> Reading | None:
    source, name = context.world.source, context.text(words["proc"])
    label = words.get("field", "Pid")
    if name in HOST:
        return _line_of("self", label, source)
    pid = pid_of(name, context)
    if "command" in words and pid:
        family = processes.flatten(processes.tree(source, pid))
        wanted = context.text(words["command"])
        pid = next((one.process.pid for one in family if one.process.comm == wanted), 0)
    one = processes.process(source, pid) if pid else None
    if one is None:
        return None
    if label in ("comm", "cmdline", "ppid_comm"):
        parent = text(source, f"/proc/{one.ppid}/comm") or ""
        value = {"comm": one.comm, "cmdline": " ".join(one.cmdline), "ppid_comm": parent.strip()}
        return Reading(value[label], f"/proc/{pid}/{'cmdline' if label == 'cmdline' else 'stat'}")
    if label in ("root", "cwd"):
        return Reading(getattr(one, label), f"/proc/{pid}/{label}")
    if label == "inner_pid":
        return Reading(str(one.inner_pid), f"/proc/{pid}/status")
    if label == "cgroup":
        rows = (text(source, f"/proc/{pid}/cgroup") or "").splitlines()
        # The first generation has a row for each tree; where it stands at the top says nothing.
        path = max((row.split(":", 2)[-1] for row in rows), key=len, default="")
        return Reading(path, f"/proc/{pid}/cgroup") if path else None
    return _line_of(pid, label, source)


def _line_of(pid: int | str, label: str, source: Source) -> Reading | None:
    """A line of the status, or a map of user numbers; `Uid` is the first of its four: the real."""
    if label in MAPS:
        found = text(source, f"/proc/{pid}/{label}")
        return None if found is None else Reading(" ".join(found.split()), f"/proc/{pid}/{label}")
    fields = processes.parse_status(text(source, f"/proc/{pid}/status") or "")
    if label not in fields:
        return None
    value = fields[label].split()[0] if label in ("Uid", "Gid") else fields[label]
    return Reading(value, f"/proc/{pid}/status")
