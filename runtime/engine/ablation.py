"""A container with one part missing, to see what that part was for: `--without pid`.

Runs in the engine, at create. Docker has no such flag; it travels in HostConfig under a key of our
own, and inspect shows it: {"ContainerLab": {"Without": ["pid"], "Unsafe": true}}. What config.json
has a word for is left out there (`leave_out`); the runtime does without the other two itself
(`of_the_runtime`). Nothing else of the container changes. A part that is not there is no part to
leave out: refused. Where root inside could then harm the host, `--unsafe` has to be said as well.
Sources: runtime-spec config-linux.md; namespaces(7), capabilities(7), pivot_root(2), chroot(2).
"""

from __future__ import annotations

import os

from runtime.engine import defaults
from runtime.errors import Denied, Invalid, Unsupported
from runtime.kernel import capabilities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KEY = "ContainerLab"

# Each part, and what is so when it is missing.
PARTS = {
    "pid": "it has the host's process numbers, and sees every process",
    "mount": "its mounts are the host's; its root is a chroot: pivot_root would move the host's",
    "net": "it has the host's interfaces, addresses and ports",
    "ipc": "it has the host's shared memory, semaphores and message queues",
    "uts": "it has the host's name",
    "user": "root inside is root of the host",
    "cgroup": "it sees which group of the host's it is in",
    "time": "it has the host's clocks since boot",
    "seccomp": "it may ask the kernel for any system call",
    "caps": "nothing of what root may do is taken away",
    "masks": "/proc and /sys are whole, and /proc/sys is writable",
    "pivot": "its root is a chroot; the host's stays below it",
}
# The specification's word for the namespaces among them.
NAMESPACES = {"pid": "pid", "mount": "mount", "net": "network", "ipc": "ipc", "uts": "uts",
              "user": "user", "cgroup": "cgroup", "time": "time"}
# What root inside could do to the host then. What is not here takes away a view or a lock whose
# absence alone lets nothing of the host be changed.
DANGERS = {
    "pid": "root inside could end any process of the host",
    "mount": "its mounts stand in the host's own table, and CAP_SYS_CHROOT, which it has, leads "
             "out of its root to the host's files",
    "ipc": "root inside could remove shared memory that the host's programs use",
    "caps": "root inside could do all that root may: set the clock, load a module, change routes",
    "masks": "root inside could write /proc/sysrq-trigger (the host reboots) and "
             "/proc/sys/kernel/core_pattern (the host runs a program of its choice)",
    "pivot": "CAP_SYS_CHROOT, which it has, leads out of a chroot to the host's files",
}
# File systems that only the owner of the namespace may mount: an ordinary user is not the host's.
UNMOUNTABLE = {"net": "/sys", "ipc": "/dev/mqueue"}
# Not in config.json's words: the shim is told.
RUNTIME = ("mount", "pivot")


def wished(host: dict[str, Any]) -> list[str]:
    """The parts to leave out, in the order of PARTS. [] for an ordinary container.

    Raises Invalid for what is no part, or no list.
    """
    own = host.get(KEY) or {}
    asked = own.get("Without") or [] if isinstance(own, dict) else None
    if not isinstance(asked, list) or set(own) - {"Without", "Unsafe"}:
        raise Invalid(f'HostConfig.{KEY}: expected {{"Without": ["pid"], "Unsafe": true}}')
    for part in asked:
        if part not in PARTS:
            raise Invalid(f"--without {part}: a container has no such part",
                          f"its parts are {', '.join(PARTS)}")
    return [part for part in PARTS if part in asked]


def of_the_runtime(host: dict[str, Any]) -> list[str]:
    """Those that the shim has to be told of."""
    return [part for part in wished(host) if part in RUNTIME]


def check(wanted: dict[str, Any], host: dict[str, Any]) -> None:
    """Refuse what could harm the host and was not said to be meant, and what contradicts it."""
    missing = wished(host)
    harmful = [part for part in missing if part in DANGERS]
    if harmful and not host[KEY].get("Unsafe"):
        raise Denied(f"--without {','.join(harmful)} could harm this host: "
                     + "; ".join(DANGERS[part] for part in harmful),
                     "on a machine you can lose, add --unsafe")
    if "uts" in missing and (wanted.get("Domainname")
                             or wanted["Hostname"] != os.uname().nodename):
        raise Invalid("conflicting options: hostname and --without uts: the name is the host's")
    shared = [part for part in missing if part in UNMOUNTABLE]
    if shared and os.geteuid() != 0:
        raise Unsupported(f"--without {shared[0]} without root: root of a user namespace may not "
                          f"mount a {UNMOUNTABLE[shared[0]]} of the host's", "with sudo it works")
    if of_the_runtime(host) and host.get("Runtime") not in (None, "", "container-lab"):
        raise Unsupported(f"--without {','.join(of_the_runtime(host))} with --runtime "
                          f"{host['Runtime']}: only our own runtime can do without")


def leave_out(spec: dict[str, Any], host: dict[str, Any]) -> None:
    """Take the parts out of a config.json that has them. Raises Invalid for one that is not."""
    for part in wished(host):
        if part in NAMESPACES:
            _namespace(spec, part)
        elif part != "pivot":
            {"seccomp": _seccomp, "caps": _capabilities, "masks": _masks}[part](spec)


def _missing(part: str, why: str) -> Invalid:
    return Invalid(f"--without {part}: {why}", "there is nothing to leave out")


def _namespace(spec: dict[str, Any], part: str) -> None:
    kinds = spec["linux"]["namespaces"]
    kept = [entry for entry in kinds if entry["type"] != NAMESPACES[part]]
    if len(kept) == len(kinds):
        raise _missing(part, f"this container has no {part} namespace of its own: "
                             f"{PARTS[part]} already")
    spec["linux"]["namespaces"] = kept
    # What can only be said of a namespace goes with it.
    for key in {"user": ("uidMappings", "gidMappings"), "time": ("timeOffsets",)}.get(part, ()):
        spec["linux"].pop(key, None)
    if part == "mount" and any(entry["type"] == "user" for entry in kept):
        raise Unsupported("--without mount: root of a user namespace may mount nothing in the "
                          "host's mount namespace")
    if part == "uts":
        spec.pop("hostname", None)
        spec.pop("domainname", None)


def _seccomp(spec: dict[str, Any]) -> None:
    if not spec["linux"].pop("seccomp", None):
        raise _missing("seccomp", "this container has no filter")


def _capabilities(spec: dict[str, Any]) -> None:
    """All that this host has to give; the filter stays as it is, for it is another part."""
    rights = spec["process"]["capabilities"]
    if rights["bounding"] == defaults.ALL_CAPABILITIES:
        raise _missing("caps", "nothing is taken from root in this container")
    have = capabilities.bounding()
    for name in ("bounding", "effective", "permitted"):
        rights[name] = [word for word, bit in capabilities.BITS.items() if have >> bit & 1]


def _masks(spec: dict[str, Any]) -> None:
    linux = spec["linux"]
    if not linux["maskedPaths"] and not linux["readonlyPaths"]:
        raise _missing("masks", "nothing of /proc and /sys is hidden from this container")
    linux["maskedPaths"], linux["readonlyPaths"] = [], []
