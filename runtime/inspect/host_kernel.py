"""The doctor's questions to the kernel: version, cgroups, overlay, namespaces, network, seccomp.

In the caller's process; each function takes the Facts and returns Items. What was tried (probes.py)
counts for more than what a file says; what could not be tried is told by the files alone.
Sources: cgroups(7), namespaces(7), Documentation/admin-guide/sysctl/user.rst, overlayfs.rst,
https://discourse.ubuntu.com/t/understanding-apparmor-user-namespace-restriction/58007
"""

from __future__ import annotations

import errno as errno_names
import os
import re

from runtime.inspect.facts import MISSING, OK, PARTLY, Facts, Item
from runtime.inspect.namespaces import KINDS, MEANING
from runtime.inspect.processes import parse_status
from runtime.inspect.source import Denied, Gone, names, text

OLDEST, WANTED = (5, 3), (5, 11)
# What a container's limits need; `freezer` is a controller of v1 only, in v2 every group has it.
CONTROLLERS = ("memory", "cpu", "pids", "cpuset", "io")
NEEDED_NAMESPACES = ("mnt", "pid", "net", "uts", "ipc", "cgroup")


def why(number: int) -> str:
    """`EPERM: operation not permitted`."""
    return f"{errno_names.errorcode.get(number, number)}: {os.strerror(number).lower()}"


def kernel(facts: Facts) -> Item:
    """clone3 and pidfds came with 5.3; overlay in a user namespace with 5.11."""
    release = (text(facts.source, "/proc/sys/kernel/osrelease") or "").strip()
    numbers = re.match(r"(\d+)\.(\d+)", release)
    version = (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
    found = f"Linux {release or 'unknown'} on {facts.around.machine}"
    if version < OLDEST:
        return Item("kernel", MISSING, found, "clone3(2) needs Linux 5.3",
                    "install a newer kernel", needed=True)
    if version < WANTED:
        return Item("kernel", PARTLY, found, "overlay in a user namespace needs Linux 5.11",
                    "install a newer kernel", needed=True)
    return Item("kernel", OK, found, needed=True)


def distribution(facts: Facts) -> Item:
    name = facts.release.get("PRETTY_NAME") or facts.release.get("NAME")
    return Item("distribution", OK if name else PARTLY, name or "no /etc/os-release",
                "" if name else "commands below cannot name your package tool")


# ------------------------------------------------------------------ control groups


def cgroups(facts: Facts) -> Item:
    """Which generation, which controllers where, and whether we may make a group."""
    found = facts.hierarchies
    if found is None:
        return Item("cgroups", MISSING, "no cgroup file system is mounted",
                    "containers would have no limits and no counters",
                    "sudo mount -t cgroup2 none /sys/fs/cgroup")
    lacking = [name for name in CONTROLLERS if not controller(facts, name)]
    here = [name for name in CONTROLLERS if name not in lacking]
    locked = [name for name in here if not writable(facts, name)]
    sentence = f"{generation(facts)}: {' '.join(here) or 'no controllers'}"
    if locked or not here:
        reason = f"this user may not make groups ({_locked_reason(facts)})"
        return Item("cgroups", PARTLY, sentence, reason, _delegation(facts))
    if lacking:
        return Item("cgroups", PARTLY, f"{sentence}; writable",
                    f"the kernel does not offer {' '.join(lacking)}",
                    facts.boot_with(f"cgroup_enable={','.join(lacking)}"))
    return Item("cgroups", OK, f"{sentence}; writable")


def generation(facts: Facts) -> str:
    """`cgroup v2`, `cgroup v1`, or `hybrid (controllers on v1)`."""
    found = facts.hierarchies
    if found is None:
        return "none"
    if found.version == 2:
        return "cgroup v2"
    return "hybrid (controllers on cgroup v1)" if found.unified else "cgroup v1"


def controller(facts: Facts, name: str, generation_wanted: int = 0) -> str | None:
    """Where a controller lives, by its v2 name, in the generation asked for (0: either)."""
    found = facts.hierarchies
    if found is None:
        return None
    if generation_wanted != 1 and found.unified:
        offered = (text(facts.source, f"{found.unified}/cgroup.controllers") or "").split()
        if name in offered or name == "freezer" and found.version == 2:
            return found.unified
    if generation_wanted != 2 and found.version == 1:
        return found.controllers.get({"io": "blkio"}.get(name, name))
    return None


def group_directories(facts: Facts) -> list[str]:
    """Where a test group is made: each v1 hierarchy; in v2 the root, or a user's own group."""
    found = facts.hierarchies
    if found is None:
        return []
    if found.version == 2 and found.unified:
        return [found.unified if facts.is_root else own_group(facts)]
    return list(dict.fromkeys(found.controllers.values()))


def own_group(facts: Facts) -> str:
    """The directory of the cgroup v2 that the program runs in."""
    unified = facts.hierarchies.unified if facts.hierarchies else None
    lines = (text(facts.source, "/proc/self/cgroup") or "").splitlines()
    path = next((line[3:] for line in lines if line.startswith("0::")), "/")
    return f"{unified or '/sys/fs/cgroup'}{path}".rstrip("/")


def writable(facts: Facts, name: str, generation_wanted: int = 0) -> bool:
    """Whether this user may make groups with the controller: tried, else told by the owner."""
    place = controller(facts, name, generation_wanted)
    if place is None:
        return False
    if not facts.is_root and facts.hierarchies and facts.hierarchies.version == 2:
        place = own_group(facts)
        if name not in (text(facts.source, f"{place}/cgroup.controllers") or "").split():
            return False
    if f"cgroup {place}" in facts.tried:
        return facts.tried[f"cgroup {place}"] == 0
    row = facts.mount_of(place)
    try:
        owner = facts.source.lstat(place).uid
    except (Gone, Denied):
        owner = 0
    return bool(row and not row.read_only) and facts.around.uid in (0, owner)


def _locked_reason(facts: Facts) -> str:
    rows = [facts.mount_of(place) for place in group_directories(facts)]
    if any(row and row.read_only for row in rows):
        return "the cgroup file system is mounted read-only, as in a container"
    return "not root, and no group is delegated"


def _delegation(facts: Facts) -> str:
    """A user session of systemd is given cpu and io only when told so."""
    if facts.is_root:
        return "run it outside of this container, or give the container --privileged"
    if facts.hierarchies and facts.hierarchies.version == 2 and facts.program("systemctl"):
        return "systemd-run --user --scope -p Delegate=yes container-lab"
    return "run container-lab as root: sudo container-lab"


# ------------------------------------------------------------------ overlay, namespaces


def overlay(facts: Facts) -> Item:
    """As this user: root mounts it directly, others inside a user namespace."""
    tried = facts.tried.get("overlay")
    listed = "\toverlay\n" in (text(facts.source, "/proc/filesystems") or "") + "\n"
    inside = facts.tried.get("overlay userxattr") == 0
    also = f",{' also' * facts.is_root} inside a user namespace (userxattr)" if inside else ""
    if tried == 0 or tried is None and listed:
        how = "mounted and written to" if tried == 0 else "the kernel lists it"
        return Item("overlay", OK, f"{how}{also}", needed=True)
    if tried == errno_names.ENODEV or not listed:
        return Item("overlay", MISSING, "the kernel does not have it",
                    "an image's layers cannot be stacked", facts.load_module("overlay"),
                    needed=True)
    return Item("overlay", MISSING, f"it cannot be mounted ({why(tried or 0)})",
                "mounting needs root, or a user namespace", userns_command(facts), needed=True)


def namespace_items(facts: Facts) -> list[Item]:
    return [namespace(facts, kind) for kind in KINDS]


def namespace(facts: Facts, kind: str) -> Item:
    """Whether the kernel has the kind, and whether this user may make one."""
    needed = kind in NEEDED_NAMESPACES
    there = facts.source.exists(f"/proc/self/ns/{kind}")
    tried = facts.tried.get(f"unshare {kind}")
    if not there:
        return Item(kind, MISSING, "this kernel has none", f"needed for {MEANING[kind]}",
                    "install a newer kernel", "namespaces", needed)
    limit = facts.setting(f"user/max_{kind}_namespaces")
    blocked = userns_blocked(facts) if kind == "user" or not facts.is_root else ""
    if limit == 0:
        return Item(kind, MISSING, f"user.max_{kind}_namespaces is 0", "none may be made",
                    f"sudo sysctl -w user.max_{kind}_namespaces=10000", "namespaces", needed)
    if tried or blocked:
        reason = blocked or why(tried or 0)
        return Item(kind, MISSING, "this user may not make one", reason,
                    userns_command(facts), "namespaces", needed)
    how = "" if facts.is_root else ", the others inside a user namespace" if kind == "user" else ""
    return Item(kind, OK, f"can be made{how}", group="namespaces", needed=needed)


def userns_blocked(facts: Facts) -> str:
    """Why a user namespace cannot be made or used; "" when it can."""
    if facts.setting("user/max_user_namespaces") == 0:
        return "user.max_user_namespaces is 0"
    tried = facts.tried.get("userns mount")
    if tried == 0:
        return ""
    if not facts.is_root and facts.setting("kernel/unprivileged_userns_clone") == 0:
        return "kernel.unprivileged_userns_clone is 0"
    if not facts.is_root and facts.setting("kernel/apparmor_restrict_unprivileged_userns") == 1:
        return "AppArmor takes the capabilities away (apparmor_restrict_unprivileged_userns is 1)"
    if tried is None:
        return "" if facts.source.exists("/proc/self/ns/user") else "this kernel has none"
    return f"root inside one may not mount ({why(tried)})"


def userns_command(facts: Facts) -> str:
    """What lifts the restriction that userns_blocked names."""
    if facts.setting("user/max_user_namespaces") == 0:
        return "sudo sysctl -w user.max_user_namespaces=10000"
    if facts.setting("kernel/unprivileged_userns_clone") == 0:
        return "sudo sysctl -w kernel.unprivileged_userns_clone=1"
    if facts.setting("kernel/apparmor_restrict_unprivileged_userns") == 1:
        return "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    return "run container-lab as root: sudo container-lab"


# ------------------------------------------------------------------ network, seccomp, swap


def network(facts: Facts) -> Item:
    """Lessons that are built now use no network, or the host's; the others want these later."""
    links = [name for name in names(facts.source, "/sys/class/net")
             if name not in ("lo", "bonding_masters")]
    outside = f"{len(links)} interfaces besides lo" if links else "only lo"
    lacking = [kind for kind in ("veth", "bridge") if facts.tried.get(f"link {kind}", 0)]
    if facts.tried.get("nft", 0):
        lacking.append("nftables")
    if lacking:
        return Item("network", PARTLY, f"{outside}; no {', '.join(lacking)}",
                    "networks between containers need them",
                    facts.load_module(lacking[0].replace("nftables", "nf_tables")))
    return Item("network", OK, f"{outside}; veth, bridge and nftables"
                if "nft" in facts.tried else f"{outside}; links were not tried")


def seccomp(facts: Facts) -> Item:
    status = parse_status(text(facts.source, "/proc/self/status") or "")
    actions = (text(facts.source, "/proc/sys/kernel/seccomp/actions_avail") or "").split()
    if "Seccomp" not in status:
        return Item("seccomp", MISSING, "this kernel has no seccomp",
                    "containers run without Docker's filter", "boot a kernel with CONFIG_SECCOMP")
    if "errno" not in actions:
        return Item("seccomp", PARTLY, "no filters (CONFIG_SECCOMP_FILTER)",
                    "Docker's profile cannot be loaded", "boot a kernel with seccomp filters")
    notify = ", also user notification" if "user_notif" in actions else ""
    return Item("seccomp", OK, f"filters{notify}")


def swap(facts: Facts) -> Item:
    total = _swap_bytes(facts)
    if not total:
        return Item("swap", MISSING, "this host has none",
                    "a full cgroup is killed at once, never slowed by swapping",
                    "sudo fallocate -l 1G /swapfile && sudo chmod 600 /swapfile"
                    " && sudo mkswap /swapfile && sudo swapon /swapfile")
    return Item("swap", OK, f"{total / (1 << 30):.1f} GiB")


def _swap_bytes(facts: Facts) -> int:
    fields = parse_status(text(facts.source, "/proc/meminfo") or "")
    return int(fields.get("SwapTotal", "0 kB").split()[0]) * 1024
