"""A start rehearsed by a process that waits for one: everything up to the first kernel effect.

Runs in a spare, and in the shim that a zygote forks ahead. What it looks up, imports and judges is
thrown away; what stays is memory that has been touched. A first touch costs 2.5 µs, and a start
makes a thousand.
"""

from __future__ import annotations

from runtime import documents
from runtime.cgroup import cgroup
from runtime.oci.plan import Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The shape of what docker run writes, each kind of entry once or twice.
BUNDLE: dict[str, Any] = {
    "ociVersion": "1.2.0", "hostname": "rehearsal", "root": {"path": "rootfs"},
    "process": {
        "args": ["true"], "cwd": "/", "env": ["PATH=/usr/bin:/bin", "HOME=/root"],
        "user": {"uid": 0, "gid": 0, "additionalGids": [0, 10]}, "noNewPrivileges": True,
        "capabilities": {kind: ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW", "CAP_SETPCAP"]
                         for kind in ("bounding", "effective", "permitted")},
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1024}]},
    "mounts": [
        {"destination": f"/dev/{number}", "type": "tmpfs", "source": "shm",
         "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]}
        for number in range(8)
    ] + [{"destination": "/etc/hosts", "source": "/etc/hosts", "options": ["rbind", "rprivate"]}],
    "linux": {
        "namespaces": [{"type": kind} for kind in ("mount", "pid", "network", "ipc", "uts",
                                                   "cgroup")],
        "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"],
        "resources": {
            "memory": {"limit": 1 << 28}, "cpu": {"shares": 1024}, "pids": {"limit": 100},
            "devices": [{"allow": False, "access": "rwm"},
                        {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}]},
        "seccomp": {
            "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [{"names": [f"call_{number}" for number in range(300)],
                          "action": "SCMP_ACT_ALLOW"}]}},
}


def rehearse() -> None:
    """Read, judge and plan a bundle that nobody will start."""
    plan = Plan("/", documents.parse(documents.encode(BUNDLE)))
    plan.clone_flags()
    documents.digest(documents.encode(plan.spec["linux"]["seccomp"]).encode())
    group = cgroup.open_group("/container-lab")
    if group.version == 1:
        from runtime.cgroup.resources import v1_writes

        list(v1_writes(plan.spec["linux"]["resources"], group.hierarchies))
