"""Docker's limits as config.json's: HostConfig → linux.resources.

Runs in the engine at create. {"Memory": 33554432, "NanoCpus": 500000000} →
{"memory": {"limit": 33554432, "swap": 67108864}, "cpu": {"quota": 50000, "period": 100000}}.
Sources: moby daemon/daemon_unix.go getMemoryResources, getCPUResources, verifyPlatform….
"""

from __future__ import annotations

import os

from runtime.engine import defaults
from runtime.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LEAST_MEMORY_BYTES = 6 << 20
PERIOD_USEC = 100000


def check(host: dict[str, Any]) -> None:
    """Refuse what Docker's daemon refuses, in its words. Fills in nothing."""
    memory, swap = host.get("Memory") or 0, host.get("MemorySwap") or 0
    if memory and memory < LEAST_MEMORY_BYTES:
        raise Invalid("Minimum memory limit allowed is 6MB")
    if swap and not memory and swap > 0:
        raise Invalid("You should always set the Memory limit when using Memoryswap limit, "
                      "see usage")
    if swap > 0 and swap < memory:
        raise Invalid("Minimum memoryswap limit should be larger than memory limit, see usage")
    reservation = host.get("MemoryReservation") or 0
    if reservation and reservation < LEAST_MEMORY_BYTES:
        raise Invalid("Minimum memory reservation allowed is 6MB")
    if memory and reservation > memory:
        raise Invalid("Minimum memory limit can not be less than memory reservation limit, "
                      "see usage")
    _check_cpu(host)


def _check_cpu(host: dict[str, Any]) -> None:
    nano, count = host.get("NanoCpus") or 0, os.cpu_count() or 1
    if nano and (host.get("CpuPeriod") or host.get("CpuQuota")):
        word = "CPU Period" if host.get("CpuPeriod") else "CPU Quota"
        raise Invalid(f"Conflicting options: Nano CPUs and {word} cannot both be set")
    if nano < 0 or nano > count * 1_000_000_000:
        raise Invalid(f"range of CPUs is from 0.01 to {count}.00, as there are only {count} "
                      "CPUs available")
    period, quota = host.get("CpuPeriod") or 0, host.get("CpuQuota") or 0
    if period and not 1000 <= period <= 1_000_000:
        raise Invalid("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s "
                      "(i.e. 1000000)")
    if 0 < quota < 1000:
        raise Invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)")


def swap_limit(host: dict[str, Any]) -> int:
    """Docker's fourth meaning of --memory-swap: not given, it is twice the memory."""
    memory, swap = host.get("Memory") or 0, host.get("MemorySwap") or 0
    return swap or (2 * memory if memory > 0 else 0)


def counts_swap() -> bool:
    """Can this kernel limit swap at all? (CONFIG_SWAP; on v1 also swapaccount=1)"""
    v1 = "/sys/fs/cgroup/memory"
    if os.path.exists(f"{v1}/memory.limit_in_bytes"):
        return os.path.exists(f"{v1}/memory.memsw.limit_in_bytes")
    return os.path.exists("/proc/swaps")


def linux_resources(host: dict[str, Any]) -> dict[str, Any]:
    """config.json's linux.resources; only what has a limit."""
    resources: dict[str, Any] = {"devices": _devices(host)}
    memory: dict[str, Any] = {}
    for field, key in (("Memory", "limit"), ("MemoryReservation", "reservation"),
                       ("MemorySwappiness", "swappiness")):
        if host.get(field) and host[field] != -1:
            memory[key] = host[field]
    # A default that this kernel cannot keep is left out; one that was asked for is refused later.
    if swap_limit(host) and (host.get("MemorySwap") or counts_swap()):
        memory["swap"] = swap_limit(host)
    if host.get("OomKillDisable"):
        memory["disableOOMKiller"] = True
    if memory:
        resources["memory"] = memory
    cpu = _cpu(host)
    if cpu:
        resources["cpu"] = cpu
    if (host.get("PidsLimit") or 0) > 0:
        resources["pids"] = {"limit": host["PidsLimit"]}
    block = _block(host)
    if block:
        resources["blockIO"] = block
    return resources


def _cpu(host: dict[str, Any]) -> dict[str, Any]:
    cpu: dict[str, Any] = {}
    if host.get("NanoCpus"):
        cpu = {"quota": host["NanoCpus"] * PERIOD_USEC // 1_000_000_000, "period": PERIOD_USEC}
    for field, key in (("CpuQuota", "quota"), ("CpuPeriod", "period"), ("CpuShares", "shares"),
                       ("CpusetCpus", "cpus"), ("CpusetMems", "mems")):
        if host.get(field):
            cpu[key] = host[field]
    return cpu


def _block(host: dict[str, Any]) -> dict[str, Any]:
    block: dict[str, Any] = {}
    if host.get("BlkioWeight"):
        block["weight"] = host["BlkioWeight"]
    for field, key in (("BlkioDeviceReadBps", "throttleReadBpsDevice"),
                       ("BlkioDeviceWriteBps", "throttleWriteBpsDevice"),
                       ("BlkioDeviceReadIOps", "throttleReadIOPSDevice"),
                       ("BlkioDeviceWriteIOps", "throttleWriteIOPSDevice")):
        if host.get(field):
            block[key] = [{**_numbers(entry["Path"]), "rate": entry["Rate"]}
                          for entry in host[field]]
    return block


def _numbers(path: str) -> dict[str, int]:
    try:
        device = os.stat(path).st_rdev
    except OSError:
        raise Invalid(f"{path}: no such device") from None
    return {"major": os.major(device), "minor": os.minor(device)}


def _devices(host: dict[str, Any]) -> list[dict[str, Any]]:
    if host.get("Privileged"):
        return [{"allow": True, "access": "rwm"}]
    return defaults.DEVICE_RULES
