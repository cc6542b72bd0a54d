"""Processes as /proc shows them: status, stat, and the links of one; children and trees.

The twin of ps and pstree, in the caller's process; reads only. A process that ended is None, and
a value this user may not read is "" (links) or 0, never an exception.
  Process(pid=48213, ppid=48190, comm="sh", state="S", ns_pids=(48213, 1), sig_caught=0x14002, …)
`ns_pids` runs from the reader's PID namespace inwards: the last is what the process calls itself.
Sources: proc_pid_status(5), proc_pid_stat(5), proc_tid_children(5).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from runtime.inspect import capabilities
from runtime.inspect.source import Source, link, names, text

STATES = {
    "R": "running", "S": "sleeping", "D": "uninterruptible", "Z": "zombie", "T": "stopped",
    "t": "traced", "I": "idle", "X": "dead",
}


@dataclass(frozen=True, slots=True)
class Process:
    """One process, as its files under /proc/PID stood when they were read."""

    pid: int
    ppid: int
    comm: str
    cmdline: tuple[str, ...]
    state: str
    start_ticks: int
    uid: int
    gid: int
    ns_pids: tuple[int, ...]
    threads: int
    rss_bytes: int
    sig_caught: int
    sig_blocked: int
    sig_ignored: int
    cap_eff: int
    cap_bnd: int
    cap_prm: int
    cap_inh: int
    cap_amb: int
    no_new_privs: bool
    seccomp: int
    wchan: str
    cwd: str
    root: str
    exe: str

    @property
    def command(self) -> str:
        """The command line as text; a kernel thread or a zombie has only `[comm]`."""
        return " ".join(self.cmdline) or f"[{self.comm}]"

    @property
    def inner_pid(self) -> int:
        """What the process calls itself: its pid in its own PID namespace."""
        return self.ns_pids[-1] if self.ns_pids else self.pid

    @property
    def state_word(self) -> str:
        return STATES.get(self.state, self.state)

    @property
    def is_zombie(self) -> bool:
        return self.state == "Z"


@dataclass(frozen=True, slots=True)
class Node:
    """A process and its children, oldest first; `depth` counts from the root of the tree."""

    process: Process
    children: tuple[Node, ...]
    depth: int


def process(source: Source, pid: int) -> Process | None:
    """The process, or None when there is none (any more)."""
    status_text = text(source, f"/proc/{pid}/status")
    stat = parse_stat(text(source, f"/proc/{pid}/stat") or "")
    if status_text is None or stat is None:
        return None
    status = parse_status(status_text)
    comm, fields = stat
    numbers = {name: _mask(status, name) for name in _MASKS}
    return Process(
        pid=pid, ppid=int(fields[1]), comm=comm, cmdline=command_line(source, pid),
        state=fields[0], start_ticks=int(fields[19]),
        uid=_number(status, "Uid", 1), gid=_number(status, "Gid", 1),
        ns_pids=tuple(int(word) for word in status.get("NSpid", str(pid)).split()),
        threads=_number(status, "Threads"), rss_bytes=_number(status, "VmRSS") * 1024,
        sig_caught=numbers["SigCgt"], sig_blocked=numbers["SigBlk"],
        sig_ignored=numbers["SigIgn"], cap_eff=numbers["CapEff"], cap_bnd=numbers["CapBnd"],
        cap_prm=numbers["CapPrm"], cap_inh=numbers["CapInh"], cap_amb=numbers["CapAmb"],
        no_new_privs=_number(status, "NoNewPrivs") == 1, seccomp=_number(status, "Seccomp"),
        wchan=_wait_channel(source, pid), cwd=link(source, f"/proc/{pid}/cwd") or "",
        root=link(source, f"/proc/{pid}/root") or "", exe=link(source, f"/proc/{pid}/exe") or "",
    )


_MASKS = ("SigCgt", "SigBlk", "SigIgn", "CapEff", "CapBnd", "CapPrm", "CapInh", "CapAmb")


def parse_status(status: str) -> dict[str, str]:
    """The lines of /proc/PID/status: {"NSpid": "48213 1", "Seccomp": "2", …}."""
    fields = {}
    for line in status.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields[name] = " ".join(value.split())
    return fields


def parse_stat(stat: str) -> tuple[str, list[str]] | None:
    """(comm, the fields behind it: state, ppid, …). The comm itself may hold `)` and spaces."""
    start, end = stat.find("("), stat.rfind(")")
    fields = stat[end + 2:].split()
    return (stat[start + 1:end], fields) if 0 < start < end and len(fields) > 19 else None


def command_line(source: Source, pid: int) -> tuple[str, ...]:
    """The arguments of a process, as /proc/PID/cmdline has them now; it may have rewritten them."""
    raw = text(source, f"/proc/{pid}/cmdline") or ""
    return tuple(raw.removesuffix("\0").split("\0")) if raw else ()


def start_ticks(source: Source, pid: int) -> int | None:
    """When the process began, in clock ticks since boot: with the pid, its identity."""
    stat = parse_stat(text(source, f"/proc/{pid}/stat") or "")
    return int(stat[1][19]) if stat else None


def pids(source: Source) -> list[int]:
    """Every process of the host that /proc shows, in number order."""
    return sorted(int(name) for name in names(source, "/proc") if name.isdecimal())


def parents(source: Source) -> dict[int, int]:
    """{pid: its parent's pid} of every process, from one pass over /proc."""
    found = {}
    for pid in pids(source):
        stat = parse_stat(text(source, f"/proc/{pid}/stat") or "")
        if stat:
            found[pid] = int(stat[1][1])
    return found


def children(source: Source, pid: int) -> list[int]:
    """The pids of the children, oldest first by number."""
    tasks = names(source, f"/proc/{pid}/task")
    texts = [text(source, f"/proc/{pid}/task/{task}/children") for task in tasks]
    if any(line is not None for line in texts):
        return sorted(int(word) for line in texts if line for word in line.split())
    # A kernel without CONFIG_PROC_CHILDREN, or a recording that did not keep the file.
    return sorted(child for child, parent in parents(source).items() if parent == pid)


def tree(source: Source, pid: int, depth: int = 0) -> Node | None:
    """The process with all below it; None when it is gone. Children that ended are left out."""
    top = process(source, pid)
    if top is None:
        return None
    below = (tree(source, child, depth + 1) for child in children(source, pid))
    return Node(top, tuple(node for node in below if node), depth)


def flatten(node: Node | None) -> list[Node]:
    """The nodes of a tree, top-down, as rows of a pane."""
    if node is None:
        return []
    return [node, *(row for child in node.children for row in flatten(child))]


def caught_signals(one: Process) -> list[str]:
    """The signals the process has a handler for: ["TERM", "CHLD"]; pid 1 ignores the others."""
    return list(capabilities.decode_signals(one.sig_caught))


def ignored_signals(one: Process) -> list[str]:
    """The signals the process asked to ignore."""
    return list(capabilities.decode_signals(one.sig_ignored))


def exit_word(code: int) -> str:
    """What an exit code says of itself: 137 is `128 + 9 (KILL)`, 0 is `success`."""
    if code == 0:
        return "success"
    if 128 < code <= 128 + 64:
        return f"128 + {code - 128} ({capabilities.signal_name(code - 128)})"
    return {125: "docker itself failed", 126: "command cannot be run",
            127: "command not found"}.get(code, "the program's own code")


def age_s(source: Source, one: Process) -> float:
    """Seconds since the process began."""
    uptime = float((text(source, "/proc/uptime") or "0").split()[0])
    return max(0.0, uptime - one.start_ticks / os.sysconf("SC_CLK_TCK"))


def _wait_channel(source: Source, pid: int) -> str:
    # "0" is the kernel's word for: it runs, or you may not know.
    word = (text(source, f"/proc/{pid}/wchan") or "").strip()
    return "" if word == "0" else word


def _mask(status: dict[str, str], name: str) -> int:
    return int(status.get(name, "0"), 16)


def _number(status: dict[str, str], name: str, word: int = 0) -> int:
    words = status.get(name, "").split()
    return int(words[word]) if len(words) > word else 0
