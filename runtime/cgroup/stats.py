"""Reading a group in the words of v2, on either generation: file name → text and real path.

Runs in the shim (last words of a group), the engine (stats) and the panes, which read through a
recording as well: `read` is any function from a path to a text or None. Example, on a v1 host:

    read_file("/container-lab/tea", "memory.events")
    → ("max 231\\noom_kill 1\\n", "/sys/fs/cgroup/memory/container-lab/tea/memory.oom_control")

What v1 does not count is not made up: its memory.events has no low, high or oom.
Sources: cgroup-v2.rst "Interface Files"; cgroup-v1/memory.rst, cpuacct.rst; sched-bwc.rst.
"""

from __future__ import annotations

from runtime.cgroup import hierarchies
from runtime.kernel import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.cgroup.hierarchies import Hierarchies

    Read = Callable[[str], str | None]

# v2 file → (v1 controller, v1 file that mainly stands for it)
V1 = {
    "memory.current": ("memory", "memory.usage_in_bytes"),
    "memory.max": ("memory", "memory.limit_in_bytes"),
    "memory.low": ("memory", "memory.soft_limit_in_bytes"),
    "memory.peak": ("memory", "memory.max_usage_in_bytes"),
    "memory.swap.current": ("memory", "memory.memsw.usage_in_bytes"),
    "memory.swap.max": ("memory", "memory.memsw.limit_in_bytes"),
    "memory.events": ("memory", "memory.oom_control"),
    "memory.stat": ("memory", "memory.stat"),
    "cpu.stat": ("cpu", "cpu.stat"),
    "cpu.max": ("cpu", "cpu.cfs_quota_us"),
    "cpu.weight": ("cpu", "cpu.shares"),
    "cpuset.cpus": ("cpuset", "cpuset.cpus"),
    "cpuset.mems": ("cpuset", "cpuset.mems"),
    "pids.current": ("pids", "pids.current"),
    "pids.max": ("pids", "pids.max"),
    "pids.peak": ("pids", "pids.peak"),
    "pids.events": ("pids", "pids.events"),
    "io.stat": ("blkio", "blkio.throttle.io_service_bytes"),
    "io.max": ("blkio", "blkio.throttle.write_bps_device"),
    "cgroup.freeze": ("freezer", "freezer.state"),
    "cgroup.procs": ("memory", "cgroup.procs"),
}
# On a hybrid host these are real v2 files, in the tree without controllers.
UNIFIED = ("memory.pressure", "cpu.pressure", "io.pressure", "cgroup.events")
FILES = (*V1, *UNIFIED, "memory.high")
# What is kept of a group that goes: enough to explain every death.
LAST_WORDS = ("memory.events", "memory.current", "memory.max", "memory.peak", "cpu.stat", "cpu.max",
              "pids.events", "pids.max", "pids.peak")
# v1 writes "no limit" as the largest multiple of the page size that fits.
V1_NO_LIMIT = 1 << 62


def v1_name(name: str) -> str | None:
    """The v1 file behind a v2 name: "memory.current" → "memory.usage_in_bytes"."""
    return V1[name][1] if name in V1 else None


def read_file(path: str, name: str, read: Read | None = None,
              found: Hierarchies | None = None) -> tuple[str, str] | None:
    """(text in v2's wording, the path it was read from), or None where there is no such thing."""
    read, found = read or files.read, found or hierarchies.find()
    if found.version == 2 or (name in UNIFIED and found.unified):
        real = f"{found.unified}{path}/{name}"
        text = read(real)
        return None if text is None else (text, real)
    if name not in V1 or V1[name][0] not in found.controllers:
        return None
    controller, v1_file = V1[name]
    real = f"{found.controllers[controller]}{path}/{v1_file}"
    text = read(real)
    if text is None:
        return None
    translate = TRANSLATE.get(name)
    if translate is not None:
        folder, controllers = real.rpartition("/")[0], found.controllers
        text = translate(text, lambda sibling: read(f"{folder}/{sibling}") or "",
                         lambda other, file: read(f"{controllers.get(other)}{path}/{file}") or "")
    return text, real


def last_words(path: str, read: Read | None = None) -> dict[str, dict[str, str]]:
    """What to keep of a group before it is removed: {"memory.events": {"text", "path"}, …}."""
    kept = {}
    for name in LAST_WORDS:
        found = read_file(path, name, read)
        if found is not None:
            kept[name] = {"text": found[0], "path": found[1]}
    return kept


def pairs(text: str) -> dict[str, int]:
    """A flat keyed file as numbers: "max 231\\noom_kill 1" → {"max": 231, "oom_kill": 1}."""
    words = (line.split() for line in text.splitlines())
    return {line[0]: int(line[1]) for line in words if len(line) == 2 and line[1].isdigit()}


# ------------------------------------------------------------------ v1's text in v2's words
# Each: (text of the main file, read a sibling, read a file of another controller) → text.

if TYPE_CHECKING:
    Sibling = Callable[[str], str]
    Other = Callable[[str, str], str]


def _limit(text: str, sibling: Sibling, other: Other) -> str:
    return "max\n" if int(text) >= V1_NO_LIMIT else text


def _memory_low(text: str, sibling: Sibling, other: Other) -> str:
    return "0\n" if int(text) >= V1_NO_LIMIT else text


def _swap_current(text: str, sibling: Sibling, other: Other) -> str:
    return f"{max(0, int(text) - int(sibling('memory.usage_in_bytes') or 0))}\n"


def _swap_max(text: str, sibling: Sibling, other: Other) -> str:
    limit = int(sibling("memory.limit_in_bytes") or 0)
    return "max\n" if int(text) >= V1_NO_LIMIT else f"{max(0, int(text) - limit)}\n"


def _memory_events(text: str, sibling: Sibling, other: Other) -> str:
    failcnt = (sibling("memory.failcnt") or "0").strip()
    return f"max {failcnt}\noom_kill {pairs(text).get('oom_kill', 0)}\n"


def _cpu_stat(text: str, sibling: Sibling, other: Other) -> str:
    counts = pairs(text)
    usage = int(other("cpuacct", "cpuacct.usage") or 0) // 1000
    user = int(other("cpuacct", "cpuacct.usage_user") or 0) // 1000
    return (f"usage_usec {usage}\nuser_usec {user}\nsystem_usec {usage - user}\n"
            f"nr_periods {counts.get('nr_periods', 0)}\n"
            f"nr_throttled {counts.get('nr_throttled', 0)}\n"
            f"throttled_usec {counts.get('throttled_time', 0) // 1000}\n")


def _cpu_max(text: str, sibling: Sibling, other: Other) -> str:
    quota = "max" if int(text) < 0 else text.strip()
    return f"{quota} {sibling('cpu.cfs_period_us').strip()}\n"


def _cpu_weight(text: str, sibling: Sibling, other: Other) -> str:
    from runtime.cgroup.resources import shares_to_weight

    return f"{shares_to_weight(int(text))}\n"


def _frozen(text: str, sibling: Sibling, other: Other) -> str:
    return "1\n" if text.strip() == "FROZEN" else "0\n"


def _io_stat(text: str, sibling: Sibling, other: Other) -> str:
    """"254:0 Read 4096" lines, one a device and direction, as "254:0 rbytes=4096 wbytes=0"."""
    devices: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3:
            devices.setdefault(words[0], {})[words[1]] = words[2]
    return "".join(f"{device} rbytes={each.get('Read', 0)} wbytes={each.get('Write', 0)}\n"
                   for device, each in devices.items())


def _io_max(text: str, sibling: Sibling, other: Other) -> str:
    devices: dict[str, list[str]] = {}
    for key, name in (("rbps", "read_bps"), ("wbps", "write_bps"),
                      ("riops", "read_iops"), ("wiops", "write_iops")):
        for line in sibling(f"blkio.throttle.{name}_device").splitlines():
            device, _, rate = line.partition(" ")
            devices.setdefault(device, []).append(f"{key}={rate}")
    return "".join(f"{device} {' '.join(limits)}\n" for device, limits in devices.items())


TRANSLATE = {
    "memory.max": _limit, "memory.low": _memory_low, "memory.swap.current": _swap_current,
    "memory.swap.max": _swap_max, "memory.events": _memory_events, "cpu.stat": _cpu_stat,
    "cpu.max": _cpu_max, "cpu.weight": _cpu_weight, "cgroup.freeze": _frozen,
    "io.stat": _io_stat, "io.max": _io_max,
}
