"""What a lesson asks of the host, compared with the doctor's report.

    requires = ["cgroup:memory", "overlay"]      in lesson.toml
    Unmet("cgroup:memory", "no memory controller …", "add cgroup_enable=memory …")

A lesson that cannot be played here says why and what would change it; it never vanishes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SLUGS = (
    "root", "overlay", "userns",
    "cgroup:memory", "cgroup:cpu", "cgroup:pids", "cgroup:freezer",
    "ns:mnt", "ns:pid", "ns:net", "ns:uts", "ns:ipc", "ns:cgroup", "ns:user", "ns:time",
)


@dataclass(frozen=True, slots=True)
class Unmet:
    """Why this host cannot play a lesson. Unpacks as (slug, reason, command)."""

    slug: str
    reason: str
    command: str

    def __iter__(self) -> Iterator[str]:
        return iter((self.slug, self.reason, self.command))


def lacking(report: Any, slug: str) -> Unmet | None:
    """What is missing for `slug` by this report, or None."""
    return None
