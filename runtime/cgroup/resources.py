"""The one table of limits: what config.json calls them, which file and unit each generation has.

Runs where a group's limits are set (the shim; the engine for a live change). Input is an OCI
`linux.resources`: {"memory": {"limit": 33554432}, "cpu": {"quota": 50000, "period": 100000}}.

    config.json          v2                       v1
    memory.limit         memory.max               memory.limit_in_bytes
    memory.reservation   memory.low               memory.soft_limit_in_bytes
    memory.swap          memory.swap.max          memory.memsw.limit_in_bytes   v1 counts both,
                         (swap alone)             (memory and swap)             as config.json does
    memory.swappiness    –                        memory.swappiness
    memory.kernelTCP     –                        memory.kmem.tcp.limit_in_bytes
    memory.kernel        –                        –                             gone with Linux 5.16
    cpu.quota, period    cpu.max "QUOTA PERIOD"   cpu.cfs_quota_us, cpu.cfs_period_us
    cpu.burst            cpu.max.burst            cpu.cfs_burst_us
    cpu.shares           cpu.weight 1..10000      cpu.shares 2..262144
    cpu.idle             cpu.idle                 cpu.idle
    cpu.realtime*        –                        cpu.rt_period_us, cpu.rt_runtime_us
    cpu.cpus, mems       cpuset.cpus, .mems       cpuset.cpus, .mems
    pids.limit           pids.max                 pids.max
    blockIO              io.*                     blkio.*                       block.py
    hugepageLimits       hugetlb.2MB.max          hugetlb.2MB.limit_in_bytes
    network              –                        net_cls.classid, net_prio.ifpriomap
    rdma                 rdma.max                 rdma.max
    devices              a BPF program            devices.deny, devices.allow
    unified {file: text} that file, as it is      refused by name

A limit of 0 is no limit at all, as with runc; −1 takes an old one away.

Sources: OCI runtime-spec config-linux.md "Control groups"; cgroup-v2.rst; cgroup-v1/*.rst.
"""

from __future__ import annotations

from runtime.errors import Invalid, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from runtime.cgroup.block import Has
    from runtime.cgroup.hierarchies import Hierarchies

DEFAULT_PERIOD_USEC = 100000
MOST_SHARES, LEAST_SHARES = 262144, 2
# What the table has. Anything else that is asked for is refused by its name, never left out.
KNOWN = {
    "memory": ("limit", "reservation", "swap", "kernelTCP", "swappiness", "disableOOMKiller",
               "useHierarchy", "checkBeforeUpdate"),
    "cpu": ("shares", "quota", "burst", "period", "realtimeRuntime", "realtimePeriod", "cpus",
            "mems", "idle"),
    "pids": ("limit",), "network": ("classID", "priorities"),
    "blockIO": ("weight", "leafWeight", "weightDevice", "throttleReadBpsDevice",
                "throttleWriteBpsDevice", "throttleReadIOPSDevice", "throttleWriteIOPSDevice"),
    "devices": None, "unified": None, "hugepageLimits": None, "rdma": None,
}
REASONS = {"memory.kernel": "no kernel since 5.16 keeps a limit of its own memory"}


def judge(resources: dict[str, Any]) -> None:
    """Raise Unsupported by name for what the table does not have."""
    for section, values in resources.items():
        known = KNOWN.get(section, ())
        if known is None or not values:
            continue
        for key, value in values.items() if isinstance(values, dict) else ((None, values),):
            if key not in known and value:
                name = f"{section}.{key}" if key else section
                raise Unsupported(f"set {name}: {REASONS.get(name, 'there is no such limit')}")


def nothing(name: str) -> bool:
    """`has` of a group without what only some kernels have."""
    return False


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


def v2_writes(resources: dict[str, Any], has: Has = nothing) -> Iterator[tuple[str, str]]:
    """(file, text) in the order to write them. Raises Unsupported for what v2 does not have.

    `has` says whether the group has a file, where kernels differ.
    """
    judge(resources)
    for section, keys in V1_ALONE.items():
        for key in keys:
            value = (resources.get(section) or {}).get(key)
            if value or (key == "swappiness" and value is not None):
                raise Unsupported(f"set {section}.{key}: cgroup v2 has no such file",
                                  "it is a setting of v1 only")
    yield from _v2_memory(resources.get("memory") or {})
    yield from _v2_cpu(resources.get("cpu") or {})
    if (resources.get("pids") or {}).get("limit"):
        yield "pids.max", limit_text(resources["pids"]["limit"])
    if resources.get("blockIO"):
        from runtime.cgroup import block

        yield from block.v2_writes(resources["blockIO"], has)
    for page in resources.get("hugepageLimits") or ():
        for name in ("max", "rsvd.max"):
            if name == "max" or has(f"hugetlb.{page['pageSize']}.{name}"):
                yield f"hugetlb.{page['pageSize']}.{name}", str(page["limit"])
    for text in _rdma(resources):
        yield "rdma.max", text
    for name, text in (resources.get("unified") or {}).items():
        if "/" in name or "." not in name:
            raise Invalid(f"set unified {name!r}: it is not the name of a control file")
        yield name, text


V1_ALONE = {"memory": ("swappiness", "disableOOMKiller", "kernelTCP"),
            "cpu": ("realtimeRuntime", "realtimePeriod"), "network": ("classID", "priorities")}


def _v2_memory(memory: dict[str, Any]) -> Iterator[tuple[str, str]]:
    limit, swap = memory.get("limit") or None, memory.get("swap") or None
    if swap is not None and swap >= 0 and (limit is None or not 0 <= limit <= swap):
        # config.json counts memory and swap together, v2's file swap alone.
        raise Invalid(f"set memory.swap: {swap} is no sum of a memory limit ({limit}) and swap")
    if swap is None and limit == -1:
        swap = -1  # all of the memory, and swap less than before, would be no sense
    if swap is not None and limit is not None:
        yield "memory.swap.max", limit_text(swap if swap < 0 else swap - limit)
    elif swap is not None:
        yield "memory.swap.max", limit_text(swap)
    if limit is not None:
        yield "memory.max", limit_text(limit)
    if memory.get("reservation"):
        yield "memory.low", str(max(0, memory["reservation"]))


def _v2_cpu(cpu: dict[str, Any]) -> Iterator[tuple[str, str]]:
    # Before the weight, which an idle group cannot have.
    if cpu.get("idle") is not None:
        yield "cpu.idle", str(cpu["idle"])
    if cpu.get("shares"):
        yield "cpu.weight", str(shares_to_weight(cpu["shares"]))
    if cpu.get("quota") or cpu.get("period"):
        quota = cpu.get("quota") or -1
        yield "cpu.max", f"{limit_text(quota)} {cpu.get('period') or DEFAULT_PERIOD_USEC}"
    if cpu.get("burst") is not None:
        yield "cpu.max.burst", str(cpu["burst"])
    for key in ("cpus", "mems"):
        if cpu.get(key):
            yield f"cpuset.{key}", cpu[key]


def _rdma(resources: dict[str, Any]) -> Iterator[str]:
    for device, limits in (resources.get("rdma") or {}).items():
        words = [f"{name}={limits[key]}" for key, name in (
            ("hcaHandles", "hca_handle"), ("hcaObjects", "hca_object"))
            if limits.get(key) is not None]
        if words:
            yield f"{device} {' '.join(words)}"


def v1_writes(resources: dict[str, Any], found: Hierarchies, has: Has = nothing
              ) -> Iterator[tuple[str, str, str]]:
    """(controller, file, text) in the order to write them. Raises Unsupported by name.

    `has` says whether the group has a file, where kernels differ.
    """
    judge(resources)
    for controller, name, text in _v1_all(resources, has):
        if controller not in found.controllers:
            raise Unsupported(f"set {name}: this host has no {controller} controller",
                              "container-lab doctor lists what it has")
        yield controller, name, text


def _v1_all(resources: dict[str, Any], has: Has) -> Iterator[tuple[str, str, str]]:
    for name in resources.get("unified") or {}:
        raise Unsupported(f"set {name}: it is a file of cgroup v2, this host's controllers are v1",
                          "container-lab vm boots a pure v2 machine")
    yield from _v1_memory(resources.get("memory") or {}, has)
    yield from _v1_cpu(resources.get("cpu") or {})
    if (resources.get("pids") or {}).get("limit"):
        yield "pids", "pids.max", limit_text(resources["pids"]["limit"])
    if resources.get("blockIO"):
        from runtime.cgroup import block

        yield from block.v1_writes(resources["blockIO"], has)
    for page in resources.get("hugepageLimits") or ():
        for name in ("limit_in_bytes", "rsvd.limit_in_bytes"):
            if name == "limit_in_bytes" or has(f"hugetlb.{page['pageSize']}.{name}"):
                yield "hugetlb", f"hugetlb.{page['pageSize']}.{name}", str(page["limit"])
    network = resources.get("network") or {}
    if network.get("classID"):
        yield "net_cls", "net_cls.classid", str(network["classID"])
    for each in network.get("priorities") or ():
        yield "net_prio", "net_prio.ifpriomap", f"{each['name']} {each['priority']}"
    for text in _rdma(resources):
        yield "rdma", "rdma.max", text
    yield from _v1_devices(resources.get("devices") or [])


def _v1_memory(memory: dict[str, Any], has: Has) -> Iterator[tuple[str, str, str]]:
    swappiness, swap = memory.get("swappiness"), memory.get("swap")
    if swappiness is not None and not 0 <= swappiness <= 100:
        raise Invalid(f"set memory.swappiness: {swappiness} is not from 0 to 100")
    both = "memory.memsw.limit_in_bytes"
    if memory.get("limit") == -1 and not swap and has(both):
        swap = -1
    for value, name in ((memory.get("limit"), "memory.limit_in_bytes"), (swap, both),
                        (memory.get("reservation"), "memory.soft_limit_in_bytes"),
                        (memory.get("kernelTCP"), "memory.kmem.tcp.limit_in_bytes")):
        if value:
            yield "memory", name, str(value)
    if swappiness is not None:
        yield "memory", "memory.swappiness", str(swappiness)
    if memory.get("disableOOMKiller"):
        yield "memory", "memory.oom_control", "1"


def _v1_cpu(cpu: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    shares = cpu.get("shares")
    if shares and not LEAST_SHARES <= shares <= MOST_SHARES:
        # The kernel would take the nearest, and not say so.
        raise Invalid(f"set cpu.shares: {shares} is not from {LEAST_SHARES} to {MOST_SHARES}")
    # The periods first: a quota and a runtime are judged against the period that is there.
    for key, name in (("shares", "cpu.shares"), ("realtimePeriod", "cpu.rt_period_us"),
                      ("realtimeRuntime", "cpu.rt_runtime_us"), ("period", "cpu.cfs_period_us"),
                      ("quota", "cpu.cfs_quota_us")):
        if cpu.get(key):
            yield "cpu", name, str(cpu[key])
    for key, name in (("burst", "cpu.cfs_burst_us"), ("idle", "cpu.idle")):
        if cpu.get(key) is not None:
            yield "cpu", name, str(cpu[key])
    for key in ("cpus", "mems"):
        if cpu.get(key):
            yield "cpuset", f"cpuset.{key}", cpu[key]


def _v1_devices(data: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    if not data:
        return
    from runtime.cgroup.devices import rules

    for rule in rules(data):
        yield "devices", "devices.allow" if rule.allow else "devices.deny", rule.text()
