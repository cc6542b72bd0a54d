"""What the screen knows at one moment: frozen values, made by the sampler, shown by the panes.

No Textual, no reading of files: a test builds a Snapshot by hand and asks a pane for its lines.
What `runtime/inspect` returns is kept as it is (Namespace, Process, Usage, Mount); what is here is
what those do not have: the container's row, its history, its film.
  Snapshot(taken_s=1790000000.1, host=Host(…), containers=(Row("ink", …),), shown=View(row=…))
After a death the view keeps what was last seen of the living (`remembered`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from runtime.inspect.cgroups import Usage
from runtime.inspect.layers import PathState
from runtime.inspect.mounts import Mount
from runtime.inspect.namespaces import IdRange, Namespace
from runtime.inspect.processes import Process
from runtime.inspect.security import Security


@dataclass(frozen=True, slots=True)
class Host:
    """The machine, as the title line says it: "root · Linux 6.18 · cgroup v1"."""

    release: str = ""
    cgroup: str = ""
    root: bool = True
    namespaces: Mapping[str, int] = field(default_factory=dict)
    mounts: int = 0
    security: Security | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One container in the list. Times are seconds since the epoch, 0.0 for not yet."""

    id: str
    name: str
    image: str = ""
    command: str = ""
    status: str = "created"
    pid: int = 0
    shim_pid: int = 0
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""
    created_s: float = 0.0
    started_s: float = 0.0
    finished_s: float = 0.0
    cgroup: str = ""
    docker: str = ""

    @property
    def alive(self) -> bool:
        return self.status in ("running", "paused")

    @property
    def by_hand(self) -> bool:
        """Whether it is no container, but a process that somebody made without Docker."""
        return self.id.startswith("process ")

    @property
    def dead(self) -> bool:
        return self.status in ("exited", "dead")


@dataclass(frozen=True, slots=True)
class Point:
    """One sample of the plots: bytes, CPUs used since the last sample, throttled or not, killed."""

    time_s: float
    memory: int = 0
    cpus: float = 0.0
    throttled: bool = False
    killed: bool = False


@dataclass(frozen=True, slots=True)
class Leaf:
    """A process in the tree, with its depth and its part: shim, init, or none."""

    process: Process
    depth: int = 0
    part: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """One operation of the birth certificate."""

    n: int
    phase: str
    name: str
    call: str
    arguments: Mapping[str, Any]
    ns: int = 0
    errno: int = 0
    result: Any = None
    symbol: str = ""
    by: str = ""
    pid: int = 0


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that was seen: an event of the engine, or a line of the evidence."""

    time_s: float
    who: str
    what: str
    before: str = ""
    after: str = ""
    detail: str = ""
    source: str = ""
    pid: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """One container seen from every side; sides nobody looks at stay empty."""

    row: Row
    remembered: bool = False
    namespaces: tuple[Namespace, ...] = ()
    uid_map: tuple[IdRange, ...] = ()
    gid_map: tuple[IdRange, ...] = ()
    hostname: str = ""
    # Seconds added to the host's clocks, where it has a time namespace: {"boottime": 864000.0}.
    clocks: Mapping[str, float] = field(default_factory=dict)
    # Every container that runs, by name, with its namespaces: {"mnt": 4026532214, …}.
    neighbours: tuple[tuple[str, Mapping[str, int]], ...] = ()
    security: Security | None = None
    # linux.seccomp of the config.json in its bundle: {} for none, None before it was looked at.
    filter: Mapping[str, Any] | None = None
    bundle: str = ""
    processes: tuple[Leaf, ...] = ()
    usage: Usage | None = None
    points: tuple[Point, ...] = ()
    throttled_now: bool = False
    mounts: tuple[Mount, ...] = ()
    changes: tuple[PathState, ...] = ()
    effects: tuple[Effect, ...] = ()
    happenings: tuple[Happening, ...] = ()
    why: tuple[tuple[str, str, str], ...] = ()

    @property
    def verdict(self) -> tuple[str, str]:
        """(role, word) for the title: ("dead", "OOM"), ("pressure", "THROTTLED"), ("calm", "RUN").

        The word is for what is true now. A container that died of its memory says OOM for good.
        """
        row = self.row
        if row.oom_killed:
            return "dead", "OOM"
        if row.dead and row.exit_code:
            return "dead", f"EXIT {row.exit_code}"
        if row.dead:
            return "dim", "EXIT 0"
        if row.status == "paused":
            return "pressure", "PAUSED"
        if row.status == "running":
            return ("pressure", "THROTTLED") if self.throttled_now else ("calm", "RUN")
        return "dim", row.status.upper()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one moment. `trouble` is one line when the sampler could not read."""

    taken_s: float = 0.0
    host: Host = Host()
    containers: tuple[Row, ...] = ()
    shown: View | None = None
    trouble: str = ""

    def row(self, name: str) -> Row | None:
        """The newest container of that name."""
        return next((row for row in self.containers if row.name == name), None)

    def without_view(self) -> Snapshot:
        return replace(self, shown=None)
