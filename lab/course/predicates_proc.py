"""The predicates about a live process and its files: ns, proc, mount, overlay, file.

Each reads what lsns, /proc, findmnt and ls would show, through the Source, for the container's
first process or the one with the `command` that the author names. A subject with a space in it is
no container: it is the process with that command line, whoever started it (`by_hand.py`).

    {ns = "$name", kind = ["pid", "mnt"], differs_from = "host"}
    {ns = "sleep $seconds", kind = "uts", hostname = "$host"}
    {proc = "$name", field = "SigCgt", has = "TERM"}
    {overlay = "$name", path = "/etc/motd", is = "copied_up", lower_has = true}
Sources: proc(5), namespaces(7), overlayfs.rst.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from lab.course import by_hand
from lab.course.predicates import compare, missing
from lab.course.result import Context, Reading, Result
from runtime.inspect import layers as overlays
from runtime.inspect import mounts, namespaces, processes
from runtime.inspect.capabilities import decode, decode_signals
from runtime.errors import Denied
from runtime.inspect.source import Gone, text

Words = Mapping[str, Any]
HOST = ("host", "self")
IS = {"copied_up": "copied up", "whiteout": "a whiteout", "opaque": "opaque",
      "lower_only": "only in a lower layer", "upper_only": "only in the upper layer",
      "absent": "not there"}


def pid_of(name: str, context: Context) -> int:
    """The container's first process, or the process of that command line; 0 when there is none."""
    if by_hand.is_command(name):
        return by_hand.newest(context.world.source, name, context.attempt.started_ns)
    facts = context.world.container(name)
    return facts.pid if facts else 0


def _dead(name: str, context: Context) -> str:
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
        return Result(False, relation, _dead(name, context), "", goal)
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
        return Result(False, wanted, _dead(name, context), "", goal)
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
    goal = f"{context.text(words.get('command', name))}: {label} {expected}"
    if label == "comm" and "eq" in words:
        goal = f"the process of {name} is {context.text(words['eq'])}"
    elif label == "SigCgt" and "has" in words:
        goal = f"pid 1 of {name} catches {words['has']}"
    if reading is None:
        return Result(False, expected, _dead(name, context), "", goal)
    items = _items(label, reading.value)
    passed = compare(words, context, reading.value)
    passed = passed and ("has" not in words or words["has"] in items)
    passed = passed and ("lacks" not in words or words["lacks"] not in items)
    passed = passed and ("count" not in words or len(reading.value.split()) == words["count"])
    return Result(passed, expected, f"{label} {reading.value}", reading.path, goal)


def _proc_expected(words: Words, context: Context) -> str:
    parts = [f"{word} {context.text(words[word])}" for word in ("has", "lacks") if word in words]
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
    """The value of one field of the process."""
    source, name = context.world.source, context.text(words["proc"])
    pid = pid_of(name, context)
    if "command" in words and pid:
        family = processes.flatten(processes.tree(source, pid))
        wanted = context.text(words["command"])
        pid = next((one.process.pid for one in family if one.process.comm == wanted), 0)
    one = processes.process(source, pid) if pid else None
    if one is None:
        return None
    label = words.get("field", "Pid")
    if label in ("comm", "cmdline", "ppid_comm"):
        parent = text(source, f"/proc/{one.ppid}/comm") or ""
        value = {"comm": one.comm, "cmdline": " ".join(one.cmdline), "ppid_comm": parent.strip()}
        return Reading(value[label], f"/proc/{pid}/{'cmdline' if label == 'cmdline' else 'stat'}")
    if label in ("root", "cwd"):
        return Reading(getattr(one, label), f"/proc/{pid}/{label}")
    fields = processes.parse_status(text(source, f"/proc/{pid}/status") or "")
    return Reading(fields[label], f"/proc/{pid}/status") if label in fields else None


def mount(words: Words, context: Context) -> Result:
    """A row of the container's mount table."""
    name, target = context.text(words["mount"]), context.text(words.get("target", "/"))
    keys = ("fstype", "root", "option", "propagation")
    expected = ", ".join(f"{key} {context.text(words[key])}" for key in keys if key in words)
    goal = f"{target} of {name} is {expected.removeprefix('fstype ') or 'a mount'}"
    pid = _table_of(name, context)
    row = mounts.mount_at(mounts.mounts(context.world.source, pid), target) if pid else None
    if row is None:
        observed = f"{target} is no mount" if pid else _dead(name, context)
        return Result(False, expected, observed, f"/proc/{pid}/mountinfo" if pid else "", goal)
    passed = all((context.text(words.get("fstype", row.fstype)) == row.fstype,
                  context.text(words.get("root", row.root)) == row.root,
                  "option" not in words or words["option"] in row.options,
                  words.get("propagation", row.propagation) == row.propagation))
    return Result(passed, expected, f"{row.fstype} {row.root} {','.join(row.options)}",
                  f"/proc/{pid}/mountinfo", goal)


def _table_of(name: str, context: Context) -> int | str:
    """Whose mount table: the host's is the lab's own."""
    return "self" if name in HOST else pid_of(name, context)


def mount_value(words: Words, context: Context) -> Reading | None:
    """File system type or root of one row."""
    pid = _table_of(context.text(words["mount"]), context)
    target = context.text(words.get("target", "/"))
    row = mounts.mount_at(mounts.mounts(context.world.source, pid), target) if pid else None
    if row is None:
        return None
    return Reading(getattr(row, words.get("field", "fstype")), f"/proc/{pid}/mountinfo")


def _path_state(words: Words, context: Context) -> tuple[overlays.PathState, str] | None:
    found = context.world.layers(context.text(words["overlay"]))
    if found is None:
        return None
    path = context.text(words["path"])
    return overlays.state(context.world.source, found, path), found.upper.rstrip("/") + path


def overlay(words: Words, context: Context) -> Result:
    """What the overlay made of a path, read from its upper and lower directories."""
    name, path = context.text(words["overlay"]), context.text(words["path"])
    wanted = IS[words["is"]] if "is" in words else "there"
    goal = f"{path} of {name} is {wanted}"
    if words.get("lower_has"):
        goal, wanted = f"{goal}, the lower one still there", f"{wanted}, the lower one still there"
    found = _path_state(words, context)
    if found is None:
        return Result(False, wanted, missing(name, context), "", goal)
    state, upper = found
    lower = any(not upper.startswith(layer.rstrip("/") + "/") for layer in state.held_by)
    passed = words.get("is", state.word) == state.word
    passed = passed and ("lower_has" not in words or lower == words["lower_has"])
    observed = f"{path} is {IS.get(state.word, state.word)}"
    return Result(passed, wanted, observed, upper, goal)


def overlay_value(words: Words, context: Context) -> Reading | None:
    """The state of a path, its size, or a whiteout's device number as ls writes it: "0, 0"."""
    found = _path_state(words, context)
    if found is None:
        return None
    if words.get("field") == "size":
        return Reading(str(found[0].size_bytes), found[1])
    if words.get("field") == "device":
        try:
            major, minor = context.world.source.lstat(found[1]).device
            return Reading(f"{major}, {minor}", found[1])
        except (Gone, Denied):
            return None
    return Reading(found[0].word, found[1])


def file(words: Words, context: Context) -> Result:
    """A file of the host, or of a container that runs."""
    path = context.text(words["file"])
    shown, where = path, path
    if "in" in words:
        name = context.text(words["in"])
        pid = pid_of(name, context)
        shown, where = f"{path} in {name}", f"/proc/{pid}/root{path}"
        if not pid:
            return Result(False, "there", _dead(name, context), "", f"{shown} is as wanted")
    wanted = ["not there" if words.get("exists") is False else "there"]
    wanted += [f"holds {words['content_re']}"] if "content_re" in words else []
    wanted += [f"owner {words['owner']}"] if "owner" in words else []
    wanted += [f"at least {words['size_ge']} bytes"] if "size_ge" in words else []
    goal = f"{shown} is {', '.join(wanted)}"
    if not context.world.source.exists(where):
        return Result(words.get("exists") is False, ", ".join(wanted), "not there", where, goal)
    return _file_facts(words, context, where, ", ".join(wanted), goal)


def file_value(words: Words, context: Context) -> Reading | None:
    """What stands in the brackets of `content_re` in a file: hierarchy 4 of /proc/cgroups."""
    name, path = context.text(words.get("in", "host")), context.text(words["file"])
    pid = 0 if name in HOST else pid_of(name, context)
    where = path if name in HOST else f"/proc/{pid}/root{path}"
    found = re.search(context.text(words.get("content_re", "(.*)")),
                      text(context.world.source, where) or "", re.MULTILINE)
    return Reading(found[1], where) if found and (pid or name in HOST) else None


def _file_facts(words: Words, context: Context, where: str, wanted: str, goal: str) -> Result:
    try:
        found = context.world.source.lstat(where)
        content = context.world.source.read(where) if "content_re" in words else ""
    except (Gone, Denied) as error:
        return Result(False, wanted, str(error), where, goal)
    observed = [f"{found.size_bytes} bytes, owner {found.uid}"]
    passed = words.get("exists", True) and words.get("owner", found.uid) == found.uid \
        and found.size_bytes >= words.get("size_ge", 0)
    if "content_re" in words:
        pattern = context.text(words["content_re"])
        passed = passed and re.search(pattern, content) is not None
        observed = [repr(content[:40])]
    return Result(bool(passed), wanted, ", ".join(observed), where, goal)
