"""What checks may look at: the engine's containers and events, and the kernel through a Source.

`World` is the seam: `EngineWorld` is the live one, tests put a made-up one in its place, and so a
check is a unit test without root. Reads only. A container that any command made is seen the same
way, since nothing here knows what was typed.

    world.container("ink") -> Facts("6e4f…", "ink", "exited", 0, 137, True, "/container-lab/ink")
    world.group("ink", "memory.events") -> GroupFile("max 231\noom_kill 1\n", "/sys/fs/…", False)
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Protocol

from runtime.errors import Denied, Invalid, LabError, NotFound
from runtime.inspect import cgroups, mounts
from runtime.inspect.layers import Layers, layers_of
from runtime.inspect.source import Source


@dataclass(frozen=True, slots=True)
class Facts:
    """A container as the engine knows it. `pid` 0: no process; `path` is where that was read."""

    id: str
    name: str
    status: str
    pid: int = 0
    exit_code: int = 0
    oom_killed: bool = False
    group: str = ""
    path: str = ""
    created_ns: int = 0


@dataclass(frozen=True, slots=True)
class GroupFile:
    """A file of a container's cgroup in v2 words; `alive` is False when read from what was kept."""

    text: str
    path: str
    alive: bool = True


class World(Protocol):
    """Everything a check may read."""

    @property
    def source(self) -> Source:
        """The kernel: live, or recorded."""

    def container(self, name: str) -> Facts | None:
        """The container of exactly that name (or id), or None."""

    def containers(self) -> list[Facts]:
        """All of them, newest first."""

    def events(self, since_ns: int) -> list[dict[str, Any]]:
        """Docker's events since then, oldest first."""

    def group(self, name: str, file: str) -> GroupFile | None:
        """A v2 file of the container's group, also after its death, or None."""

    def layers(self, name: str) -> Layers | None:
        """The overlay of the container, running or not."""

    def operations(self, name: str) -> list[dict[str, Any]]:
        """Its birth certificate."""


class EngineWorld:
    """The live world: our engine, and a Source beside it."""

    def __init__(self, engine: Any, source: Source) -> None:
        self._engine = engine
        self._source = source

    @property
    def source(self) -> Source:
        return self._source

    def container(self, name: str) -> Facts | None:
        found = self._find(name)
        return None if found is None else _facts(found)

    def containers(self) -> list[Facts]:
        # Who may not look at the lab's state can still read the course: there is nothing of theirs.
        try:
            return [_facts(found) for found in self._engine.containers()]
        except PermissionError:
            return []

    def events(self, since_ns: int) -> list[dict[str, Any]]:
        try:
            return list(self._engine.events(since_ns))
        except PermissionError as error:
            raise _denied(error) from None

    def group(self, name: str, file: str) -> GroupFile | None:
        found = self._find(name)
        if found is None:
            return None
        usage = cgroups.usage(self._source, found.cgroup, None, [file])
        if not usage.exists and not _alive(found):
            usage = cgroups.usage(self._source, found.cgroup, self._kept(found.id), [])
        if file not in usage.texts:
            return None
        return GroupFile(usage.texts[file], usage.paths[file], usage.exists)

    def layers(self, name: str) -> Layers | None:
        found = self._find(name)
        if found is None:
            return None
        if _alive(found):
            root = mounts.mount_at(mounts.mounts(self._source, found.pid), "/")
            return layers_of(root) if root else None
        # The engine lists the image's layers from the lowest up; the kernel looks from the top.
        lowers = tuple(reversed(found.config.get("Layers", ())))
        return Layers(os.path.join(found.directory, "upper"), lowers)

    def operations(self, name: str) -> list[dict[str, Any]]:
        try:
            return list(self._engine.operations(name))
        except (LabError, PermissionError):
            return []

    def _kept(self, container_id: str) -> dict[str, Any]:
        try:
            return dict(self._engine.last_cgroup(container_id))
        except (LabError, PermissionError):
            return {}

    def _find(self, name: str) -> Any:
        # Only the exact name: a prefix of some id is a convenience for people, not evidence.
        try:
            found = self._engine.find(name)
        except (NotFound, Invalid):
            return None
        except PermissionError as error:
            raise _denied(error) from None
        return found if name in (found.name, found.id) else None


def _denied(error: PermissionError) -> Denied:
    return Denied(f"read {error.filename}: permission denied",
                  "sudo, or --root DIR for a lab of your own")


def _alive(container: Any) -> bool:
    return container.status in ("running", "paused") and container.pid > 0


def _facts(container: Any) -> Facts:
    state = container.state
    return Facts(
        container.id, container.name, str(state.get("Status", "")), int(state.get("Pid") or 0),
        int(state.get("ExitCode") or 0), bool(state.get("OOMKilled")), container.cgroup,
        os.path.join(container.directory, "state.json"),
        nanoseconds(str(container.config.get("Created", ""))),
    )


def nanoseconds(stamp: str) -> int:
    """Docker's time `2026-11-24T12:00:00.123456789Z` in nanoseconds since the epoch; 0 if none."""
    import datetime

    whole, _, fraction = stamp.rstrip("Z").partition(".")
    try:
        moment = datetime.datetime.fromisoformat(whole + "+00:00")
    except ValueError:
        return 0
    return int(moment.timestamp()) * 10**9 + int((fraction + "0" * 9)[:9] or 0)
