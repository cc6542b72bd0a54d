"""What the sampler has seen of a process that a student made by hand, without Docker.

It has namespaces, mounts, capabilities and a filter as a container's first process has, and the
same panes show them. There is nothing of Docker's about it: no group of its own, no record of a
start, no exit code that anybody kept. Lives in the sampler's thread; reads only.

    HandMade(engine, source).look("sleep 6865", parts, now)  ->  View(Row(name="sleep 6865", …), …)
"""

from __future__ import annotations

from dataclasses import replace

from lab.course import by_hand
from lab.course.by_hand import Made
from lab.observation import PERIODS, Observation
from lab.snapshot import Row, View
from runtime.inspect import mounts, processes, security

# One pass over every process of the host; what was found is looked at again without one.
SEARCH_S = 0.5


class HandMade(Observation):
    """The eyes on one process, found by its command line."""

    _made: Made | None = None
    _search_due = 0.0

    def look(self, command: str, parts: frozenset[str], now: float) -> View | None:
        """The process now; after its end as it was; None when there has been none."""
        made = self._find(command, now)
        if made is None:
            if self.view is not None:
                gone = replace(self.view.row, status="gone")
                self.view = replace(self.view, row=gone, remembered=True)
            return self.view
        before = self.view
        if before is None or before.row.pid != made.pid:
            self._due.clear()
            before = View(row=self._row(made))
        self.view = self._read(replace(before, row=replace(before.row, status="running"),
                                       remembered=False), parts, now)
        return self.view

    def _find(self, command: str, now: float) -> Made | None:
        made = self._made
        if made and processes.start_ticks(self.source, made.pid) == made.start_ticks:
            return made
        if now >= self._search_due:
            self._search_due = now + SEARCH_S
            self._made = next(iter(by_hand.find(self.source, command, 0)), None)
            return self._made
        return None

    def _row(self, made: Made) -> Row:
        one = processes.process(self.source, made.pid)
        age_s = processes.age_s(self.source, one) if one else 0.0
        return Row(id=f"process {made.pid}", name=made.command, command=made.command,
                   status="running", pid=made.pid, started_s=self.source.now() - age_s)

    def _read(self, view: View, parts: frozenset[str], now: float) -> View:
        pid = view.row.pid
        due = {part for part in parts if part in PERIODS and now >= self._due.get(part, 0.0)}
        for part in due:
            self._due[part] = now + PERIODS[part] * 0.95
        if "processes" in due:
            view = replace(view, processes=self._processes(view.row))
        if "namespaces" in due:
            view = self._namespaced(view, now)
        if "mounts" in due:
            view = replace(view, mounts=tuple(mounts.mounts(self.source, pid)) or view.mounts)
        if "security" in due:
            found = security.security(self.source, pid) or view.security
            # Without a profile that anybody kept, only "no filter" can be said of one.
            none = found is not None and not found.seccomp
            view = replace(view, security=found, filter={} if none else None)
        return view
