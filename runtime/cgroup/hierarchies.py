"""Which cgroup hierarchies this host has, and where they are mounted.

Runs in whoever opens a group. Reads /proc/self/mountinfo once. Example, a hybrid host:
version 1, controllers {"memory": "/sys/fs/cgroup/memory", …}, unified "/sys/fs/cgroup/unified".
A pure v2 host: version 2, every controller at "/sys/fs/cgroup". Sources: cgroups(7), proc(5).
"""

from __future__ import annotations

from runtime.errors import Unsupported
from runtime.kernel import files

# What a container is put under on v1. cpuacct is often the same mount as cpu.
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "devices", "freezer",
               "hugetlb", "net_cls", "net_prio", "perf_event", "rdma", "misc")


class Hierarchies:
    """version 1 or 2; controllers name → mount point; unified: the v2 mount point, if there."""

    __slots__ = ("version", "controllers", "unified")

    def __init__(self, version: int, controllers: dict[str, str], unified: str | None) -> None:
        self.version, self.controllers, self.unified = version, controllers, unified


def parse(mountinfo: str, unified_controllers: str | None = None) -> Hierarchies:
    """Read the cgroup mounts out of a mountinfo text; the first mount of a hierarchy counts."""
    v1: dict[str, str] = {}
    unified: str | None = None
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if not after.startswith("cgroup"):
            continue
        kind, _, options = after.split(" ", 2)
        point = before.split(" ", 5)[4]
        if kind == "cgroup2":
            unified = unified or point
            continue
        for option in options.rpartition(" ")[2].split(","):
            if option in CONTROLLERS:
                v1.setdefault(option, point)
    if v1:
        return Hierarchies(1, v1, unified)
    if unified is None:
        raise Unsupported("find the control groups: no cgroup file system is mounted",
                          "mount -t cgroup2 none /sys/fs/cgroup")
    if unified_controllers is None:
        unified_controllers = files.read(f"{unified}/cgroup.controllers") or ""
    return Hierarchies(2, dict.fromkeys(unified_controllers.split(), unified), unified)


_found: Hierarchies | None = None


def find() -> Hierarchies:
    """Those of this host, looked up once a process. Raises Unsupported when there are none."""
    global _found
    if _found is None:
        _found = parse(files.read("/proc/self/mountinfo") or "")
    return _found
