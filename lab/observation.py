"""What the sampler has seen of one container: the history that no file keeps, and what is due.

Lives in the sampler's thread, one per container that was shown. After a death it keeps what the
living had (namespaces, processes, mounts, the last numbers), completed by what the shim wrote down:
`evidence.jsonl`, and `last-cgroup.json`, read just before the group was removed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lab.happenings import from_event, from_evidence, told_once
from lab.rows import effect_of, point, row_of
from lab.snapshot import Happening, Leaf, Point, Row, View
from runtime import documents
from runtime.errors import LabError
from runtime.inspect import layers, mounts, namespaces, processes, security
from runtime.inspect.cgroups import FILES, Usage, from_texts, usage
from runtime.inspect.source import Source

# How often a part is read while its pane is seen, in seconds; the others on change only.
PERIODS = {"usage": 0.1, "processes": 0.5, "namespaces": 0.5, "mounts": 0.5, "changes": 0.5,
           "security": 0.5}
# One pass over every process of the host, and one over every descriptor of each.
MEMBERS_S, HOLDERS_S = 3.0, 9.0
HISTORY = 600
# Enough to say RUN, THROTTLED or OOM when the pane of the numbers is not seen.
VERDICT_FILES = ("cpu.stat", "cpu.max", "memory.events", "memory.current", "memory.max")
# What no pane shows is not read.
PANE_FILES = tuple(name for name in FILES if name not in (
    "memory.stat", "cgroup.procs", "io.max", "cpu.pressure", "io.pressure", "memory.swap.current"))
MOST_CHANGES = 200


class Observation:
    """The eyes on one container."""

    def __init__(self, engine: Any, source: Source) -> None:
        self.engine, self.source = engine, source
        self.view: View | None = None
        self._due: dict[str, float] = {}
        self._points: deque[Point] = deque(maxlen=HISTORY)
        self._members: Mapping[tuple[str, int], tuple[int, ...]] = {}
        self._held: Mapping[int, tuple[int, ...]] = {}
        self._neighbours: tuple[tuple[str, Mapping[str, int]], ...] = ()
        self._members_due = self._held_due = 0.0
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
        if "security" in parts and (changed or view.filter is None):
            view = replace(view, filter=filter_of(container), bundle=container.directory)
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
        if "security" in due and pid:
            found = security.security(self.source, pid)
            view = replace(view, security=found or view.security)
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
            # The dearest things here, so the rarest.
            self._members = namespaces.members(self.source)
            self._neighbours = self._everyone()
            self._members_due = now + MEMBERS_S
        if now >= self._held_due:
            self._held = namespaces.holders(self.source)
            self._held_due = now + HOLDERS_S
        pid = view.row.pid
        table = tuple(namespaces.table(self.source, pid, self._members, None, self._held))
        if not table:
            return view
        own_clocks = any(row.kind == "time" and row.private for row in table)
        first = () if view.processes else self._processes(view.row)
        return replace(view, namespaces=table, uid_map=namespaces.uid_map(self.source, pid),
                       gid_map=namespaces.gid_map(self.source, pid), neighbours=self._neighbours,
                       hostname=namespaces.hostname(self.source, pid) or view.hostname,
                       clocks=namespaces.time_offsets(self.source, pid) if own_clocks else {},
                       processes=view.processes or first)

    def _everyone(self) -> tuple[tuple[str, Mapping[str, int]], ...]:
        """Every container that runs, with its namespaces."""
        return tuple((row.name, namespaces.namespaces(self.source, row.pid))
                     for row in map(row_of, self.engine.containers()) if row.alive and row.pid)

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


def filter_of(container: Any) -> Mapping[str, Any]:
    """The seccomp profile in the container's config.json; {} for none."""
    try:
        spec = documents.read(f"{container.directory}/config.json")
        return dict((spec.get("linux") or {}).get("seccomp") or {})
    except (LabError, OSError, ValueError, AttributeError):
        return {}


def last_words(engine: Any, ref: str) -> Mapping[str, Any]:
    """The counters kept when the group went; {} when nobody could keep them."""
    try:
        return dict(engine.last_cgroup(ref) or {})
    except (LabError, OSError, ValueError):
        return {}
