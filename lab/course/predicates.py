"""The predicates about a container and its group: container, cgroup, gone.

Each takes the author's words and a Context, reads the world, and returns a Result with the file it
read. They look at effects only; extra containers, other flags and other spellings do not matter.
Those about a live process and its files are in `predicates_proc.py`, events in
`predicates_events.py`.

    {container = "$name", exit_code = 137}       state.json of the engine, against /proc
    {cgroup = "$name", file = "memory.events", key = "oom_kill", delta_ge = 1}
Sources: cgroup-v2.rst for the files; Docker's API v1.43 for states.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.course import by_hand
from lab.course.evidence import Facts
from lab.course.measure import number, plain, same
from lab.course.predicates_events import actor
from lab.course.result import Context, Reading, Result

Words = Mapping[str, Any]

# Goals that read better in the kernel's own story than as "file key grew by 1".
STORY = {
    ("memory.events", "oom_kill"): "the kernel killed a process of {name} for memory",
    ("memory.events", "max"): "{name} ran into its memory limit",
    ("cpu.stat", "nr_throttled"): "the kernel held {name} back",
    ("pids.events", "max"): "{name} was refused a process",
}


def missing(name: str, context: Context) -> str:
    """Why there is no container of that name, as far as one can see."""
    if by_hand.is_command(name):
        return f"{name} does not run"
    for event in reversed(context.world.events(context.attempt.started_ns)):
        if actor(event).get("name") == name and event.get("Action") == "destroy":
            return f"{name} was here, and has been removed"
    begun = context.record.started_ns
    newest = next((one for one in context.world.containers() if one.created_ns >= begun), None)
    if newest:
        return f"no container is called {name}; the newest is {newest.name}"
    return f"no container is called {name}"


def container(words: Words, context: Context) -> Result:
    """State, exit code and OOMKilled, as the engine keeps them, checked against /proc."""
    name = context.text(words["container"])
    facts = context.world.container(name)
    goal, expected = _container_goal(name, words, context)
    if facts is None:
        was_here = "removed" in missing(name, context)
        passed = words.get("exists") is False or (words.get("state") == "removed" and was_here)
        return Result(passed, expected, missing(name, context), "", goal)
    observed = [f"{facts.status}"]
    passed = words.get("exists", True) and words.get("state", facts.status) == facts.status
    if "alive" in words:
        passed = passed and bool(facts.pid) == words["alive"]
        observed.append(f"pid {facts.pid}" if facts.pid else "no process")
    if facts.pid and not context.world.source.exists(f"/proc/{facts.pid}"):
        passed = False
        observed.append(f"but process {facts.pid} is gone")
    if "exit_code" in words:
        # One whose program could not be started stays "created", with 126 or 127.
        ended = facts.status in ("exited", "dead") or facts.exit_code in (126, 127)
        passed = passed and ended and str(facts.exit_code) in _codes(words, context)
        observed += [f"exit code {facts.exit_code}"] if ended else []
    if "oom_killed" in words:
        passed = passed and facts.oom_killed == words["oom_killed"]
        observed.append(f"OOMKilled {str(facts.oom_killed).lower()}")
    return Result(bool(passed), expected, ", ".join(observed), facts.path, goal)


def _codes(words: Words, context: Context) -> list[str]:
    wanted = words["exit_code"]
    return [context.text(code) for code in (wanted if isinstance(wanted, list) else [wanted])]


def _container_goal(name: str, words: Words, context: Context) -> tuple[str, str]:
    """(sentence, expected) for a container check."""
    parts = []
    if words.get("exists") is False:
        return f"{name} is gone", "no such container"
    if "state" in words:
        parts.append(words["state"])
    if "alive" in words:
        parts.append("with a process" if words["alive"] else "without a process")
    if "exit_code" in words:
        parts.append("exit code " + " or ".join(_codes(words, context)))
    if "oom_killed" in words:
        parts.append(f"OOMKilled {str(words['oom_killed']).lower()}")
    expected = ", ".join(parts) or "there"
    return f"{name} is {expected}", expected


def container_value(words: Words, context: Context) -> Reading | None:
    """The one value of a container that a question is about."""
    facts = context.world.container(context.text(words["container"]))
    if facts is None:
        return None
    values = {"state": facts.status, "exit_code": str(facts.exit_code), "pid": str(facts.pid),
              "oom_killed": str(facts.oom_killed).lower()}
    return Reading(values[words.get("field", "state")], facts.path)


def cgroup(words: Words, context: Context) -> Result:
    """A file of the container's group, by value or by what it grew since the step began."""
    name = context.text(words["cgroup"])
    label = _file(words) + (f" {words['key']}" if "key" in words else "")
    if "delta_ge" in words:
        return _grown(words, context, name, label)
    reading = cgroup_value(words, context)
    expected = _comparison(words, context)
    goal = _group_goal(words, name, label, expected)
    if reading is None:
        facts = context.world.container(name)
        why = missing(name, context) if facts is None else f"the group of {name} has no {label}"
        return Result(False, expected, why, "", goal)
    return Result(compare(words, context, reading.value), expected,
                  f"{label} {reading.value}", reading.path, goal)


def _group_goal(words: Words, name: str, label: str, expected: str) -> str:
    if "frozen" in words:
        return f"{name} is {'frozen' if words['frozen'] else 'not frozen'}"
    if "populated" in words:
        return f"{name}'s group holds {'a process' if words['populated'] else 'no process'}"
    if words.get("key") == "cpus":
        return f"{words['file']} allows {expected} CPUs"
    return f"{label} is {expected}" if "eq" in words else f"{label} {expected}"


def _file(words: Words) -> str:
    if "frozen" in words:
        return "cgroup.freeze"
    return "cgroup.procs" if "populated" in words else str(words["file"])


def cgroup_value(words: Words, context: Context) -> Reading | None:
    """The value of a file, or of one key in it; `cpus` of cpu.max is quota / period."""
    found = context.world.group(context.text(words["cgroup"]), _file(words))
    if found is None:
        return None
    value = _keyed(found.text, words.get("key", ""))
    return None if value is None else Reading(value, found.path, found.alive)


def _keyed(text: str, key: str) -> str | None:
    if not key:
        return text.strip()
    if key == "cpus":
        quota, _, period = text.strip().partition(" ")
        return quota if not quota.isdecimal() else plain(int(quota) / int(period or 100000))
    for line in text.splitlines():
        first, _, value = line.partition(" ")
        if first == key:
            return value.strip()
    return None


def _grown(words: Words, context: Context, name: str, label: str) -> Result:
    wanted = float(words["delta_ge"])
    story = STORY.get((words["file"], words.get("key", "")), label + " grows")
    expected = f"{words.get('key', words['file'])} at least {plain(wanted)} more"
    reading = cgroup_value(words, context)
    value = None if reading is None else number(reading.value)
    if reading is None or value is None:
        return Result(False, expected, missing(name, context), "", story.format(name=name))
    begun = baseline(words, context)
    # A counter only grows: a lower one is that of the container's next life.
    begun = begun if value >= begun else 0.0
    observed = f"{words.get('key', words['file'])} {plain(begun)} → {plain(value)}"
    return Result(value - begun >= wanted, expected, observed, reading.path,
                  story.format(name=name))


def baseline(words: Words, context: Context) -> float:
    """The counter when the step began; 0 for a group that did not exist then, or is another now."""
    facts = context.world.container(context.text(words["cgroup"]))
    kept = context.began(words.get("since", "step")).baseline.get(counter_key(words, context))
    if kept is None or facts is None or kept[0] != facts.id or words.get("since") == "lesson":
        return 0.0
    return float(kept[1])


def counter_key(words: Words, context: Context) -> str:
    """The name of a counter in a baseline: ink/memory.events/oom_kill."""
    return "/".join((context.text(words["cgroup"]), words["file"], words.get("key", "")))


def _comparison(words: Words, context: Context) -> str:
    signs = {"eq": "", "ge": "at least ", "le": "at most "}
    if "frozen" in words:
        return "1" if words["frozen"] else "0"
    if "populated" in words:
        return "a process" if words["populated"] else "no process"
    return " and ".join(sign + context.text(words[word]) for word, sign in signs.items()
                        if word in words)


def compare(words: Words, context: Context, value: str) -> bool:
    """Whether a value meets eq, ge and le; `max` is more than any number."""
    if "frozen" in words:
        return (value.strip() == "1") is words["frozen"]
    if "populated" in words:
        return bool(value.strip()) is words["populated"]
    if "eq" in words and not same(context.text(words["eq"]), value,
                                  float(words.get("within_percent", 0))):
        return False
    observed = float("inf") if value == "max" else number(value)
    if "ge" in words or "le" in words:
        low, high = (number(context.text(words.get(word, default)))
                     for word, default in (("ge", "-1e18"), ("le", "1e18")))
        return observed is not None and low is not None and high is not None \
            and low <= observed <= high
    return True


def gone(words: Words, context: Context) -> Result:
    """Something that was there after the step began, and is not there now."""
    name, what = context.text(words["gone"]), words.get("what", "container")
    kept = context.record.baseline.get(f"gone/{name}")
    facts = context.world.container(name)
    whole = what == "container" or by_hand.is_command(name)
    goal = f"{name} is gone" if whole else f"the {what} of {name} is gone"
    if kept is None and facts is None:
        return Result(False, "was there, and is gone", f"{name} was never there", "", goal)
    left = _left(name, what, kept, facts, context)
    return Result(not left, "gone", left or "gone", left, goal)


def _left(name: str, what: str, kept: list[Any] | None, facts: Facts | None,
          context: Context) -> str:
    """The path of what is still there, or nothing."""
    if what == "container":
        return facts.path if facts else ""
    pid, start, upper = (kept or [0, 0, ""])[1:4]
    if what == "process":
        if by_hand.is_command(name):
            pid = by_hand.newest(context.world.source, name, context.attempt.started_ns)
        pid = facts.pid if facts and facts.pid else pid
        return f"/proc/{pid}" if pid and context.world.source.exists(f"/proc/{pid}") else ""
    if what == "cgroup":
        found = facts and context.world.group(facts.name, "cgroup.procs")
        return found.path if found and found.alive else ""
    return upper if upper and context.world.source.exists(upper) else ""
