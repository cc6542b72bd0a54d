"""What the sampler has seen of one container: the history that no file keeps, and what is due.

Lives in the sampler's thread, one per container that was shown. After a death it keeps what the
living had (namespaces, processes, mounts, the last numbers), completed by what the shim wrote down:
`evidence.jsonl`, and `last-cgroup.json`, read just before the group was removed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from lab.docker_line import docker_line
from lab.snapshot import Effect, Happening, Leaf, Point, Row, View
from runtime.errors import LabError
from runtime.inspect import layers, mounts, namespaces, processes
from runtime.inspect.capabilities import signal_name
from runtime.inspect.cgroups import FILES, Usage, cpu_share, from_texts, usage
from runtime.inspect.source import Source

# How often a part is read while its pane is seen, in seconds; the others on change only.
PERIODS = {"usage": 0.1, "processes": 0.5, "namespaces": 0.5, "mounts": 0.5, "changes": 0.5}
MEMBERS_S = 3.0
HISTORY = 600
# Enough to say RUN, THROTTLED or OOM when the pane of the numbers is not seen.
VERDICT_FILES = ("cpu.stat", "cpu.max", "memory.events", "memory.current", "memory.max")
# What no pane shows is not read.
PANE_FILES = tuple(name for name in FILES if name not in (
    "memory.stat", "cgroup.procs", "io.max", "cpu.pressure", "io.pressure", "memory.swap.current"))
MOST_CHANGES = 200
# The evidence's words for a signal that we were asked to send, and how far from the event it is
# written down at most.
SENT = ("kill", "stop", "stop-kill")
ONE_ACT_S = 0.5


class Observation:
    """The eyes on one container."""

    def __init__(self, engine: Any, source: Source) -> None:
        self.engine, self.source = engine, source
        self.view: View | None = None
        self._due: dict[str, float] = {}
        self._points: deque[Point] = deque(maxlen=HISTORY)
        self._members: Mapping[tuple[str, int], tuple[int, ...]] = {}
        self._members_due = 0.0
        self._lived: Usage | None = None
        self._at_kill: int | None = None
        self._layers: layers.Layers | None = None

    def read(self, container: Any, parts: frozenset[str], now: float, changed: bool) -> View:
        """The container now: what is due, and what was seen before of the rest."""
        row = row_of(container)
        if self.view is not None and row.started_s > self.view.row.started_s > 0:
            self._begin_again()
        view = replace(self.view, row=row) if self.view else View(row=row)
        was_alive = self.view is not None and self.view.row.alive
        if row.alive:
            view = self._living(view, parts, now, changed)
        elif row.dead:
            view = self._dead(view, container, was_alive or changed)
        if changed or not view.happenings:
            view = replace(view, happenings=self._happenings(row))
        if changed or ("effects" in parts and not view.effects):
            view = replace(view, effects=tuple(map(effect_of, self.engine.operations(row.id))))
        self.view = view
        return view

    def _begin_again(self) -> None:
        """It was started once more: what the last life had is not this one's."""
        self.view = self._lived = self._at_kill = self._layers = None
        self._points.clear()
        self._due.clear()

    def removed(self, view: View) -> View:
        """The container's files are gone: how it ended is in the engine's events alone."""
        if not view.row.alive:
            return view
        ends = [event for event in self.engine.events()
                if event["Actor"]["ID"] == view.row.id and event["Action"] in ("die", "oom")]
        codes = [event["Actor"]["Attributes"].get("exitCode") for event in ends
                 if event["Action"] == "die"]
        row = replace(view.row, status="exited", exit_code=int(codes[-1] or 0) if codes else 0,
                      oom_killed=any(event["Action"] == "oom" for event in ends))
        return replace(view, row=row, remembered=True, throttled_now=False)

    # The living

    def _living(self, view: View, parts: frozenset[str], now: float, changed: bool) -> View:
        pid = view.row.pid
        due = {part for part in parts if part in PERIODS and
               (changed or now >= self._due.get(part, 0.0))}
        for part in due:
            self._due[part] = now + PERIODS[part] * 0.95
        view = self._measured(replace(view, remembered=False), "usage" in parts)
        if "processes" in due:
            view = replace(view, processes=self._processes(view.row))
        if "namespaces" in due and pid:
            view = self._namespaced(view, now)
        if "mounts" in due and pid:
            view = replace(view, mounts=tuple(mounts.mounts(self.source, pid)) or view.mounts)
        if "changes" in due:
            view = replace(view, changes=self._changes(view))
        return view

    def _measured(self, view: View, whole: bool) -> View:
        """The group's numbers, and one more point of the plots."""
        before = view.usage
        found = usage(self.source, view.row.cgroup, None, PANE_FILES if whole else VERDICT_FILES)
        if not found.exists:
            return view
        if before is not None and found.pids_current == 0:
            # The last process is gone, the group not yet: what it held is what it held before.
            found = replace(found, memory_current=before.memory_current,
                            texts={**found.texts, "memory.current": before.texts.get(
                                "memory.current", "")})
        if before is not None and before.exists:
            one = point(before, found)
            if one.killed:
                # The dying gives its pages back while we look: what counts is what it had.
                self._at_kill = before.memory_current
                one = replace(one, memory=max(one.memory, before.memory_current or 0))
            self._points.append(one)
        self._lived = found
        recent = list(self._points)[-5:]
        return replace(view, usage=found, points=tuple(self._points),
                       throttled_now=any(one.throttled for one in recent))

    def _processes(self, row: Row) -> tuple[Leaf, ...]:
        top = processes.tree(self.source, row.shim_pid or row.pid)
        found = []
        for node in processes.flatten(top):
            part = "init" if node.process.pid == row.pid else "shim" if node.depth == 0 else ""
            found.append(Leaf(node.process, node.depth, part))
        return tuple(found)

    def _namespaced(self, view: View, now: float) -> View:
        if now >= self._members_due:
            # One pass over every process of the host: the dearest thing here, so the rarest.
            self._members = namespaces.members(self.source)
            self._members_due = now + MEMBERS_S
        pid = view.row.pid
        table = tuple(namespaces.table(self.source, pid, self._members))
        if not table:
            return view
        first = () if view.processes else self._processes(view.row)
        return replace(view, namespaces=table, uid_map=namespaces.uid_map(self.source, pid),
                       hostname=namespaces.hostname(self.source, pid) or view.hostname,
                       processes=view.processes or first)

    def _changes(self, view: View) -> tuple[layers.PathState, ...]:
        if self._layers is None:
            root = mounts.mount_at(list(view.mounts), "/")
            self._layers = layers.layers_of(root) if root else None
        if self._layers is None or not self._layers.upper:
            return view.changes
        return tuple(layers.changes(self.source, self._layers, MOST_CHANGES))

    # The dead

    def _dead(self, view: View, container: Any, news: bool) -> View:
        if not news and view.remembered:
            return view
        kept = last_words(self.engine, view.row.id)
        found = self._last_usage(view, self._lived, kept)
        if view.row.oom_killed and not any(one.killed for one in self._points):
            if self._points:
                self._points.append(replace(self._points[-1], killed=True))
        while view.row.oom_killed and self._points and not self._points[-1].killed:
            self._points.pop()
        try:
            why = tuple((who, says, proof) for who, says, proof in self.engine.why(view.row.id))
        except (LabError, OSError):
            why = ()
        return replace(view, usage=found or view.usage, points=tuple(self._points), why=why,
                       remembered=True, throttled_now=False)

    def _last_usage(self, view: View, lived: Usage | None,
                    kept: Mapping[str, Any]) -> Usage | None:
        """The last living numbers, with the counters that the shim read after the death."""
        found: dict[str, tuple[str, str]] = {}
        if lived is not None:
            found = {name: (lived.texts[name], lived.paths.get(name, "")) for name in lived.texts}
        for name, words in kept.items():
            # After the death nothing is left in the group: what it held alive says more.
            if name not in ("memory.current", "pids.current") or name not in found:
                found[name] = (words["text"], words["path"])
        if view.row.oom_killed and self._at_kill is not None and "memory.current" in found:
            found["memory.current"] = (str(self._at_kill), found["memory.current"][1])
        return from_texts(view.row.cgroup, False, found, self.source.now()) if found else None

    # What happened

    def _happenings(self, row: Row) -> tuple[Happening, ...]:
        events = [from_event(event) for event in self.engine.events()
                  if event["Actor"]["ID"] == row.id]
        return told_once(events, [from_evidence(line) for line in self.engine.evidence(row.id)])


def last_words(engine: Any, ref: str) -> Mapping[str, Any]:
    """The counters kept when the group went; {} when nobody could keep them."""
    try:
        return dict(engine.last_cgroup(ref) or {})
    except (LabError, OSError, ValueError):
        return {}


def point(before: Usage, after: Usage) -> Point:
    """One more column of the plots, from two readings."""
    return Point(
        time_s=after.taken_s, memory=after.memory_current or 0,
        cpus=max(0.0, cpu_share(before, after) or 0.0),
        throttled=(after.nr_throttled or 0) > (before.nr_throttled or 0),
        killed=after.oom_kills > before.oom_kills,
    )


def row_of(container: Any) -> Row:
    """The list's row of an engine's Container."""
    asked, state = container.config, container.state
    config = asked.get("Config") or {}
    words = [asked.get("Path") or "", *(asked.get("Args") or [])]
    if not words[0]:
        words = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    return Row(
        id=container.id, name=container.name, image=str(config.get("Image", "")),
        command=" ".join(words), status=state.get("Status", "created"),
        pid=state.get("Pid", 0) or 0, shim_pid=state.get("ShimPid", 0) or 0,
        exit_code=state.get("ExitCode", 0) or 0, oom_killed=bool(state.get("OOMKilled")),
        error=state.get("Error", "") or "", created_s=seconds(asked.get("Created")),
        started_s=seconds(state.get("StartedAt")), finished_s=seconds(state.get("FinishedAt")),
        cgroup=container.cgroup, docker=docker_line(asked),
    )


def seconds(stamp: Any) -> float:
    """Seconds since the epoch of Docker's "2026-11-24T12:03:07.114000000Z"; 0.0 for never."""
    if isinstance(stamp, (int, float)):
        return float(stamp)
    text = str(stamp or "")
    if not text or text.startswith("0001-"):
        return 0.0
    whole, _, rest = text.rstrip("Z").partition(".")
    fraction = float(f"0.{rest[:9]}") if rest[:9].isdecimal() else 0.0
    try:
        return datetime.fromisoformat(f"{whole}+00:00").timestamp() + fraction
    except ValueError:
        return 0.0


def effect_of(data: Mapping[str, Any]) -> Effect:
    """An operation of the birth certificate."""
    return Effect(
        n=data.get("n", 0), phase=data.get("phase", ""), name=data.get("name", ""),
        call=data.get("call", ""), arguments=data.get("arguments") or {}, ns=data.get("ns", 0),
        errno=data.get("errno", 0), result=data.get("result"), symbol=data.get("symbol", ""),
        by=data.get("by", ""), pid=data.get("pid", 0),
    )


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
