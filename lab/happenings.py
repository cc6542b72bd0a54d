"""What happened to a container: the engine's events and the shim's evidence, told once.

Pure functions, used in the sampler's thread. An event is Docker's: {"Action": "die", "timeNano": …,
"Actor": {"Attributes": {"exitCode": "137"}}}; a line of the evidence is the shim's: {"time": …,
"who": "kernel", "what": "oom_kill", "from": 0, "to": 1}. Both become a `Happening`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lab.snapshot import Happening
from runtime.inspect.capabilities import signal_name

# The evidence's words for a signal that we were asked to send, and how far from the event it is
# written down at most.
SENT = ("kill", "stop", "stop-kill")
ONE_ACT_S = 0.5


def told_once(events: Sequence[Happening], evidence: Sequence[Happening]) -> tuple[Happening, ...]:
    """Both in the order of time; what we did ourselves stands in both, and is told once.

    Docker's word for it is `kill`, also when a stop sent it; which of the two is the evidence's.
    """
    rest = list(events)
    found: list[Happening] = []
    for one in evidence:
        twin = next((other for other in rest if _same_act(other, one)), None)
        if twin is None:
            found.append(one)
            continue
        rest.remove(twin)
        by = " (stop)" if one.what.startswith("stop") else ""
        found.append(replace(twin, detail=twin.detail + by, pid=one.pid))
    return tuple(sorted([*rest, *found], key=lambda one: one.time_s))


def _same_act(event: Happening, evidence: Happening) -> bool:
    """Whether the engine's event and a line of the evidence are one act, asked for once."""
    if abs(evidence.time_s - event.time_s) > ONE_ACT_S or evidence.who == "kernel":
        return False
    if evidence.what in SENT:
        return event.what == "kill" and event.detail == evidence.detail
    if evidence.what == "exec":
        return event.what.startswith("exec_start")
    return evidence.what == event.what


def from_event(event: Mapping[str, Any]) -> Happening:
    """A Docker event: what the engine tells of the container."""
    attributes = event["Actor"].get("Attributes") or {}
    action = str(event["Action"])
    detail = {"die": f"exit {attributes.get('exitCode', '')}",
              "kill": signal_words(attributes.get("signal", ""))}.get(action.split(":")[0], "")
    time_s = event["timeNano"] / 1e9 if event.get("timeNano") else float(event.get("time", 0))
    return Happening(time_s, "engine", action, detail=detail)


def signal_words(number: Any) -> str:
    """SIGKILL of "9"; the word itself where it is no number."""
    text = str(number)
    return f"SIG{signal_name(int(text))}" if text.isdecimal() else text


def from_evidence(line: Mapping[str, Any]) -> Happening:
    """A line that the shim wrote: a counter that moved, a signal, an end."""
    words = [str(line.get("comm") or "")]
    if line.get("signal"):
        words.append(f"SIG{signal_name(int(line['signal']))}")
    if line.get("exit_code") is not None and not line.get("signal"):
        words.append(f"exit {line['exit_code']}")
    before, after = line.get("from"), line.get("to")
    return Happening(
        float(line.get("time", 0.0)), str(line.get("who", "shim")), str(line.get("what", "")),
        "" if before is None else str(before), "" if after is None else str(after),
        " ".join(word for word in words if word), str(line.get("source") or ""),
        int(line.get("pid") or 0),
    )
