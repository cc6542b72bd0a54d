"""The predicate about what happened: Docker's events, in the order in which they came.

    {event = {sequence = ["kill $name signal=15", "die $name exitCode=137"]}, within = "5s"}

Others may stand between them. A life that is over does not count: when the container was started
again, only what came after its last start does, so that who used the wrong command may start the
container once more and use the right one. Reads only. Source: Docker's API v1.43, events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.course.measure import same
from lab.course.result import Context, Result
from lab.course.schema import seconds

Words = Mapping[str, Any]
Event = Mapping[str, Any]

# An event in words; the second of a pair is said when its attribute is asked for.
TOLD = {
    "create": ("{name} was created", ""),
    "start": ("{name} was started", ""),
    "kill": ("Docker sent a signal to {name}", "Docker sent signal {signal} to {name}"),
    "die": ("{name} ended", "{name} ended with exit code {exitCode}"),
    "destroy": ("{name} was removed", ""),
    "exec_die": ("a command in {name} ended", "a command in {name} ended with {exitCode}"),
}


def event(words: Words, context: Context) -> Result:
    """The events of the sequence, in order, others between; `within` bounds their span."""
    wanted = [context.text(item) for item in words["event"]["sequence"]]
    since_ns = context.since_ns(words.get("since", "step"))
    happened = _last_life(context.world.events(since_ns), wanted)
    found: list[Event] = []
    for one in happened:
        if len(found) < len(wanted) and _matches(wanted[len(found)], one):
            found.append(one)
    times = [int(one.get("timeNano", 0)) for one in found]
    limit = words.get("within")
    in_time = not limit or not times or (times[-1] - times[0]) / 1e9 <= seconds(limit)
    names = {item.split()[1] for item in wanted}
    # Of what was met, what met it; else all that there was instead.
    shown = found if len(found) == len(wanted) else happened
    seen = [_seen(one) for one in shown if actor(one).get("name") in names]
    return Result(len(times) == len(wanted) and in_time, ", then ".join(wanted),
                  ", ".join(seen) or "nothing yet", "events.jsonl",
                  ", then ".join(told(item) for item in wanted))


def _last_life(happened: Sequence[Event], wanted: Sequence[str]) -> list[Event]:
    """The events from each container's last start on; all, where the making itself is asked for."""
    if any(item.split()[0] in ("create", "start") for item in wanted):
        return list(happened)
    began = {actor(one).get("name"): at for at, one in enumerate(happened)
             if one.get("Action") == "start"}
    return [one for at, one in enumerate(happened) if at >= began.get(actor(one).get("name"), 0)]


def told(wanted: str) -> str:
    """ "die ink exitCode=137" as a sentence: "ink ended with exit code 137"."""
    action, name, *rest = wanted.split()
    attributes = dict(word.partition("=")[::2] for word in rest)
    plain, exact = TOLD.get(action, (wanted, ""))
    try:
        return (exact or plain).format(name=name, **attributes)
    except KeyError:
        return plain.format(name=name)


def _seen(one: Event) -> str:
    """An event as an observation: "exec_die ink with 1". Docker writes a command behind a colon."""
    code = actor(one).get("exitCode") if one["Action"] == "exec_die" else None
    words = f"{one['Action'].partition(':')[0]} {actor(one).get('name', '')}"
    return f"{words} with {code}" if code is not None else words


def _matches(wanted: str, one: Event) -> bool:
    action, name, *rest = wanted.split()
    about = actor(one)
    # Docker writes the command of an exec behind a colon: "exec_start: chown 1000 /etc/passwd".
    done = str(one.get("Action")).partition(":")[0]
    return done == action and about.get("name") == name and all(
        same(value, about.get(key, "")) for key, _, value in (word.partition("=") for word in rest))


def actor(one: Event) -> Mapping[str, str]:
    """The attributes of an event: name, signal, exitCode."""
    return one.get("Actor", {}).get("Attributes", {}) or {}
