"""Rounds of a race: A B C A B C, each start timed, its CPU counted, and how busy the host was.

Run by bench_start. Wall time is from asking to knowing the exit code. CPU is user + system of the
whole tree: of waited-for descendants (getrusage(2); the benchmark is a subreaper, so a shim that
outlives its command line is waited for too), or, for shims forked by a zygote, who waits for none,
of a control group. A Row holds milliseconds: Row("crun", "D", times=[33.7, 30.0], cpu=[20.4, 21]).

Between two starts the host rests. A pid written to cgroup.procs waits for an RCU grace period
(some 12 ms) unless another was written just before: with no rest, whoever comes after crun or runc
would be spared that, and its place in the round would decide. With it each start is one after idle.
"""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

REST_S = 0.05
REAP_PATIENCE_S = 5.0
QUIET_LOAD = 1.0


@dataclass
class Row:
    """One contestant on one bundle. `run` starts number n and returns when its exit is known."""

    name: str
    bundle: str
    run: Callable[[int], None]
    prepare: Callable[[int], None] = lambda n: None
    group_cpu: Callable[[], float] | None = None
    times: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.times)

    @property
    def quartiles(self) -> tuple[float, float]:
        first, _, third = statistics.quantiles(self.times, n=4, method="inclusive")
        return first, third

    @property
    def spread(self) -> float:
        """Interquartile range over the median."""
        first, third = self.quartiles
        return (third - first) / self.median


@dataclass(frozen=True, slots=True)
class Host:
    """How busy the host was: load before, and the CPUs that others used meanwhile (0.4 of 2)."""

    load: float
    others: float

    @property
    def quiet(self) -> bool:
        return max(self.load, self.others) <= QUIET_LOAD


def race(rows: list[Row], rounds: int, keep: frozenset[int], rest_s: float = REST_S) -> Host:
    """Run every row once a round, filling their times and cpu. `keep`: children never reaped."""
    load = os.getloadavg()[0]
    begun, busy, own = time.monotonic(), host_cpu_s(), tree_cpu_s(rows)
    for number in range(rounds):
        for row in rows:
            row.prepare(number)
            cpu = row_cpu_s(row)
            start = time.perf_counter()
            row.run(number)
            row.times.append((time.perf_counter() - start) * 1000)
            reap(keep)
            time.sleep(rest_s)
            row.cpu.append((row_cpu_s(row) - cpu) * 1000)
    others = (host_cpu_s() - busy) - (tree_cpu_s(rows) - own)
    return Host(load, max(0.0, others / (time.monotonic() - begun)))


def row_cpu_s(row: Row) -> float:
    """The counter that this row's CPU is read from."""
    return row.group_cpu() if row.group_cpu else children_cpu_s()


def children_cpu_s() -> float:
    """CPU of every descendant that was waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tree_cpu_s(rows: list[Row]) -> float:
    """CPU of this benchmark and of everything it started."""
    groups = {row.group_cpu for row in rows if row.group_cpu}
    return time.process_time() + children_cpu_s() + sum(group() for group in groups)


def host_cpu_s() -> float:
    """CPU that anything on this host has used: /proc/stat without idle and iowait."""
    with open("/proc/stat") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def reap(keep: frozenset[int]) -> None:
    """Wait for every child but those to keep; orphans of a command line come to us."""
    deadline = time.monotonic() + REAP_PATIENCE_S
    while set(children()) - keep:
        if os.waitpid(-1, os.WNOHANG)[0] == 0:
            time.sleep(0.0005)
        if time.monotonic() > deadline:
            raise TimeoutError(f"children stay: {sorted(set(children()) - keep)}")


def children() -> list[int]:
    """The pids of this process's children."""
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return [int(word) for word in file.read().split()]
