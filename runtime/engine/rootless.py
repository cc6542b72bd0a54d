"""Containers of an ordinary user: what differs from root's, and what cannot be had, by name.

Runs in the engine, for a user without root. His container has a user namespace, in which he is
root; with subordinate ids (kernel/subids.py) it has other users and groups as well, without them
his own id alone. Limits need a control group that is his (cgroup/delegation.py). What root alone
can give is refused before anything is made, each with its reason and what would change it.

    fit(config.json, …)   the user namespace and its maps; mounts that root of one may make

Sources: user_namespaces(7); moby daemon/oci_linux.go WithRootless, rootless/specconv; podman(1).
"""

from __future__ import annotations

import os

from runtime.cgroup import delegation
from runtime.errors import Denied, Unsupported
from runtime.kernel import files, subids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.engine.store import Places

# HostConfig's limits: the flag, and the controller on v1 and v2.
LIMITS = {
    "Memory": ("--memory", "memory", "memory"),
    "MemoryReservation": ("--memory-reservation", "memory", "memory"),
    "MemorySwappiness": ("--memory-swappiness", "memory", "memory"),
    "OomKillDisable": ("--oom-kill-disable", "memory", "memory"),
    "NanoCpus": ("--cpus", "cpu", "cpu"), "CpuShares": ("--cpu-shares", "cpu", "cpu"),
    "CpuQuota": ("--cpu-quota", "cpu", "cpu"), "CpuPeriod": ("--cpu-period", "cpu", "cpu"),
    "CpusetCpus": ("--cpuset-cpus", "cpuset", "cpuset"),
    "CpusetMems": ("--cpuset-mems", "cpuset", "cpuset"),
    "PidsLimit": ("--pids-limit", "pids", "pids"),
    "BlkioWeight": ("--blkio-weight", "blkio", "io"),
    "BlkioDeviceReadBps": ("--device-read-bps", "blkio", "io"),
    "BlkioDeviceWriteBps": ("--device-write-bps", "blkio", "io"),
    "BlkioDeviceReadIOps": ("--device-read-iops", "blkio", "io"),
    "BlkioDeviceWriteIOps": ("--device-write-iops", "blkio", "io"),
}
# Settings of the host that keep an ordinary user from having a user namespace.
SWITCHES = (("user/max_user_namespaces", 0, "10000"), ("kernel/unprivileged_userns_clone", 0, "1"))
APPARMOR = "kernel/apparmor_restrict_unprivileged_userns"
SUBIDS = "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {}"
PROFILE = "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"


def place(places: Places, default: bool) -> None:
    """Where a lab without root has its sockets and its groups.

    Sockets of the default root go to the user's own directory under /run, which is emptied when
    the host goes down: there is one, whatever the session's variables say. file-hierarchy(7)
    """
    if default:
        for runtime in (os.environ.get("XDG_RUNTIME_DIR"), f"/run/user/{os.geteuid()}"):
            if runtime and os.access(runtime, os.W_OK):
                places.run = f"{runtime}/container-lab"
                break
    places.group = delegation.found().path + places.group


def group_request() -> dict[str, Any]:
    """What the shim of such a container has to know of its group."""
    mine = delegation.found()
    return {"controllers": mine.controllers, "unified": bool(mine.hierarchies.unified)}


def setting(name: str) -> int | None:
    """A number under /proc/sys; None where this kernel has none of the name."""
    text = (files.read(f"/proc/sys/{name}") or "").strip()
    return int(text) if text.lstrip("-").isdecimal() else None


def check_host() -> None:
    """Raises Denied where the host lets an ordinary user have no user namespace."""
    for name, off, on in SWITCHES:
        if setting(name) == off:
            dotted = name.replace("/", ".")
            raise Denied(f"containers without root need a user namespace, and {dotted} is {off}",
                         f"sudo sysctl -w {dotted}={on}; or run container-lab with sudo")


def hint() -> str:
    """What a container's start failing for want of a right may be due to; "" if nothing known."""
    if setting(APPARMOR) == 1:
        return f"AppArmor takes a user namespace's rights away here: {PROFILE}"
    return ""


# ------------------------------------------------------------------ what cannot be had

def check(host: dict[str, Any]) -> None:
    """Refuse by name what an ordinary user cannot have. Raises Unsupported."""
    check_limits(host)
    if host.get("PidMode") == "host":
        raise Unsupported("--pid host without root: root of a user namespace may not mount a /proc "
                          "of the host's PID namespace", "with sudo it works")
    if host.get("Runtime") not in (None, "", "container-lab"):
        raise Unsupported(f"--runtime {host['Runtime']} without root: its root would have to be "
                          "mounted by us, as root", "leave --runtime out, or use sudo")
    without = (host.get("ContainerLab") or {}).get("Without") or []
    if "user" in without or "mount" in without:
        raise Unsupported(f"--without {'user' if 'user' in without else 'mount'} without root: the "
                          "user namespace is what lets you mount anything", "with sudo it works")
    if "pid" in without:
        raise Unsupported("--without pid without root: root of a user namespace may not mount a "
                          "/proc of the host's PID namespace", "with sudo it works")
    lowest = int((files.read("/proc/self/oom_score_adj") or "0").strip() or 0)
    if (host.get("OomScoreAdj") or 0) < min(lowest, 0):
        raise Unsupported(f"--oom-score-adj {host['OomScoreAdj']} without root: it can only be "
                          f"raised, and yours is {lowest}", "with sudo it works")


def check_limits(host: dict[str, Any]) -> None:
    """Raises Unsupported that names every limit asked for that nothing here can hold."""
    mine = delegation.found()
    column = 2 if mine.hierarchies.version == 2 else 1
    lacking: dict[str, list[str]] = {}
    for field, names in LIMITS.items():
        value = host.get(field)
        if value and value != -1 and names[column] not in mine.controllers:
            lacking.setdefault(names[column], []).append(names[0])
    if lacking:
        flags = ", ".join(flag for flags in lacking.values() for flag in flags)
        raise Unsupported(f"{flags} without root: the {' and the '.join(lacking)} controller is "
                          "not delegated to this user", f"{how_to_delegate()}; or sudo")


def how_to_delegate() -> str:
    """What gives a user a control group of his own, in one line."""
    if os.path.isdir("/run/systemd/system"):
        if not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
            return "systemd delegates on cgroup v2 only: boot with " \
                   "systemd.unified_cgroup_hierarchy=1"
        return "systemd-run --user --scope -p Delegate=yes container-lab …"
    return "have root make a group in each hierarchy, give it to you (chown -R), and put your " \
           "shell into it"


# ------------------------------------------------------------------ what differs

def fit(spec: dict[str, Any], host: dict[str, Any]) -> None:
    """Make a config.json one that an ordinary user can start. Raises Unsupported."""
    users, groups = subids.maps(os.geteuid(), os.getegid())
    linux, process = spec["linux"], spec["process"]
    linux["namespaces"].append({"type": "user"})
    for key, wanted in (("uidMappings", users), ("gidMappings", groups)):
        linux[key] = [{"containerID": inside, "hostID": outside, "size": count}
                      for inside, outside, count in wanted]
    # No node can be made in a user namespace: a container has those that are bound, and no others.
    linux["resources"].pop("devices", None)
    # It is born with ours, and may only go up.
    if not host.get("OomScoreAdj"):
        process.pop("oomScoreAdj", None)
    process["user"] = fit_user(process["user"], linux, host.get("GroupAdd") or [])
    spec["mounts"] = [fit_mount(entry, host, groups) for entry in spec["mounts"]
                      if entry["type"] != "cgroup" or delegation.found().exists]


def fit_user(user: dict[str, Any], linux: dict[str, Any], asked: list[str]) -> dict[str, Any]:
    """The same user, if the maps have him. Raises Unsupported for one that has no number outside.

    With his own id alone a user has given up setgroups, so there are no groups but the first; those
    that the image lists are left out, those that were asked for refused.
    """
    for key, number in (("uid", user["uid"]), ("gid", user["gid"])):
        if not has(linux, key, number):
            raise Unsupported(f"run as {key} {number} without root: it is no id of yours",
                              SUBIDS.format(subids.user_name(os.geteuid()) or "NAME"))
    extra = [gid for gid in user.get("additionalGids") or [] if has(linux, "gid", gid)]
    if len(linux["gidMappings"]) == 1:
        if asked:
            raise Unsupported(f"--group-add {asked[0]} without root: groups take subordinate ids",
                              SUBIDS.format(subids.user_name(os.geteuid()) or "NAME"))
        extra = []
    return {**user, "additionalGids": extra}


def has(linux: dict[str, Any], kind: str, number: int) -> bool:
    """Is the id inside one that the container's maps know?"""
    return any(entry["containerID"] <= number < entry["containerID"] + entry["size"]
               for entry in linux.get(f"{kind}Mappings") or [])


def fit_mount(entry: dict[str, Any], host: dict[str, Any], groups: subids.Map) -> dict[str, Any]:
    """One mount as root of a user namespace may make it. Raises Unsupported."""
    options = entry.get("options") or []
    if entry["type"] == "devpts":
        # The group of terminals, where it has a number.
        return {**entry, "options": [each for each in options
                                     if each != "gid=5" or subids.covers(groups, 5)]}
    if entry["type"] == "sysfs" and host.get("NetworkMode") == "host":
        return bound(entry, "/sys", "--network host")
    if entry["type"] == "mqueue" and host.get("IpcMode") == "host":
        return bound(entry, "/dev/mqueue", "--ipc host")
    return entry


def bound(entry: dict[str, Any], source: str, why: str) -> dict[str, Any]:
    """The host's own instead of a new one, which only the owner of that namespace may mount."""
    if not os.path.ismount(source):
        raise Unsupported(f"{why} without root: the host's {source} is not mounted, and a new one "
                          "is not yours to mount")
    return {"destination": entry["destination"], "type": "bind", "source": source,
            "options": ["rbind", *(each for each in entry["options"])]}
