"""What a process may still do: capabilities, no_new_privs, seccomp, and what of /proc is hidden.

The twin of amicontained and pscap, in the caller's process; reads only. All of it from the kernel:
/proc/PID/status for the five sets and the modes, /proc/PID/mountinfo for masked and read-only
paths, whatever config.json asked for.
  security(source, 48213).effective == 0xa80425fb     Docker's default fourteen
What a filter says to one system call no file shows: that is the lab's to ask of the profile.
Sources: capabilities(7), proc_pid_status(5), seccomp(2), proc_pid_attr(5).
"""

from __future__ import annotations

from dataclasses import dataclass

from runtime.inspect import mounts
from runtime.inspect.processes import parse_status
from runtime.inspect.source import Source, text

# The word of the specification, and the line of /proc/PID/status.
SETS = (("bounding", "CapBnd"), ("permitted", "CapPrm"), ("effective", "CapEff"),
        ("inheritable", "CapInh"), ("ambient", "CapAmb"))


@dataclass(frozen=True, slots=True)
class Security:
    """One process. Sets are masks (inspect/capabilities.py decodes them)."""

    pid: int
    bounding: int
    permitted: int
    effective: int
    inheritable: int
    ambient: int
    no_new_privs: bool
    seccomp: int
    # How many filters are stacked; None on a kernel before 5.9, which does not say.
    filters: int | None = None
    label: str = ""
    masked: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()

    def set(self, name: str) -> int:
        """One of the five by its name: set("bounding")."""
        return {"bounding": self.bounding, "permitted": self.permitted,
                "effective": self.effective, "inheritable": self.inheritable,
                "ambient": self.ambient}[name]


def security(source: Source, pid: int | str) -> Security | None:
    """The process, or None when there is none (any more)."""
    status = parse_status(text(source, f"/proc/{pid}/status") or "")
    if "CapBnd" not in status:
        return None
    table = mounts.mounts(source, pid)
    label = (text(source, f"/proc/{pid}/attr/current") or "").strip().rstrip("\0")
    filters = status.get("Seccomp_filters")
    masks = {name: int(status.get(line, "0"), 16) for name, line in SETS}
    return Security(
        int(status.get("Pid", "0")), masks["bounding"], masks["permitted"], masks["effective"],
        masks["inheritable"], masks["ambient"],
        no_new_privs=status.get("NoNewPrivs") == "1", seccomp=int(status.get("Seccomp", "0")),
        filters=None if filters is None else int(filters), label=label,
        masked=tuple(sorted(row.target for row in table if mounts.is_mask(row))),
        read_only=tuple(sorted(row.target for row in table if mounts.is_locked(row))),
    )
