"""stats and top: what a running container uses, and which processes it has.

Runs in the engine. Both are read, never remembered. Documents are Docker's own.
Source: Docker Engine API, GET /containers/{id}/stats and /top.
"""

from __future__ import annotations

import os
import time

from runtime.cgroup import cgroup, stats as files
from runtime.engine import store
from runtime.errors import Conflict, Invalid, LabError, Unsupported
from runtime.shim.logs import rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.engine.containers import Container


def stats(container: Container) -> dict[str, Any]:
    """One sample; of one that does not run every number is 0, as Docker has it."""
    now = time.time_ns()
    document: dict[str, Any] = {
        "id": container.id, "name": f"/{container.name}", "read": rfc3339(now),
        "num_procs": 0, "pids_stats": {}, "cpu_stats": {}, "memory_stats": {}, "blkio_stats": {},
        "networks": {},
    }
    if container.status not in store.LIVE:
        return document
    path = container.cgroup
    if container.places.rootless and not cgroup.open_group(path).exists():
        raise Unsupported(f"stats of {container.name}: it has no control group of its own, and "
                          "nothing else counts what it uses",
                          "container-lab doctor says how to get one")
    cpu, memory = numbers(path, "cpu.stat"), numbers(path, "memory.stat")
    limit = number(path, "memory.max")
    pids, most = number(path, "pids.current"), number(path, "pids.max")
    document["pids_stats"] = {"current": pids or 0, "limit": most or 0}
    document["cpu_stats"] = {
        "cpu_usage": {"total_usage": cpu.get("usage_usec", 0) * 1000,
                      "usage_in_usermode": cpu.get("user_usec", 0) * 1000,
                      "usage_in_kernelmode": cpu.get("system_usec", 0) * 1000},
        "system_cpu_usage": host_cpu_ns(), "online_cpus": os.cpu_count() or 1,
        "throttling_data": {"periods": cpu.get("nr_periods", 0),
                            "throttled_periods": cpu.get("nr_throttled", 0),
                            "throttled_time": cpu.get("throttled_usec", 0) * 1000},
    }
    document["memory_stats"] = {"usage": number(path, "memory.current") or 0,
                                "limit": limit or host_memory_bytes(), "stats": memory}
    document["blkio_stats"] = {"io_service_bytes_recursive": block_bytes(path)}
    document["networks"] = network_bytes(container.pid)
    return document


def number(path: str, name: str) -> int | None:
    """A file of one number; None for "max" or none."""
    found = files.read_file(path, name)
    text = found[0].strip() if found else ""
    return int(text) if text.isdigit() else None


def numbers(path: str, name: str) -> dict[str, int]:
    """A file of keys and numbers."""
    found = files.read_file(path, name)
    return files.pairs(found[0]) if found else {}


def host_cpu_ns() -> int:
    """All the time of all CPUs since boot, in nanoseconds. proc_stat(5)"""
    with open("/proc/stat", encoding="ascii") as file:
        ticks = [int(word) for word in file.readline().split()[1:8]]
    return sum(ticks) * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))


def host_memory_bytes() -> int:
    """MemTotal: the limit of whoever has none."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(file.readline().split()[1]) * 1024


def block_bytes(path: str) -> list[dict[str, Any]]:
    """io.stat in the API's shape."""
    found = files.read_file(path, "io.stat")
    entries = []
    for line in (found[0] if found else "").splitlines():
        device, *pairs = line.split()
        major, _, minor = device.partition(":")
        values = dict(pair.partition("=")[::2] for pair in pairs)
        for key, word in (("rbytes", "read"), ("wbytes", "write")):
            if key in values:
                entries.append({"major": int(major), "minor": int(minor), "op": word,
                                "value": int(values[key])})
    return entries


def network_bytes(pid: int) -> dict[str, dict[str, int]]:
    """Bytes by interface in the container's network namespace, without lo."""
    try:
        with open(f"/proc/{pid}/net/dev", encoding="ascii") as file:
            lines = file.readlines()[2:]
    except OSError:
        return {}
    found = {}
    for line in lines:
        name, _, rest = line.partition(":")
        words = rest.split()
        if name.strip() != "lo":
            found[name.strip()] = {"rx_bytes": int(words[0]), "tx_bytes": int(words[8])}
    return found


def processes(container: Container) -> list[int]:
    """Its pids by its group; without one, all that are in the PID namespace of its first."""
    group = cgroup.open_group(container.cgroup)
    if not container.places.rootless or group.exists():
        return group.processes()
    found, own = [], namespace(container.pid)
    for name in os.listdir("/proc"):
        if name.isdecimal() and namespace(int(name)) == own:
            found.append(int(name))
    return found if own else []


def namespace(pid: int) -> str:
    """The PID namespace of a process; "" of one that is gone, or is not ours to see."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


def top(container: Container, arguments: list[str]) -> dict[str, Any]:
    """The host's ps, and of its lines those whose pid is in the container's group."""
    import subprocess

    status = container.status
    if status not in store.LIVE:
        raise Conflict(f"container {container.id} is not running")
    inside = set(map(str, processes(container)))
    command = ["ps", *(arguments or ["-ef"])]
    # With COLUMNS, as an interactive shell may export it, ps would cut the lines.
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, env=environment)
    except FileNotFoundError:
        raise LabError("list the processes: this host has no ps", "apt install procps") from None
    if done.returncode:
        raise Invalid(f"ps: {(done.stderr.strip().splitlines() or ['exit status 1'])[-1]}")
    titles, *lines = done.stdout.splitlines()
    words = titles.split()
    if "PID" not in words:
        raise Invalid("Couldn't find PID field in ps output")
    column = words.index("PID")
    rows = [line.split(None, len(words) - 1) for line in lines]
    return {"Titles": words,
            "Processes": [row for row in rows if len(row) > column and row[column] in inside]}
