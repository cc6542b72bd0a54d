"""Ids that a user has beside his own, and how a user namespace is given them.

Runs in whoever makes a user namespace without root: the engine (which maps), the shim and the
store (which write them). The kernel lets a user map his own id alone; for ranges of others root
has written down, two set-user-id programs do it for him (newuidmap, newgidmap). A map is a list of
(inside, outside, count):

    maps(1000, 1000) → [(0, 1000, 1), (1, 100000, 65536)], the same for groups    with them
                       [(0, 1000, 1)], [(0, 1000, 1)]                             without

Sources: user_namespaces(7), subuid(5), newuidmap(1).
"""

from __future__ import annotations

import os

from runtime.errors import Denied
from runtime.kernel import commands, files

TYPE_CHECKING = False
if TYPE_CHECKING:
    Map = list[tuple[int, int, int]]

TOOLS = {"uid": "newuidmap", "gid": "newgidmap"}
TABLES = {"uid": "/etc/subuid", "gid": "/etc/subgid"}


def maps(uid: int, gid: int) -> tuple[Map, Map]:
    """What a user namespace of this user can be given: (users, groups). Root of it is the user."""
    users, groups = ranges("uid", uid), ranges("gid", uid)
    if not (users and groups and commands.find(TOOLS["uid"]) and commands.find(TOOLS["gid"])):
        return [(0, uid, 1)], [(0, gid, 1)]
    return stacked(uid, users), stacked(gid, groups)


def stacked(own: int, others: list[tuple[int, int]]) -> Map:
    """His own id as 0, and the ranges one behind the other from 1."""
    made, inside = [(0, own, 1)], 1
    for first, count in others:
        made.append((inside, first, count))
        inside += count
    return made


def ranges(kind: str, uid: int) -> list[tuple[int, int]]:
    """(first, count) of each range of this user, "uid" or "gid". subuid(5)"""
    name = user_name(uid)
    if not name:
        return []  # newuidmap asks for the name, and does nothing without
    found = []
    for line in (files.read(TABLES[kind]) or "").splitlines():
        owner, _, rest = line.partition(":")
        first, _, count = rest.partition(":")
        if owner in (name, str(uid)) and first.isdecimal() and count.isdecimal() and int(count):
            found.append((int(first), int(count)))
    return found


def user_name(uid: int) -> str:
    """The user's name; "" when the host has none for this number."""
    import pwd  # compiled into the interpreter

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def write(pid: int, users: Map, groups: Map) -> None:
    """Give the new user namespace of a process its maps. Raises KernelError, Denied."""
    root = os.geteuid() == 0
    if not root and own_alone(users) and own_alone(groups):
        # An ordinary user may map his own group only after giving up setgroups.
        files.write_control(f"/proc/{pid}/setgroups", "deny")
        root = True
    for kind, wanted in (("gid", groups), ("uid", users)):
        if root:
            text = "".join(f"{inside} {outside} {count}\n" for inside, outside, count in wanted)
            files.write_control(f"/proc/{pid}/{kind}_map", text)
        else:
            have_written(pid, kind, wanted)


def own_alone(wanted: Map) -> bool:
    """Is it a map of one id, which the kernel takes from the user himself?"""
    return len(wanted) == 1 and wanted[0][2] == 1


def have_written(pid: int, kind: str, wanted: Map) -> None:
    """By newuidmap or newgidmap. Raises Denied with what it says."""
    tool = commands.find(TOOLS[kind])
    if not tool:
        raise Denied(f"map {kind}s: {TOOLS[kind]} is not installed", "apt install uidmap")
    words = [str(pid), *(str(number) for each in wanted for number in each)]
    said = os.memfd_create(TOOLS[kind], os.MFD_CLOEXEC)
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    try:
        if commands.run(" ".join([TOOLS[kind], *words]), tool, words, (null, null, said)):
            text = os.pread(said, 4096, 0).decode("utf-8", "replace").strip()
            raise Denied(f"map {kind}s: {text.splitlines()[-1] if text else tool + ' failed'}",
                         f"{TABLES[kind]} says which this user has")
    finally:
        os.close(said)
        os.close(null)


def is_whole() -> bool:
    """Are we in the host's own user namespace, where every id is itself?"""
    return (files.read("/proc/self/uid_map") or "").split() == ["0", "0", "4294967295"]


def has_others() -> bool:
    """Has our user namespace more than one id?"""
    words = (files.read("/proc/self/uid_map") or "").split()
    return sum(map(int, words[2::3])) > 1


def covers(wanted: Map, ident: int) -> bool:
    """Is the id inside one that the map has?"""
    return any(inside <= ident < inside + count for inside, _, count in wanted)
