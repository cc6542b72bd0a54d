"""events: what a container uses, and when the kernel killed for memory, as JSON lines.

    {"type":"stats","id":"tea","data":{"cpu":{"usage":{"total":49342012,…},…},"memory":{…},…}}
    {"type":"oom","id":"tea"}

The keys are runc's, which kept v1's words on both generations. Read from the group's own files; a
number that this generation does not count is left out, or 0 where runc's readers expect the key.
Sources: runc-events(8), runc's types/events.go; cgroup-v1/memory.rst, cgroup-v2.rst.
"""

from __future__ import annotations

import os
import select
import sys
import time

from runtime import documents
from runtime.cgroup import stats
from runtime.errors import Conflict, Invalid
from runtime.kernel import files, processes
from runtime.oci import state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cgroup.cgroup import Cgroup
    from runtime.oci.cli import Settings
    from runtime.oci.options import Options
    from runtime.oci.state import Container

NO_LIMIT = (1 << 64) - 1
TICK_NS = 10_000_000  # USER_HZ is 100 on every machine we run on
UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}


def events_(settings: Settings, options: Options, arguments: list[str]) -> int:
    """Print statistics once (--stats), or every interval with what happens between."""
    container = state.load(settings.root, arguments[0])
    interval_s = duration(options.get("interval", "5s"))
    if interval_s <= 0:
        raise Invalid("duration interval must be greater than 0")
    if container.status() == "stopped":
        raise Conflict(f"container with id {container.id} is not running")
    if options.get("stats"):
        tell(container.id, "stats", statistics(container))
        return 0
    watch(container, interval_s)
    return 0


def duration(text: str) -> float:
    """Seconds: "5s", "100ms", "1m30s". Raises Invalid as Go's flag package."""
    total, number, unit = 0.0, "", ""
    for character in f"{text} ":
        if unit and (character.isdigit() or character in ". "):
            if unit not in UNITS_S:
                break
            try:
                total, number, unit = total + float(number) * UNITS_S[unit], "", ""
            except ValueError:
                break
        if character.isdigit() or character in ".-":
            number += character
        elif character != " ":
            unit += character
    if number not in ("", "0") or unit:
        raise Invalid(f'invalid value "{text}" for flag -interval: parse error')
    return total


def tell(ident: str, kind: str, data: Any = None) -> None:
    """One line, at once: whoever reads it may wait for it."""
    line = {"type": kind, "id": ident}
    if data is not None:
        line["data"] = data
    sys.stdout.write(documents.encode(line) + "\n")
    sys.stdout.flush()


def watch(container: Container, interval_s: float) -> None:
    """Until the first process has ended."""
    group = container.group()
    pidfd = processes.pidfd_open(container.pid)
    oom = group.watch_oom()
    killed = kills(group)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    if oom is not None:
        poll.register(oom, select.POLLIN)
    due = time.monotonic() + interval_s
    while True:
        ready = dict(poll.poll(max(0, int((due - time.monotonic()) * 1000))))
        if oom in ready and oom is not None:
            os.read(oom, 4096)
        # v1 tells before it kills: so looked at with every turn, and not with that one alone.
        if (now := kills(group)) > killed:
            killed = now
            tell(container.id, "oom")
        if pidfd in ready:
            return
        if time.monotonic() >= due:
            tell(container.id, "stats", statistics(container))
            due += interval_s


def kills(group: Cgroup) -> int:
    """How many processes of the group the kernel has killed for memory."""
    found = stats.read_file(group.path, "memory.events")
    return stats.pairs(found[0]).get("oom_kill", 0) if found else 0


def statistics(container: Container) -> dict[str, Any]:
    """Everything that is counted, by runc's keys."""
    group = container.group()
    read = Reader(group)
    cpu, memory = (v1_cpu, v1_memory) if group.version == 1 else (v2_cpu, v2_memory)
    return {"cpu": cpu(read), "cpuset": cpuset(read), "memory": memory(read), "pids": pids(read),
            "blkio": {}, "hugetlb": {}, "intel_rdt": {}, "network_interfaces": None}


class Reader:
    """The files of one group, by controller and name."""

    def __init__(self, group: Cgroup) -> None:
        self.group = group

    def text(self, controller: str, name: str) -> str:
        """A file's text; "" where there is none."""
        folder = self.group.paths.get(controller)
        return (files.read(f"{folder}/{name}") or "").strip() if folder else ""

    def number(self, controller: str, name: str) -> int:
        """A file of one number; 0 where there is none, the largest for "max"."""
        text = self.text(controller, name)
        return NO_LIMIT if text == "max" else int(text) if text.lstrip("-").isdigit() else 0

    def numbers(self, controller: str, name: str) -> list[int]:
        """A file of several numbers."""
        return [int(word) for word in self.text(controller, name).split()]

    def pairs(self, controller: str, name: str) -> dict[str, int]:
        """A flat keyed file."""
        return stats.pairs(self.text(controller, name))


def counted(**numbers: int) -> dict[str, int]:
    """Without those that are 0, as Go's omitempty leaves them out."""
    return {key: value for key, value in numbers.items() if value}


def v1_cpu(read: Reader) -> dict[str, Any]:
    """cpuacct's and cpu's numbers, in nanoseconds."""
    ticks, throttled = read.pairs("cpuacct", "cpuacct.stat"), read.pairs("cpu", "cpu.stat")
    return {
        "usage": {"total": read.number("cpuacct", "cpuacct.usage"),
                  "percpu": read.numbers("cpuacct", "cpuacct.usage_percpu"),
                  "percpu_kernel": read.numbers("cpuacct", "cpuacct.usage_percpu_sys"),
                  "percpu_user": read.numbers("cpuacct", "cpuacct.usage_percpu_user"),
                  "kernel": ticks.get("system", 0) * TICK_NS,
                  "user": ticks.get("user", 0) * TICK_NS},
        "throttling": counted(periods=throttled.get("nr_periods", 0),
                              throttledPeriods=throttled.get("nr_throttled", 0),
                              throttledTime=throttled.get("throttled_time", 0))}


def v2_cpu(read: Reader) -> dict[str, Any]:
    """cpu.stat, whose microseconds are nanoseconds here."""
    found = read.pairs("cpu", "cpu.stat")
    return {
        "usage": {"total": found.get("usage_usec", 0) * 1000,
                  "kernel": found.get("system_usec", 0) * 1000,
                  "user": found.get("user_usec", 0) * 1000},
        "throttling": counted(periods=found.get("nr_periods", 0),
                              throttledPeriods=found.get("nr_throttled", 0),
                              throttledTime=found.get("throttled_usec", 0) * 1000)}


def cpuset(read: Reader) -> dict[str, Any]:
    """Which CPUs and memory nodes, and v1's switches of the set."""
    suffix = "" if read.group.version == 1 else ".effective"
    switches = {name: read.number("cpuset", f"cpuset.{name}") for name in (
        "cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page",
        "memory_spread_slab", "memory_pressure", "sched_load_balance", "sched_relax_domain_level")}
    return {"cpus": members(read.text("cpuset", f"cpuset.cpus{suffix}")),
            "mems": members(read.text("cpuset", f"cpuset.mems{suffix}")), **switches}


def members(text: str) -> list[int]:
    """ "0-2,5" as [0, 1, 2, 5]. """
    found: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def v1_memory(read: Reader) -> dict[str, Any]:
    """memory's four counters, and all of memory.stat."""
    def entry(kind: str) -> dict[str, int]:
        names = {"usage": "usage_in_bytes", "max": "max_usage_in_bytes", "failcnt": "failcnt"}
        used = {key: read.number("memory", f"memory.{kind}{name}") for key, name in names.items()}
        limit = read.number("memory", f"memory.{kind}limit_in_bytes")
        return {**counted(limit=limit, usage=used["usage"], max=used["max"]),
                "failcnt": used["failcnt"]}

    raw = read.pairs("memory", "memory.stat")
    return {**counted(cache=raw.get("cache", 0)), "usage": entry(""), "swap": entry("memsw."),
            "kernel": entry("kmem."), "kernelTCP": entry("kmem.tcp."), "raw": raw}


def v2_memory(read: Reader) -> dict[str, Any]:
    """Memory, and memory with swap, as v1 would count them."""
    raw, happened = read.pairs("memory", "memory.stat"), read.pairs("memory", "memory.events")
    usage, limit = (read.number("memory", f"memory.{name}") for name in ("current", "max"))
    swap, most = (read.number("memory", f"memory.swap.{name}") for name in ("current", "max"))
    return {**counted(cache=raw.get("file", 0)),
            "usage": {**counted(limit=limit, usage=usage, max=read.number("memory", "memory.peak")),
                      "failcnt": happened.get("max", 0)},
            "swap": {**counted(limit=min(NO_LIMIT, limit + most), usage=usage + swap),
                     "failcnt": 0},
            "kernel": {"failcnt": 0}, "kernelTCP": {"failcnt": 0}, "raw": raw}


def pids(read: Reader) -> dict[str, int]:
    """How many, and how many there may be."""
    limit = read.number("pids", "pids.max")
    return counted(current=read.number("pids", "pids.current"),
                   limit=0 if limit == NO_LIMIT else limit)



