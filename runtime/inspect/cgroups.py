"""What a cgroup uses, may use, and was refused: one frozen Usage, each value with its real file.

The twin of systemd-cgtop, in the caller's process; reads only. Names are cgroup v2's also on a v1
or hybrid host: there `runtime/cgroup/stats.py` reads the v1 file and translates; `paths` has both:
  usage.memory_current == 50331648
  usage.paths["memory.current"] == "/sys/fs/cgroup/memory/container-lab/tea/memory.usage_in_bytes"
None means that the host has no such file; a limit of None with its path present means `max`.
A group that is gone is read from `kept`, the container's last-cgroup.json.
Sources: Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/*.rst, accounting/psi.rst.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from runtime.cgroup.hierarchies import Hierarchies, parse
from runtime.cgroup.stats import read_file
from runtime.errors import Unsupported
from runtime.inspect.source import Source, text

# Every v2 file that `usage` asks for, in the order of the pane.
FILES = (
    "memory.current", "memory.max", "memory.high", "memory.low", "memory.peak",
    "memory.swap.current", "memory.swap.max", "memory.events", "memory.stat", "memory.pressure",
    "cpu.stat", "cpu.max", "cpu.weight", "cpu.pressure", "cpuset.cpus",
    "pids.current", "pids.max", "pids.peak", "pids.events",
    "io.stat", "io.max", "io.pressure", "cgroup.freeze", "cgroup.procs",
)


@dataclass(frozen=True, slots=True)
class Pressure:
    """One PSI line pair: per cent of the last ten seconds that some, or all, tasks waited."""

    some_avg10: float
    full_avg10: float


@dataclass(frozen=True, slots=True)
class Usage:
    """A cgroup at one moment. Bytes, microseconds and counts as ints."""

    group: str
    exists: bool
    memory_current: int | None = None
    memory_max: int | None = None
    memory_high: int | None = None
    memory_low: int | None = None
    memory_peak: int | None = None
    swap_current: int | None = None
    swap_max: int | None = None
    events: Mapping[str, int] = field(default_factory=dict)
    memory_stat: Mapping[str, int] = field(default_factory=dict)
    usage_usec: int | None = None
    nr_periods: int | None = None
    nr_throttled: int | None = None
    throttled_usec: int | None = None
    quota_usec: int | None = None
    period_usec: int | None = None
    weight: int | None = None
    cpus: str = ""
    pids_current: int | None = None
    pids_max: int | None = None
    pids_peak: int | None = None
    pids_events: Mapping[str, int] = field(default_factory=dict)
    io: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    io_max: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    memory_pressure: Pressure | None = None
    cpu_pressure: Pressure | None = None
    io_pressure: Pressure | None = None
    frozen: bool = False
    processes: tuple[int, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    taken_s: float = 0.0

    @property
    def oom_kills(self) -> int:
        """How often the kernel killed a process here for want of memory."""
        return self.events.get("oom_kill", 0)

    @property
    def cpu_limit(self) -> float | None:
        """The quota in CPUs: 0.5 of `50000 100000`; None without one."""
        if self.quota_usec is None or not self.period_usec:
            return None
        return self.quota_usec / self.period_usec

    @property
    def memory_share(self) -> float | None:
        """current / max, 0.0 to 1.0; None without a limit."""
        if self.memory_current is None or not self.memory_max:
            return None
        return min(1.0, self.memory_current / self.memory_max)


def usage(source: Source, group_path: str, kept: Mapping[str, Any] | None = None,
          files: Iterable[str] = FILES) -> Usage:
    """What the group `/container-lab/tea` uses now; else what was kept of it when it went.

    `files` are the v2 names to read, for a pane that shows only some of them.
    """
    found: dict[str, tuple[str, str]] = {}
    hierarchies = hierarchies_of(source)
    group_path = group_path.rstrip("/")
    for name in files if hierarchies else ():
        answer = read_file(group_path, name, lambda path: text(source, path), hierarchies)
        if answer is not None:
            found[name] = answer
    exists = bool(found)
    if not exists and kept:
        found = {name: (entry["text"], entry["path"]) for name, entry in kept.items()}
    return from_texts(group_path, exists, found, source.now())


def hierarchies_of(source: Source) -> Hierarchies | None:
    """Where the controllers of the source's host are mounted; None when it has no cgroups."""
    table = text(source, "/proc/self/mountinfo") or ""
    try:
        found = _parse(table, None)
    except Unsupported:
        return None
    if found.version == 2:
        return _parse(table, text(source, f"{found.unified}/cgroup.controllers") or "")
    return found


@lru_cache(maxsize=8)
def _parse(mountinfo: str, controllers: str | None) -> Hierarchies:
    return parse(mountinfo, "" if controllers is None else controllers)


def from_texts(group: str, exists: bool, found: Mapping[str, tuple[str, str]],
               taken_s: float = 0.0) -> Usage:
    """The Usage that the texts of its files say. `found` is {v2 name: (text, real path)}."""
    texts = {name: content for name, (content, _) in found.items()}
    cpu, quota = flat_keyed(texts.get("cpu.stat")), quota_of(texts.get("cpu.max"))
    return Usage(
        group=group, exists=exists, texts=texts, taken_s=taken_s,
        paths={name: path for name, (_, path) in found.items()},
        memory_current=number(texts.get("memory.current")),
        memory_max=number(texts.get("memory.max")), memory_high=number(texts.get("memory.high")),
        memory_low=number(texts.get("memory.low")), memory_peak=number(texts.get("memory.peak")),
        swap_current=number(texts.get("memory.swap.current")),
        swap_max=number(texts.get("memory.swap.max")),
        events=flat_keyed(texts.get("memory.events")),
        memory_stat=flat_keyed(texts.get("memory.stat")),
        usage_usec=cpu.get("usage_usec"), nr_periods=cpu.get("nr_periods"),
        nr_throttled=cpu.get("nr_throttled"), throttled_usec=cpu.get("throttled_usec"),
        quota_usec=quota[0], period_usec=quota[1], weight=number(texts.get("cpu.weight")),
        cpus=texts.get("cpuset.cpus", "").strip(),
        pids_current=number(texts.get("pids.current")), pids_max=number(texts.get("pids.max")),
        pids_peak=number(texts.get("pids.peak")), pids_events=flat_keyed(texts.get("pids.events")),
        io=nested_keyed(texts.get("io.stat")), io_max=nested_keyed(texts.get("io.max")),
        memory_pressure=pressure(texts.get("memory.pressure")),
        cpu_pressure=pressure(texts.get("cpu.pressure")),
        io_pressure=pressure(texts.get("io.pressure")),
        frozen=number(texts.get("cgroup.freeze")) == 1,
        processes=tuple(int(w) for w in texts.get("cgroup.procs", "").split() if w.isdecimal()),
    )


def number(content: str | None) -> int | None:
    """The number of a one-number file; None for `max` or no file."""
    word = (content or "").strip()
    return int(word) if word.lstrip("-").isdecimal() else None


def flat_keyed(content: str | None) -> dict[str, int]:
    r"""{"max": 231, "oom_kill": 1} of "max 231\noom_kill 1\n"."""
    rows = (line.split() for line in (content or "").splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdecimal()}


def nested_keyed(content: str | None) -> dict[str, dict[str, int]]:
    """{"254:0": {"rbytes": 1024}} of "254:0 rbytes=1024"; a limit of `max` is left out."""
    found = {}
    for line in (content or "").splitlines():
        device, *pairs = line.split() or [""]
        values = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        if values:
            found[device] = {k: int(v) for k, v in values.items() if v.isdecimal()}
    return found


def quota_of(content: str | None) -> tuple[int | None, int | None]:
    """(50000, 100000) of "50000 100000"; the first is None for `max`."""
    words = (content or "").split()
    return (number(words[0]), number(words[1])) if len(words) == 2 else (None, None)


def pressure(content: str | None) -> Pressure | None:
    """The avg10 of both lines of a PSI file; cpu at the root has no `full` line: 0."""
    averages = {}
    for line in (content or "").splitlines():
        kind, *pairs = line.split()
        values = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        averages[kind] = float(values.get("avg10", "0"))
    return Pressure(averages["some"], averages.get("full", 0.0)) if "some" in averages else None


def cpu_share(before: Usage, after: Usage) -> float | None:
    """CPUs used between two moments: 0.5 is half of one."""
    passed = after.taken_s - before.taken_s
    if before.usage_usec is None or after.usage_usec is None or passed <= 0:
        return None
    return (after.usage_usec - before.usage_usec) / 1e6 / passed
