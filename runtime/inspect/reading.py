"""The contract of everything in `inspect/`: what a Source answers, and how it says no.

In the caller's process. Two sources keep it, the live host (`source.py`) and a recording of one
(`recording.py`), so a pane, a lesson's check and a test read alike. A path that is not there, or
whose process died between two reads, is `Gone`; one that this user may not read is `Denied`.
  source.read("/proc/48213/comm")            "hog\n"
  source.readlink("/proc/48213/ns/pid")      "pid:[4026532217]"
Source: proc(5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from runtime.errors import Denied, NotFound

__all__ = ["Denied", "Gone", "Source", "Stat", "link", "names", "text"]


class Gone(NotFound):
    """The path is not there, or its process has died meanwhile."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What lstat(2) says of a path; `device` of a device node is (major, minor), else (0, 0)."""

    mode: int
    inode: int
    device: tuple[int, int]
    filesystem: int
    uid: int
    gid: int
    size_bytes: int
    links: int
    modified_s: float


class Source(Protocol):
    """What every function of `inspect/` reads through. Each method raises Gone or Denied."""

    def read(self, path: str) -> str:
        """The whole text of a file."""

    def readlink(self, path: str) -> str:
        """The target of a symbolic link, such as `pid:[4026531836]`."""

    def listdir(self, path: str) -> list[str]:
        """The names in a directory, sorted."""

    def exists(self, path: str) -> bool:
        """Whether the path is there; raises nothing."""

    def lstat(self, path: str) -> Stat:
        """What the path itself is, links not followed."""

    def stat_inode(self, path: str) -> int:
        """The inode number behind the path, links followed."""

    def lxattr(self, path: str, name: str) -> bytes | None:
        """An extended attribute of the path itself; None when it has no such attribute."""

    def hostname(self, pid: int) -> str:
        """The host name in the UTS namespace of a process."""

    def links(self, path: str) -> list[dict[str, Any]]:
        """The network links in the namespace behind /proc/PID/ns/net, see `links.py`."""

    def ns_related(self, path: str, relation: str) -> int:
        """The inode of the "owner" or the "parent" of the namespace behind /proc/PID/ns/KIND."""

    def now(self) -> float:
        """Seconds since the epoch at the moment that is being read."""


def text(source: Source, path: str) -> str | None:
    """The text of a file, or None when it is gone or not ours to read."""
    try:
        return source.read(path)
    except (Gone, Denied):
        return None


def link(source: Source, path: str) -> str | None:
    """The target of a link, or None when it is gone or not ours to read."""
    try:
        return source.readlink(path)
    except (Gone, Denied):
        return None


def names(source: Source, path: str) -> list[str]:
    """The names in a directory; none when it is gone or not ours to read."""
    try:
        return source.listdir(path)
    except (Gone, Denied):
        return []
