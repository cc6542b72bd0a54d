"""The predicates about files: mount, overlay, file.

Each reads what findmnt and ls would show, through the Source, for the container's first process, a
process made by hand (`by_hand.py`), or the host.

    {mount = "$name", target = "/", fstype = "overlay", on_host = false}
    {overlay = "$name", path = "/etc/motd", is = "copied_up", lower_has = true}
    {file = "/proof", in = "$name", owner = 0}
Sources: proc_pid_mountinfo(5), overlayfs.rst.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lab.course.predicates import missing
from lab.course.predicates_proc import HOST, dead, pid_of
from lab.course.result import Context, Reading, Result
from runtime.errors import Denied
from runtime.inspect import layers as overlays
from runtime.inspect import mounts
from runtime.inspect.source import Gone, text

Words = Mapping[str, Any]
IS = {"copied_up": "copied up", "whiteout": "a whiteout", "opaque": "opaque",
      "lower_only": "only in a lower layer", "upper_only": "only in the upper layer",
      "absent": "not there"}


def mount(words: Words, context: Context) -> Result:
    """A row of the container's mount table."""
    name, target = context.text(words["mount"]), context.text(words.get("target", "/"))
    keys = ("fstype", "root", "option", "propagation")
    expected = ", ".join(f"{key} {context.text(words[key])}" for key in keys if key in words)
    goal = f"{target} of {name} is {expected.removeprefix('fstype ') or 'a mount'}"
    if "on_host" in words:
        where = "on the host as well" if words["on_host"] else "and not on the host"
        goal, expected = f"{goal}, {where}", f"{expected}, {where}".removeprefix(", ")
    pid = _table_of(name, context)
    row = mounts.mount_at(mounts.mounts(context.world.source, pid), target) if pid else None
    if row is None:
        observed = f"{target} is no mount" if pid else dead(name, context)
        return Result(False, expected, observed, f"/proc/{pid}/mountinfo" if pid else "", goal)
    passed = all((context.text(words.get("fstype", row.fstype)) == row.fstype,
                  context.text(words.get("root", row.root)) == row.root,
                  "option" not in words or words["option"] in row.options,
                  words.get("propagation", row.propagation) == row.propagation))
    observed = f"{row.fstype} {row.root} {','.join(row.options)}"
    if "on_host" in words:
        there = mounts.mount_at(mounts.mounts(context.world.source, "self"), target) is not None
        passed = passed and there == words["on_host"]
        observed += f"; the host {'has' if there else 'has not'} got it"
    return Result(passed, expected, observed, f"/proc/{pid}/mountinfo", goal)


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
            return Result(False, "there", dead(name, context), "", f"{shown} is as wanted")
    wanted = ["not there" if words.get("exists") is False else "there"]
    wanted += [f"holds {words['content_re']}"] if "content_re" in words else []
    wanted += [f"owner {context.text(words['owner'])}"] if "owner" in words else []
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
    owner = context.text(words.get("owner", found.uid))
    passed = words.get("exists", True) and owner == str(found.uid) \
        and found.size_bytes >= words.get("size_ge", 0)
    if "content_re" in words:
        pattern = context.text(words["content_re"])
        passed = passed and re.search(pattern, content) is not None
        observed = [repr(content[:40])]
    return Result(bool(passed), wanted, ", ".join(observed), where, goal)
