"""The eight namespaces of a process: which, whose, shared with whom, kept alive by what.

The twin of lsns, in the caller's process; reads only. A namespace is an inode of nsfs:
  namespaces(source, 48213) == {"mnt": 4026532214, "pid": 4026532217, "net": …}
Two processes are in the same one when the numbers are equal, and it lives as long as a process,
a bind mount, or an open file descriptor holds it (the last costs a pass over every /proc/PID/fd,
and is looked for on demand). Each belongs to a user namespace, its owner. Another user's
namespaces are unreadable without root: an empty dict.
Sources: namespaces(7), user_namespaces(7), time_namespaces(7), ioctl_nsfs(2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from runtime.errors import Denied
from runtime.inspect.mounts import mounts
from runtime.inspect.processes import pids
from runtime.inspect.source import Gone, Source, link, names, text

KINDS = ("mnt", "pid", "net", "uts", "ipc", "cgroup", "user", "time")

# What each isolates, for the one line beside it on the screen.
MEANING = {
    "mnt": "the mount table",
    "pid": "process numbers",
    "net": "interfaces, addresses, routes, ports",
    "uts": "the host name",
    "ipc": "message queues and shared memory",
    "cgroup": "which cgroup looks like the root",
    "user": "user numbers and capabilities",
    "time": "the clocks since boot",
}

# pid and time name the namespace the process is in; *_for_children the one its next child gets.
FOR_CHILDREN = {"pid": "pid_for_children", "time": "time_for_children"}

Members = Mapping[tuple[str, int], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Namespace:
    """One row of the pane: a kind, the process's inode and the host's."""

    kind: str
    inode: int
    host_inode: int
    path: str
    members: tuple[int, ...] = ()
    bound_at: tuple[str, ...] = ()
    held_by: tuple[int, ...] = ()
    # 0 where the reader stands too low to be told, or (parent) the kind has none.
    owner: int = 0
    parent: int = 0

    @property
    def private(self) -> bool:
        """Whether it is another one than the host's."""
        return self.inode != self.host_inode

    @property
    def word(self) -> str:
        return "private" if self.private else "same"

    @property
    def kept_by(self) -> str:
        """What keeps it alive: `process`, `bind`, `descriptor`, or `` when none was found."""
        return ("process" if self.members else "bind" if self.bound_at
                else "descriptor" if self.held_by else "")


@dataclass(frozen=True, slots=True)
class IdRange:
    """One line of uid_map or gid_map: `count` ids from `inside` are `outside` to the reader."""

    inside: int
    outside: int
    count: int


def inode(source: Source, pid: int, kind: str) -> int | None:
    """The inode of one namespace: `pid:[4026531836]` is 4026531836; None when unreadable."""
    return parse_link(link(source, f"/proc/{pid}/ns/{kind}") or "")


def parse_link(target: str) -> int | None:
    """4026531836 of `pid:[4026531836]`, as /proc/PID/ns links and nsfs mount roots spell it."""
    number = target.partition("[")[2].rstrip("]")
    return int(number) if number.isdecimal() else None


def namespaces(source: Source, pid: int) -> dict[str, int]:
    """{kind: inode} of a process, without what this kernel lacks or this user may not read."""
    found = {kind: inode(source, pid, kind) for kind in KINDS}
    return {kind: number for kind, number in found.items() if number is not None}


def host(source: Source) -> dict[str, int]:
    """The host's own namespaces: those of process 1, or ours when process 1 cannot be read."""
    return namespaces(source, 1) or own(source)


def own(source: Source) -> dict[str, int]:
    """The namespaces of the process that reads."""
    found = {kind: parse_link(link(source, f"/proc/self/ns/{kind}") or "") for kind in KINDS}
    return {kind: number for kind, number in found.items() if number is not None}


def members(source: Source) -> dict[tuple[str, int], tuple[int, ...]]:
    """{(kind, inode): pids} of every namespace on the host, from one pass over /proc."""
    found: dict[tuple[str, int], list[int]] = {}
    for pid in pids(source):
        for kind, number in namespaces(source, pid).items():
            found.setdefault((kind, number), []).append(pid)
    return {key: tuple(who) for key, who in found.items()}


def bound(source: Source) -> dict[int, tuple[str, ...]]:
    """{inode: where it is bind mounted} in the reader's mount table: kept without a process."""
    found: dict[int, list[str]] = {}
    for mount in mounts(source, "self"):
        number = parse_link(mount.root) if mount.fstype == "nsfs" else None
        if number is not None:
            found.setdefault(number, []).append(mount.target)
    return {number: tuple(where) for number, where in found.items()}


def holders(source: Source) -> dict[int, tuple[int, ...]]:
    """{inode: pids with an open descriptor of it}, from one pass over every /proc/PID/fd."""
    found: dict[int, list[int]] = {}
    for pid in pids(source):
        for fd in names(source, f"/proc/{pid}/fd"):
            target = link(source, f"/proc/{pid}/fd/{fd}") or ""
            number = parse_link(target) if target.partition(":")[0] in KINDS else None
            if number is not None and pid not in found.setdefault(number, []):
                found[number].append(pid)
    return {number: tuple(who) for number, who in found.items()}


def related(source: Source, path: str, relation: str) -> int:
    """The inode of a namespace's "owner" or "parent"; 0 where there is none, or none to be told."""
    try:
        return source.ns_related(path, relation)
    except (Gone, Denied):
        return 0


def table(source: Source, pid: int, everyone: Members | None = None,
          host_inodes: Mapping[str, int] | None = None,
          held: Mapping[int, tuple[int, ...]] | None = None) -> list[Namespace]:
    """The rows of the pane for one process. Pass `everyone` and `host_inodes` if read already.

    `held` is what `holders` found; without it no descriptor is looked for.
    """
    theirs = namespaces(source, pid)
    ours = host_inodes if host_inodes is not None else host(source)
    everyone = members(source) if everyone is None else everyone
    binds = bound(source)
    return [_row(source, f"/proc/{pid}/ns/{kind}", Namespace(
        kind, theirs[kind], ours.get(kind, 0), f"/proc/{pid}/ns/{kind}",
        everyone.get((kind, theirs[kind]), ()), binds.get(theirs[kind], ()),
        (held or {}).get(theirs[kind], ())))
        for kind in KINDS if kind in theirs]


def _row(source: Source, path: str, one: Namespace) -> Namespace:
    tree = one.kind in ("pid", "user")
    return replace(one, owner=related(source, path, "owner"),
                   parent=related(source, path, "parent") if tree else 0)


def uid_map(source: Source, pid: int) -> tuple[IdRange, ...]:
    """The users of the process's user namespace: inside 0 is outside 100000, 65536 of them."""
    return _id_map(source, f"/proc/{pid}/uid_map")


def gid_map(source: Source, pid: int) -> tuple[IdRange, ...]:
    """The groups, as uid_map."""
    return _id_map(source, f"/proc/{pid}/gid_map")


def _id_map(source: Source, path: str) -> tuple[IdRange, ...]:
    rows = [line.split() for line in (text(source, path) or "").splitlines()]
    return tuple(IdRange(int(a), int(b), int(c)) for a, b, c in rows)


def to_outside(ranges: tuple[IdRange, ...], inside: int) -> int | None:
    """What the reader calls an id of the namespace; None when it is not mapped (65534 is shown)."""
    for span in ranges:
        if span.inside <= inside < span.inside + span.count:
            return span.outside + inside - span.inside
    return None


def is_identity(ranges: tuple[IdRange, ...]) -> bool:
    """Whether ids mean the same inside and outside, as on the host itself."""
    return bool(ranges) and all(span.inside == span.outside for span in ranges)


def hostname(source: Source, pid: int) -> str | None:
    """The host name in the process's UTS namespace; None when it is gone or not ours to enter.

    There is no file for it: /proc/sys/kernel/hostname shows the reader's own, also through
    /proc/PID/root. See `Live.hostname`.
    """
    try:
        return source.hostname(pid)
    except (Gone, Denied):
        return None


def time_offsets(source: Source, pid: int) -> dict[str, float]:
    """{"monotonic": 0.0, "boottime": 864000.0}: seconds added to the host's clocks."""
    rows = [line.split() for line in
            (text(source, f"/proc/{pid}/timens_offsets") or "").splitlines()]
    return {row[0]: int(row[1]) + int(row[2]) / 1e9 for row in rows if len(row) == 3}
