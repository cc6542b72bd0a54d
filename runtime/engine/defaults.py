"""What Docker gives a container that asked for nothing in particular.

Data alone, used by spec.py and describe.py. Sources: moby oci/defaults.go, oci/caps/defaults.go,
profiles; runtime-spec config-linux.md.
"""

from __future__ import annotations

from runtime.kernel.capabilities import NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHM_SIZE_BYTES = 64 << 20
STOP_TIMEOUT_S = 10

CAPABILITIES = [f"CAP_{name}" for name in (
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP",
    "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE")]
ALL_CAPABILITIES = [f"CAP_{name}" for name in NAMES]

MASKED_PATHS = ["/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys",
                "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
                "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"]
READONLY_PATHS = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def mounts(shm_size_bytes: int, privileged: bool) -> list[dict[str, Any]]:
    """The file systems every container gets, in the order they are mounted."""
    read = "rw" if privileged else "ro"
    return [
        {"destination": "/proc", "type": "proc", "source": "proc",
         "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
         "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs",
         "options": ["nosuid", "noexec", "nodev", read]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
         "options": [read, "nosuid", "noexec", "nodev"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
         "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
         "options": ["nosuid", "noexec", "nodev", "mode=1777", f"size={shm_size_bytes}"]},
    ]


def _device(kind: str, major: int | None, minor: int | None, access: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"allow": True, "type": kind, "access": access}
    if major is not None:
        rule["major"] = major
    if minor is not None:
        rule["minor"] = minor
    return rule


# Nothing, then what every program expects. `m` (mknod) of anything is allowed: making a node is
# harmless, opening it is what counts.
DEVICE_RULES: list[dict[str, Any]] = [
    {"allow": False, "access": "rwm"},
    _device("c", None, None, "m"), _device("b", None, None, "m"),
    _device("c", 1, 3, "rwm"), _device("c", 1, 5, "rwm"), _device("c", 1, 7, "rwm"),
    _device("c", 5, 0, "rwm"), _device("c", 5, 1, "rwm"), _device("c", 5, 2, "rwm"),
    _device("c", 1, 8, "rwm"), _device("c", 1, 9, "rwm"), _device("c", 136, None, "rwm"),
    _device("c", 10, 200, "rwm"),
]
