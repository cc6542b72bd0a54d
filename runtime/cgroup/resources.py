"""The one table of limits: what config.json calls them, which file and unit each generation has.

Runs where a group's limits are set (the shim; the engine for a live change). Input is an OCI
`linux.resources`: {"memory": {"limit": 33554432}, "cpu": {"quota": 50000, "period": 100000}}.

    config.json          v2                       v1
    memory.limit         memory.max               memory.limit_in_bytes
    memory.reservation   memory.low               memory.soft_limit_in_bytes
    memory.swap          memory.swap.max          memory.memsw.limit_in_bytes   v1 counts both,
                         (swap alone)             (memory and swap)             as config.json does
    memory.swappiness    –                        memory.swappiness
    cpu.quota, period    cpu.max "QUOTA PERIOD"   cpu.cfs_quota_us, cpu.cfs_period_us
    cpu.shares           cpu.weight 1..10000      cpu.shares 2..262144
    cpu.cpus, mems       cpuset.cpus, .mems       cpuset.cpus, .mems
    pids.limit           pids.max                 pids.max
    blockIO.weight       io.weight                blkio.bfq.weight, blkio.weight
    blockIO.throttle*    io.max "8:0 rbps=N"      blkio.throttle.read_bps_device "8:0 N"
    devices              a BPF program            devices.deny, devices.allow
    unified {file: text} that file, as it is      refused by name

Sources: OCI runtime-spec config-linux.md "Control groups"; cgroup-v2.rst; cgroup-v1/*.rst.
"""

from __future__ import annotations

from runtime.errors import Invalid, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from runtime.cgroup.hierarchies import Hierarchies

THROTTLES = {  # config.json → (v1 file, key in io.max)
    "throttleReadBpsDevice": ("blkio.throttle.read_bps_device", "rbps"),
    "throttleWriteBpsDevice": ("blkio.throttle.write_bps_device", "wbps"),
    "throttleReadIOPSDevice": ("blkio.throttle.read_iops_device", "riops"),
    "throttleWriteIOPSDevice": ("blkio.throttle.write_iops_device", "wiops"),
}
DEFAULT_PERIOD_USEC = 100000
# What the table has. Anything else that is asked for is refused by its name, never left out.
KNOWN = {
    "memory": ("limit", "reservation", "swap", "swappiness", "disableOOMKiller", "useHierarchy"),
    "cpu": ("shares", "quota", "period", "cpus", "mems"), "pids": ("limit",),
    "blockIO": ("weight", *THROTTLES), "devices": None, "unified": None,
}


def judge(resources: dict[str, Any]) -> None:
    """Raise Unsupported by name for what the table does not have."""
    for section, values in resources.items():
        known = KNOWN.get(section, ())
        if known is None or not values:
            continue
        for key, value in values.items() if isinstance(values, dict) else ((None, values),):
            if key not in known and value:
                name = f"{section}.{key}" if key else section
                raise Unsupported(f"set {name}: it is not built")


def shares_to_weight(shares: int) -> int:
    """cpu.shares 2..262144 as cpu.weight 1..10000, so that each side's default meets: 1024 → 100.

    The formula of runc 1.3.2 and crun 1.23. The older one, 1 + (shares − 2) · 9999 / 262142, made
    39 of 1024, less than half of what a group without any setting gets.
    """
    from math import ceil, log2

    if shares <= 2:
        return 1
    if shares >= 262144:
        return 10000
    power = log2(shares)
    return ceil(10 ** ((power * power + 125 * power) / 612 - 7 / 34))


def limit_text(value: int) -> str:
    """A number for a v2 file, where "no limit" (−1) is the word max."""
    return "max" if value < 0 else str(value)


def v2_writes(resources: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(file, text) in the order to write them. Raises Unsupported for what v2 does not have."""
    judge(resources)
    memory, cpu = resources.get("memory") or {}, resources.get("cpu") or {}
    limit, swap = memory.get("limit"), memory.get("swap")
    if memory.get("disableOOMKiller"):
        raise Unsupported("set memory.disableOOMKiller: cgroup v2 has no such file",
                          "it is a setting of v1 only")
    if swap is not None and swap >= 0 and (limit is None or not 0 <= limit <= swap):
        # config.json counts memory and swap together, v2's file swap alone.
        raise Invalid(f"set memory.swap: {swap} is no sum of a memory limit ({limit}) and swap")
    if memory.get("swappiness") is not None:
        raise Unsupported("set memory.swappiness: cgroup v2 has no such file",
                          "it is a setting of v1 only")
    if swap is not None:
        yield "memory.swap.max", limit_text(swap if swap < 0 else swap - limit)
    if limit is not None:
        yield "memory.max", limit_text(limit)
    if memory.get("reservation") is not None:
        yield "memory.low", str(max(0, memory["reservation"]))
    if cpu.get("shares"):
        yield "cpu.weight", str(shares_to_weight(cpu["shares"]))
    if cpu.get("quota") is not None or cpu.get("period"):
        quota = cpu.get("quota") or -1
        yield "cpu.max", f"{limit_text(quota)} {cpu.get('period') or DEFAULT_PERIOD_USEC}"
    for key in ("cpus", "mems"):
        if cpu.get(key):
            yield f"cpuset.{key}", cpu[key]
    if (resources.get("pids") or {}).get("limit"):
        yield "pids.max", limit_text(resources["pids"]["limit"])
    yield from _v2_io(resources.get("blockIO") or {})
    yield from (resources.get("unified") or {}).items()


def _v2_io(block: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if block.get("weight"):
        # Docker's 10..1000 as io.weight's 1..10000, the linear map of runc.
        yield "io.weight", f"default {1 + (block['weight'] - 10) * 9999 // 990}"
    for key, (_, name) in THROTTLES.items():
        for device in block.get(key) or ():
            yield "io.max", f"{device['major']}:{device['minor']} {name}={device['rate']}"


def v1_writes(resources: dict[str, Any], found: Hierarchies) -> Iterator[tuple[str, str, str]]:
    """(controller, file, text) in the order to write them. Raises Unsupported by name."""
    judge(resources)
    for controller, name, text in _v1_all(resources):
        if controller not in found.controllers:
            raise Unsupported(f"set {name}: this host has no {controller} controller",
                              "container-lab doctor lists what it has")
        yield controller, name, text


def _v1_all(resources: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    memory, cpu = resources.get("memory") or {}, resources.get("cpu") or {}
    for name in resources.get("unified") or {}:
        raise Unsupported(f"set {name}: it is a file of cgroup v2, this host's controllers are v1",
                          "container-lab vm boots a pure v2 machine")
    for key, name in (("limit", "memory.limit_in_bytes"), ("swap", "memory.memsw.limit_in_bytes"),
                      ("reservation", "memory.soft_limit_in_bytes"),
                      ("swappiness", "memory.swappiness")):
        if memory.get(key) is not None:
            yield "memory", name, str(memory[key])
    if memory.get("disableOOMKiller"):
        yield "memory", "memory.oom_control", "1"
    if cpu.get("shares"):
        yield "cpu", "cpu.shares", str(cpu["shares"])
    # The period first: a quota is judged against the period that is there.
    if cpu.get("period"):
        yield "cpu", "cpu.cfs_period_us", str(cpu["period"])
    if cpu.get("quota"):
        yield "cpu", "cpu.cfs_quota_us", str(cpu["quota"])
    for key in ("cpus", "mems"):
        if cpu.get(key):
            yield "cpuset", f"cpuset.{key}", cpu[key]
    if (resources.get("pids") or {}).get("limit"):
        yield "pids", "pids.max", limit_text(resources["pids"]["limit"])
    yield from _v1_io(resources.get("blockIO") or {})
    yield from _v1_devices(resources.get("devices") or [])


def _v1_io(block: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    if block.get("weight"):
        yield "blkio", "blkio.bfq.weight", str(block["weight"])
    for key, (name, _) in THROTTLES.items():
        for device in block.get(key) or ():
            yield "blkio", name, f"{device['major']}:{device['minor']} {device['rate']}"


def _v1_devices(data: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    if not data:
        return
    from runtime.cgroup.devices import rules

    for rule in rules(data):
        yield "devices", "devices.allow" if rule.allow else "devices.deny", rule.text()
