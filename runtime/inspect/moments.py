"""What the kernel shows of a process at one moment: the few values that a start changes.

The twin of looking at /proc/PID between two steps of a debugger; in the caller's process, reads
only. Frozen, so that a moment can be kept and looked at again when the start has long gone on.
  Moment(pid=48213, namespaces={"mnt": 4026532214, …}, root="overlay", mounts=31, uid=0, …)
  rows(moment, host) → Row("mnt", "4026531841", "4026532214", True), … the same rows in every moment
Sources: proc_pid_ns(5), proc_pid_mountinfo(5), proc_pid_status(5), proc_pid_cgroup(5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from runtime.inspect import capabilities, mounts, namespaces
from runtime.inspect.processes import parse_status
from runtime.inspect.source import Source, text


@dataclass(frozen=True, slots=True)
class Moment:
    """One process at one moment. `groups` are the paths of its control groups by hierarchy;
    `device` is the root's, "0:52": on a host whose own root is an overlay it tells the two apart.
    """

    pid: int
    inner_pid: int
    namespaces: Mapping[str, int]
    root: str
    device: str
    mounts: int
    groups: Mapping[str, str]
    effective: int
    bounding: int
    no_new_privs: bool
    seccomp: int
    uid: int
    gid: int
    hostname: str
    program: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the comparison. `own` is "" before the process is born."""

    name: str
    host: str
    own: str
    proof: str = ""

    @property
    def differs(self) -> bool:
        """Has the container its own?"""
        return bool(self.own) and self.own != self.host


def moment(source: Source, pid: int) -> Moment | None:
    """The process now; None when there is none (any more)."""
    status = parse_status(text(source, f"/proc/{pid}/status") or "")
    if "CapBnd" not in status:
        return None
    table = mounts.mounts(source, pid)
    root = mounts.mount_at(table, "/")
    return Moment(
        pid, int(status.get("NSpid", str(pid)).split()[-1]), namespaces.namespaces(source, pid),
        root.source if root else "", root.major_minor if root else "", len(table),
        _groups(source, pid),
        int(status["CapEff"], 16), int(status["CapBnd"], 16),
        status.get("NoNewPrivs") == "1", int(status.get("Seccomp", "0")),
        int(status["Uid"].split()[1]), int(status["Gid"].split()[1]),
        namespaces.hostname(source, pid) or "", status.get("Name", ""),
    )


def _groups(source: Source, pid: int) -> dict[str, str]:
    """{"memory": "/container-lab/tea", "unified": "/"}: of each hierarchy, its controllers."""
    found = {}
    for line in (text(source, f"/proc/{pid}/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers.startswith("name="):
            found[controllers or "unified"] = path
    return found


def rows(own: Moment | None, host: Moment) -> list[Row]:
    """What can be compared, in an order that never changes; before it is born, `own` is None."""
    pid = own.pid if own else 0
    status = f"/proc/{pid}/status"
    made = [(kind, str(host.namespaces[kind]), str(own.namespaces.get(kind, "")) if own else "",
             f"readlink /proc/{pid}/ns/{kind}")
            for kind in namespaces.KINDS if kind in host.namespaces]
    made += [
        ("/", host.root, _root(own, host) if own else "", f"grep ' / / ' /proc/{pid}/mountinfo"),
        ("mounts", str(host.mounts), str(own.mounts) if own else "",
         f"wc -l /proc/{pid}/mountinfo"),
        ("group", _group(host, host), _group(own, host) if own else "",
         f"cat /proc/{pid}/cgroup"),
        ("caps", _powers(host), _powers(own) if own else "", f"grep Cap {status}"),
        ("seccomp", _filter(host), _filter(own) if own else "",
         f"grep -e Seccomp -e NoNewPrivs {status}"),
        ("ids", f"{host.uid}:{host.gid}", f"{own.uid}:{own.gid}" if own else "",
         f"grep -e Uid -e Gid {status}"),
        ("host", host.hostname, own.hostname if own else "", f"nsenter -t {pid} -u hostname"),
        ("runs", host.program, f"{own.program}, pid {own.inner_pid}" if own else "",
         f"grep -e Name -e NSpid {status}"),
    ]
    return [Row(*row[:3], row[3] if own else "") for row in made]


def _root(own: Moment, host: Moment) -> str:
    """What its root is made of; of the host's kind, but another one, with the device."""
    return f"{own.root} {own.device}" if own.root == host.root and own.device != host.device \
        else own.root


def _group(own: Moment, host: Moment) -> str:
    """/container-lab/tea, and on v1 in how many of the trees: each is joined by itself."""
    theirs = [path for tree, path in own.groups.items() if path != host.groups.get(tree)]
    if not theirs:
        return next(iter(own.groups.values()), "")
    count = theirs.count(theirs[0])
    return theirs[0] if len(own.groups) == 1 else f"{theirs[0]} in {count} of {len(own.groups)}"


def _powers(own: Moment) -> str:
    """14 of 41, and how many there could ever be, where those are others."""
    every = len(capabilities.NAMES)
    has, may = own.effective.bit_count(), own.bounding.bit_count()
    return f"{has} of {every}" + (f", bound {may}" if may != has else "")


def _filter(own: Moment) -> str:
    word = capabilities.seccomp_word(own.seccomp)
    return f"{word}, no new privs" if own.no_new_privs else word


def changes(before: Moment | None, after: Moment | None,
            host: Moment) -> list[tuple[str, str, str]]:
    """(name, before, after) of every row that one operation moved."""
    if after is None:
        return []
    old = {row.name: row.own or row.host for row in rows(before, host)}
    return [(row.name, old[row.name], row.own) for row in rows(after, host)
            if row.own != old[row.name] and row.name in old]


def to_data(one: Moment) -> dict[str, Any]:
    """As JSON can hold it."""
    return asdict(one)


def from_data(data: Mapping[str, Any]) -> Moment | None:
    """What to_data made; None of what is no moment."""
    try:
        return Moment(**data)
    except TypeError:
        return None
