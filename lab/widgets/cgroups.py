"""The cgroups pane: what the group holds, may hold, and was refused.

The twin of systemd-cgtop and docker stats, with the limits beside the usage and the file of each
number. Rows stand in the same order in every lesson; with room there is a plot above them. Names
are v2's; on a v1 host the real file stands dim at the end of the row (`← memory.usage_in_bytes`).
Sources: Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/memory.rst, scheduler/sched-bwc.rst.
"""

from __future__ import annotations

import os

from lab.glyphs import G
from lab.snapshot import Host, View
from lab.widgets.gauge import gauge
from lab.widgets.line import BLANK, Line, Span, line
from lab.widgets.pane import Pane
from lab.widgets.plot import Column, plot, spark
from lab.widgets.quantities import duration, short_size, size
from runtime.inspect.cgroups import Usage

NAME_WIDTH = 17
# Above this many rows there is room for a plot as well as for every number.
PLOT_FROM = 16


def lines(view: View, host: Host, width: int, height: int) -> list[Line]:
    """The rows of the pane."""
    usage = view.usage
    if view.row.by_hand:
        return [BLANK, line(Span(" made by hand: it is in the group of whoever made it", "dim"),
                            source=f"/proc/{view.row.pid}/cgroup",
                            proof=f"cat /proc/{view.row.pid}/cgroup")]
    if usage is None or not usage.paths:
        return [BLANK, line(Span(" no group yet: the engine makes it when the container starts",
                                 "dim"))]
    plots = height >= PLOT_FROM and bool(view.points)
    rows = [
        memory_row(view, usage, width, plots), events_row(usage),
        cpu_row(view, usage, width, plots), throttle_row(usage, width),
        quota_row(usage), *pids_row(usage), *pressure_row(usage), *more_memory(usage),
        *io_rows(usage),
    ]
    if view.row.dead:
        rows.append(line(Span(" the group is gone; these are its last values", "dim")))
    return with_plots(view, usage, rows, width, height) if plots else rows


def entry(usage: Usage, file: str, *parts: Span | str, name: str = "") -> Line:
    """A row: the v2 name, the values, and at the end the v1 file when that is where they are."""
    path = usage.paths.get(file, "")
    real = os.path.basename(path)
    right = [Span(f"← {real} ", "dim")] if real and real != file else []
    proof = f"cat {path}" if path else ""
    return line(Span(f" {name or file:<{NAME_WIDTH}}", "name"), *parts, right=right, proof=proof,
                source=path)


def memory_row(view: View, usage: Usage, width: int, plots: bool) -> Line:
    """memory.current 47.9M ▕▁▂▃▄▅▆▇██▏ of 48M  peak 48.0M."""
    role, room = memory_role(usage), bar_room(width)
    columns, _ = memory_columns(view, usage)
    return entry(
        usage, "memory.current",
        Span(f"{size(usage.memory_current or 0):>7} ", "strong", "memory.current"),
        *(gauge(usage.memory_share, room, role) if plots or usage.memory_max is None
          else framed(columns, room)),
        Span(f" of {short_size(usage.memory_max)}" if usage.memory_max is not None
             else "no limit: max", "text", "memory.max"),
        Span(f"  peak {size(usage.memory_peak)}" if usage.memory_peak is not None else "", "dim"),
    )


def bar_room(width: int) -> int:
    """The cells between the ends of a bar: what the numbers beside it leave."""
    return max(8, min(40, width - NAME_WIDTH - 40))


def framed(columns: list[Column], room: int) -> list[Span]:
    """The last samples between two ends, in a single row."""
    return [Span(G.left, "rule"), *spark(columns, room), Span(G.right, "rule")]


def memory_role(usage: Usage) -> str:
    if usage.oom_kills:
        return "dead"
    share = usage.memory_share
    return "pressure" if share is not None and share > 0.9 else "calm"


def memory_columns(view: View, usage: Usage) -> tuple[list[Column], int]:
    """The samples against max, or against the most that was seen where there is no max."""
    top = usage.memory_max or max([point.memory for point in view.points] or [0]) or 1
    return [Column(point.memory / top, False, point.killed) for point in view.points], top


def events_row(usage: Usage) -> Line:
    """memory.events low 0 · max 231 · oom_kill 1, each counter the kernel has."""
    spans: list[Span] = []
    for name in ("low", "high", "max", "oom", "oom_kill"):
        count = usage.events.get(name)
        if count is None:
            continue
        role = "dim" if not count else "dead" if name.startswith("oom") else "pressure"
        sign = f"{G.bad} " if count and name == "oom_kill" else ""
        spans.append(Span("  " if spans else "", "dim"))
        spans.append(Span(f"{sign}{name} {count}", role, f"memory.events:{name}"))
    return entry(usage, "memory.events", *(spans or [Span("not counted here", "dim")]))


def cpu_row(view: View, usage: Usage, width: int, plots: bool) -> Line:
    """cpu.stat 0.50 ▕█████▏ of 0.50 CPU, over the last second."""
    recent = [point.cpus for point in view.points[-10:]]
    used = sum(recent) / len(recent) if recent and view.row.alive else 0.0
    limit, room = usage.cpu_limit, bar_room(width)
    role = "pressure" if view.throttled_now else "calm"
    columns, _ = cpu_columns(view, usage)
    return entry(usage, "cpu.stat", Span(f"{used:>7.2f} ", "strong", "cpu.used"),
                 *(gauge(used / limit if limit else None, room, role) if plots or not limit
                   else framed(columns, room)),
                 Span(f" of {limit:.2f} CPU" if limit else "CPU, no quota", "text"),
                 Span(f"  sum {duration(usage.usage_usec or 0)}" if width >= 70 else "", "dim"))


def cpu_columns(view: View, usage: Usage) -> tuple[list[Column], float]:
    top = usage.cpu_limit or max(1.0, *[point.cpus for point in view.points] or [1.0])
    # A bar that ends exactly at the quota would hide the shading: leave it a little head room.
    ceiling = top * 1.2
    return [Column(point.cpus / ceiling, point.throttled) for point in view.points], ceiling


def throttle_row(usage: Usage, width: int) -> Line:
    """cpu.stat nr_throttled 12 of 24 periods  waited 612.0 ms; narrow, without the one word."""
    count, periods = usage.nr_throttled or 0, usage.nr_periods or 0
    role = "pressure" if count else "dim"
    sign = f"{G.pressure} " if count else ""
    return entry(
        usage, "cpu.stat", Span(f"{sign}nr_throttled {count}", role, "cpu.stat:nr_throttled"),
        Span(f" of {periods}{' periods' if width >= 72 else ''}", "text" if count else "dim"),
        Span(f"  waited {duration(usage.throttled_usec or 0)}",
             "text" if count else "dim", "cpu.stat:throttled_usec"),
        name="  throttled",
    )


def quota_row(usage: Usage) -> Line:
    """cpu.max 50000 100000, and what that means in words."""
    if usage.quota_usec is None or not usage.period_usec:
        return entry(usage, "cpu.max", Span("max", "text", "cpu.max"),
                     Span("  no quota", "dim"))
    return entry(
        usage, "cpu.max", Span(f"{usage.quota_usec} {usage.period_usec}", "text", "cpu.max"),
        Span(f"  {usage.quota_usec / 1000:.0f} ms of CPU in every "
             f"{usage.period_usec / 1000:.0f} ms", "dim"),
    )


def pids_row(usage: Usage) -> list[Line]:
    if usage.pids_current is None and usage.pids_max is None:
        return []
    refused = usage.pids_events.get("max", 0)
    limit = "max" if usage.pids_max is None else str(usage.pids_max)
    return [entry(
        usage, "pids.current" if "pids.current" in usage.paths else "pids.max",
        Span(f"{usage.pids_current or 0}", "strong", "pids.current"), Span(f" of {limit}", "text"),
        Span(f"  {G.pressure} fork refused {refused} times" if refused else "", "pressure",
             "pids.events:max"), name="pids.current",
    )]


def pressure_row(usage: Usage) -> list[Line]:
    if usage.memory_pressure is None:
        return []
    some, full = usage.memory_pressure.some_avg10, usage.memory_pressure.full_avg10
    role = "pressure" if some >= 10 else "text"
    return [entry(usage, "memory.pressure", Span(f"some {some:.1f} %", role, "psi:some"),
                  Span(f"  full {full:.1f} %", role, "psi:full"))]


def more_memory(usage: Usage) -> list[Line]:
    """The other limits, where the host has their files: low, high, swap, weight, the freezer."""
    rows = []
    for file, value in (("memory.low", usage.memory_low), ("memory.high", usage.memory_high),
                        ("memory.swap.max", usage.swap_max)):
        if file in usage.paths:
            rows.append(entry(usage, file, Span(short_size(value), "text", file)))
    if usage.weight is not None:
        rows.append(entry(usage, "cpu.weight", Span(str(usage.weight), "text", "cpu.weight")))
    if "cgroup.freeze" in usage.paths:
        word = f"{G.pause} 1, frozen" if usage.frozen else "0"
        rows.append(entry(usage, "cgroup.freeze",
                          Span(word, "pressure" if usage.frozen else "dim", "cgroup.freeze")))
    return rows


def io_rows(usage: Usage) -> list[Line]:
    return [
        entry(usage, "io.stat", Span(f"{device}  ", "dim"),
              Span(f"read {size(values.get('rbytes', 0))}  "
                   f"written {size(values.get('wbytes', 0))}", "text", f"io.stat:{device}"))
        for device, values in usage.io.items()
    ]


def with_plots(view: View, usage: Usage, rows: list[Line], width: int,
               height: int) -> list[Line]:
    """The numbers, with a plot under those of memory and under those of the CPU."""
    # The rows that matter least are last; they scroll rather than press the plots flat.
    each = max(4, min(12, (height - min(len(rows), 8)) // 2))
    memory, top = memory_columns(view, usage)
    cpu, ceiling = cpu_columns(view, usage)
    limit = usage.memory_max is not None
    above = plot(memory, width, each, short_size(top), limit=limit)
    below = plot(cpu, width, each, f"{ceiling:.1f}", limit=False)
    return [*rows[:2], *above, *rows[2:4], *below, *rows[4:]]


class CgroupsPane(Pane):
    """What the group holds, may hold, and was refused."""

    KIND = "cgroups"
    TITLE = "Limits"
    PARTS = frozenset({"usage"})
    PROMISE = "the group will be /sys/fs/cgroup/…/NAME, made at the start"

    def lines(self, view: View, host: Host, width: int, height: int) -> list[Line]:
        return lines(view, host, width, height)
