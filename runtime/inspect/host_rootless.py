"""The doctor's questions about a user without root: can he run containers, what would they lack?

In the caller's process; each function takes the Facts and returns an Item, each lack with the
command that ends it. Asked as root, the same report helps to prepare it for somebody else. `way`
is the answer in one: rootless, sudo, or nothing but reading.
Sources: user_namespaces(7), subuid(5), newuidmap(1), cgroup-v2.rst "Delegation", systemd.exec(5);
https://discourse.ubuntu.com/t/understanding-apparmor-user-namespace-restriction/58007
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.inspect.facts import MISSING, OK, PARTLY, Facts, Item
from runtime.inspect.host_kernel import own_group, userns_blocked, userns_command, why, writable
from runtime.inspect.source import Denied, Gone, text

RANGE = "100000-165535"
# What systemd hands on to a user's session only when it is told to.
ALL_CONTROLLERS = "cpu cpuset io memory pids"
DELEGATE = ("sudo mkdir -p /etc/systemd/system/user@.service.d && "
            f"printf '[Service]\\nDelegate={ALL_CONTROLLERS}\\n' | "
            "sudo tee /etc/systemd/system/user@.service.d/delegate.conf && "
            "sudo systemctl daemon-reload, then log in again")
SCOPE = "systemd-run --user --scope -p Delegate=yes container-lab"


@dataclass(frozen=True, slots=True)
class Way:
    """How this user's containers run: "root", "rootless", "sudo" or "replay", in a sentence."""

    kind: str
    sentence: str


AS_ROOT = Way("root", "Containers run as root's.")


def rootless(facts: Facts) -> Item:
    """A user namespace with an overlay in it: without these no container runs without root."""
    blocked = blocked_by(facts)
    if blocked:
        reason = "needed only to run without root" if facts.is_root else \
            "without root a container needs one"
        return Item("rootless", MISSING, f"no user namespace for containers: {blocked}", reason,
                    userns_command(facts))
    return Item("rootless", OK, "a user namespace with an overlay in it")


def blocked_by(facts: Facts) -> str:
    """What keeps a user without root from a container; "" when nothing does."""
    number = facts.tried.get("overlay userxattr")
    return userns_blocked(facts) or (f"overlay in it: {why(number)}" if number else "")


def sub_ids(facts: Facts) -> Item:
    """Ids beside his own, and the programs that put them into a map."""
    lacking, commands = [], []
    if not (facts.program("newuidmap") and facts.program("newgidmap")):
        lacking.append("newuidmap")
        commands.append(facts.install("uidmap"))
    if not has_sub_ids(facts):
        lacking.append("lines in /etc/subuid and /etc/subgid")
        name = "NAME" if facts.is_root else facts.around.user
        commands.append(f"sudo usermod --add-subuids {RANGE} --add-subgids {RANGE} {name}")
    if lacking:
        return Item("sub-ids", PARTLY, f"no {', no '.join(lacking)}",
                    "without root a container has one id then: its root is you, and it has no "
                    "other users", " && ".join(commands))
    return Item("sub-ids", OK, "newuidmap, and ids for the other users of a rootless container")


def has_sub_ids(facts: Facts) -> bool:
    """A line for this user; for root, a line for anybody."""
    ours = {facts.around.user, str(facts.around.uid)}
    for path in ("/etc/subuid", "/etc/subgid"):
        owners = {row.split(":")[0] for row in (text(facts.source, path) or "").splitlines() if row}
        if not (owners if facts.is_root else owners & ours):
            return False
    return True


def delegation(facts: Facts) -> Item:
    """A control group of his own: without one a rootless container has no limits."""
    found, reason = facts.hierarchies, "without root, --memory and its like are refused then"
    if found is None or found.version == 1:
        held = [] if facts.is_root else v1_held(facts)
        if held:
            return Item("delegation", OK, f"groups of your own for {' '.join(held)}")
        return Item("delegation", MISSING, "no control group is a user's here: systemd delegates "
                    "on cgroup v2 only", reason,
                    facts.boot_with("systemd.unified_cgroup_hierarchy=1 cgroup_no_v1=all"))
    if facts.is_root:
        if facts.source.exists(f"{found.unified}/user.slice"):
            return Item("delegation", OK, "systemd gives a user's session a group of its own")
        return Item("delegation", PARTLY, "no systemd session with a group of its own", reason,
                    "log in with systemd (user.slice)")
    have = (text(facts.source, f"{own_group(facts)}/cgroup.controllers") or "").split()
    if own_group(facts) == found.unified or not writable(facts, "memory"):
        return Item("delegation", MISSING, "no control group is yours", reason, SCOPE)
    lacking = [name for name in ALL_CONTROLLERS.split() if name not in have]
    if lacking:
        return Item("delegation", PARTLY, f"a group of your own, without {' '.join(lacking)}",
                    "without root, limits by these are refused then", DELEGATE)
    return Item("delegation", OK, f"a group of your own, with {' '.join(have)}")


def v1_held(facts: Facts) -> list[str]:
    """The v1 controllers in which somebody gave this user a group."""
    from runtime.cgroup.delegation import own_paths

    paths = own_paths(text(facts.source, "/proc/self/cgroup") or "")
    held = []
    points = facts.hierarchies.controllers if facts.hierarchies else {}
    for name, point in points.items():
        try:
            owner = facts.source.lstat(f"{point}{paths.get(name, '/')}".rstrip("/")).uid
        except (Gone, Denied):
            continue
        if owner == facts.around.uid:
            held.append(name)
    return held


def way(facts: Facts, hindrances: tuple[Item, ...]) -> Way:
    """Which of the ways this user goes, and what that means."""
    if facts.is_root:
        return AS_ROOT
    if not hindrances:
        lacks = [item.name for item in (sub_ids(facts), delegation(facts)) if item.state != OK]
        less = f" Less than with root: see {' and '.join(lacks)}." if lacks else ""
        return Way("rootless", "Rootless: containers run as yours, in a user namespace. Lessons "
                   f"are made for root: sudo container-lab.{less}")
    names = " and ".join(dict.fromkeys(item.name for item in hindrances))
    if facts.program("sudo"):
        return Way("sudo", f"Containers cannot run as yours here ({names}): sudo container-lab "
                   "runs them.")
    return Way("replay", f"Containers cannot run here ({names}), and there is no sudo: what is "
               "left is to read the lessons (lesson show), and this report.")
