"""features and spec: what this runtime can do, and a config.json to begin with.

features is read from the tables that the runtime itself goes by, so that it cannot promise more
than there is. spec writes what `runc spec` writes, so that instructions for runc work here.
Sources: runtime-spec features.md, features-linux.md; runc-spec(8).
"""

from __future__ import annotations

import os
import sys
from runtime.errors import Conflict
from runtime.kernel.capabilities import BITS
from runtime.kernel.mounts import FLAGS, PROPAGATION
from runtime.oci import hooks, seccomp, state
from runtime.oci.mounts import is_attribute
from runtime.oci.seccomp_compiler import ACTIONS
from runtime.oci.spec import NAMESPACE_TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.cli import Settings
    from runtime.oci.options import Options

OLDEST = "1.0.0"
OPERATORS = ("EQ", "GE", "GT", "LE", "LT", "MASKED_EQ", "NE")
DEFAULT_CAPABILITIES = ("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE")
MASKED = ("/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
          "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware",
          "/proc/scsi")
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
SEALED = ["nosuid", "noexec", "nodev"]


def features_(settings: Settings, options: Options, arguments: list[str]) -> int:
    """Print what this runtime can do."""
    write(features(), sys.stdout)
    sys.stdout.write("\n")
    return 0


def features() -> dict[str, Any]:
    """features.md's structure, out of our tables."""
    recursive = [f"r{word}" for word, bits in FLAGS.items() if is_attribute(bits)]
    words = sorted({*FLAGS, *PROPAGATION, *recursive, "tmpcopyup", "idmap", "ridmap"})
    return {
        "ociVersionMin": OLDEST, "ociVersionMax": state.VERSION, "hooks": list(hooks.KINDS),
        "mountOptions": words,
        "linux": {
            "namespaces": sorted(NAMESPACE_TYPES), "capabilities": list(BITS),
            "cgroup": {"v1": True, "v2": True, "systemd": False, "systemdUser": False,
                       "rdma": True},
            "seccomp": {"enabled": True, "actions": sorted(ACTIONS),
                        "operators": [f"SCMP_CMP_{word}" for word in OPERATORS],
                        "archs": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64"],
                        "knownFlags": sorted(seccomp.FLAGS),
                        "supportedFlags": sorted(seccomp.FLAGS)},
            "apparmor": {"enabled": True}, "selinux": {"enabled": True},
            "intelRdt": {"enabled": False},
            "mountExtensions": {"idmap": {"enabled": True}},
        },
        "annotations": {"org.container-lab.version": version()},
    }


def version() -> str:
    """Ours."""
    from runtime.oci.commands import pages

    return pages.VERSION


def spec_(settings: Settings, options: Options, arguments: list[str]) -> int:
    """Write a config.json to begin with."""
    path = os.path.join(options.get("bundle") or ".", "config.json")
    if os.path.exists(path):
        raise Conflict("File config.json exists. Remove it first")
    made = starter()
    if options.get("rootless"):
        make_rootless(made)
    with open(path, "x", encoding="utf-8") as file:
        write(made, file, "\t")
    return 0


def write(value: Any, file: Any, indent: str | int = 4) -> None:
    """Indented, as runc does."""
    import json  # not on the way of a start

    json.dump(value, file, indent=indent, ensure_ascii=False)


def mount(destination: str, kind: str, source: str, *options: str) -> dict[str, Any]:
    """An entry of mounts."""
    made: dict[str, Any] = {"destination": destination, "type": kind, "source": source}
    return {**made, "options": list(options)} if options else made


def starter() -> dict[str, Any]:
    """What `runc spec` says: a shell, read-only, in namespaces of its own."""
    sets = ("bounding", "effective", "permitted")
    return {
        "ociVersion": state.VERSION,
        "process": {
            "terminal": True, "user": {"uid": 0, "gid": 0}, "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "TERM=xterm"],
            "cwd": "/", "capabilities": {key: list(DEFAULT_CAPABILITIES) for key in sets},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True},
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "runc",
        "mounts": [
            mount("/proc", "proc", "proc"),
            mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
            mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance",
                  "ptmxmode=0666", "mode=0620", "gid=5"),
            mount("/dev/shm", "tmpfs", "shm", *SEALED, "mode=1777", "size=65536k"),
            mount("/dev/mqueue", "mqueue", "mqueue", *SEALED),
            mount("/sys", "sysfs", "sysfs", *SEALED, "ro"),
            mount("/sys/fs/cgroup", "cgroup", "cgroup", *SEALED, "relatime", "ro")],
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount",
                                                       "cgroup")],
            "maskedPaths": list(MASKED), "readonlyPaths": list(READ_ONLY)},
    }


def make_rootless(made: dict[str, Any]) -> None:
    """Change it so that the calling user can start it: ids mapped, nothing that root alone may."""
    linux = made["linux"]
    linux.pop("resources")
    linux["namespaces"] = [*(each for each in linux["namespaces"] if each["type"] != "network"),
                           {"type": "user"}]
    for key, own in (("uidMappings", os.geteuid()), ("gidMappings", os.getegid())):
        linux[key] = [{"containerID": 0, "hostID": own, "size": 1}]
    for entry in made["mounts"]:
        entry["options"] = [option for option in entry.get("options") or []
                            if not option.startswith(("gid=", "uid="))]
        if not entry["options"]:
            entry.pop("options")
    # sysfs may be mounted by who owns the network namespace only.
    made["mounts"] = [mount("/sys", "none", "/sys", "rbind", *SEALED, "ro")
                      if entry["destination"] == "/sys" else entry for entry in made["mounts"]]
