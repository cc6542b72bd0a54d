"""One container as it is on disk, and how to find one.

Runs in whoever embeds the engine. A Container is the fixed facts of container.json, and the state
read at every look; a state that outlived its shim (killed, or the host went down) is put right by
whoever looks. A container.json cut short takes away what was asked for, not the container: it is
still listed, as dead, and `rm -f` removes it; whatever needs the lost facts says so.
"""

from __future__ import annotations

import os

from runtime import documents
from runtime.engine import store
from runtime.errors import Invalid, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.engine.store import Places


class Container:
    """One container; `damage` says in one line what is wrong with its files, "" if nothing is."""

    __slots__ = ("id", "name", "directory", "config", "places", "damage")

    def __init__(self, places: Places, ident: str) -> None:
        self.places, self.id = places, ident
        self.directory = places.container(ident)
        self.damage = ""
        try:
            self.config: dict[str, Any] = documents.read(f"{self.directory}/container.json")
            self.name: str = self.config["Name"].lstrip("/")
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"No such container: {ident}") from None
        except (Invalid, KeyError, TypeError, AttributeError) as error:
            self.damage = str(error) if isinstance(error, Invalid) else \
                f"read {self.directory}/container.json: it is not a container's"
            self.name = store.name_of(places, ident)
            self.config = nothing_known(ident, self.name)

    @property
    def state(self) -> dict[str, Any]:
        """state.json as it is now, put right if its shim is gone."""
        state = store.read_state(self.directory)
        if store.lost(state):
            from runtime.engine import repair

            state = repair.after_lost_shim(self)
        if self.damage and state["Status"] not in store.LIVE:
            state.update(Status="dead", Error=self.damage)
        return state

    def settle(self) -> str:
        """Its status, put right if its shim was lost; for who has its lock. Raises NotFound."""
        state = store.read_state(self.directory)
        if store.lost(state):
            from runtime.engine import repair

            state = repair.under_lock(self)
            if not os.path.isdir(self.directory):  # --rm, which its shim could not do any more
                raise NotFound(f"No such container: {self.name}")
        return str(state["Status"])

    def check_whole(self) -> None:
        """Raises Invalid for one whose container.json was cut short."""
        if self.damage:
            raise Invalid(self.damage)

    @property
    def cgroup(self) -> str:
        """The path of its control group, the same in every hierarchy."""
        if self.places.rootless:
            # Made where its starter's groups were, which may not be where ours are.
            kept = store.read_state(self.directory).get("Cgroup")
            if kept:
                return str(kept)
        return f"{self.places.group}/{self.name}"

    @property
    def run(self) -> str:
        """The directory of the shim's socket."""
        return f"{self.places.run}/{self.id}"

    @property
    def log_path(self) -> str:
        """The json-file log."""
        return f"{self.directory}/{self.id}-json.log"

    @property
    def status(self) -> str:
        """created, running, paused, exited or dead."""
        return str(self.state["Status"])

    @property
    def pid(self) -> int:
        """The pid of the first process, as the host counts; 0 when there is none."""
        return int(self.state["Pid"])

    @property
    def exit_code(self) -> int:
        """The exit code of the last run; 0 before there was one."""
        return int(self.state["ExitCode"])

    @property
    def oom_killed(self) -> bool:
        """Did the kernel's counter show an OOM kill in the last run?"""
        return bool(self.state["OOMKilled"])

    def write_state(self, state: dict[str, Any]) -> None:
        """Replace state.json; only while no shim lives."""
        documents.write(f"{self.directory}/state.json", state)


def nothing_known(ident: str, name: str) -> dict[str, Any]:
    """A container.json in place of one that cannot be read, so that listing it is possible."""
    return {"Id": ident, "Name": f"/{name}", "Created": store.ZERO_TIME, "Path": "", "Args": [],
            "Image": "", "Config": {"Image": "", "Labels": {}}, "HostConfig": {}, "Layers": []}


def find(places: Places, reference: str) -> Container:
    """The container of this name, id, or prefix of an id that only one has. Raises NotFound."""
    bare = reference.removeprefix("/")
    if "/" in bare:  # a path is no name, and no way to a directory of somebody else's either
        raise NotFound(f"No such container: {reference}")
    if len(bare) == 64 and os.path.isdir(places.container(bare)):
        return Container(places, bare)
    if bare:
        owner = store.text(f"{places.root}/names/{bare}")
        if owner and os.path.isdir(places.container(owner)):
            return Container(places, owner)
    matches = [ident for ident in store.idents(places) if bare and ident.startswith(bare)]
    if not matches:
        # A removal that stopped half-way has given the name back, and listed it still is.
        matches = [each.id for each in every(places) if each.name == bare]
    if not matches:
        raise NotFound(f"No such container: {reference}")
    if len(matches) > 1:
        raise Invalid(f"multiple IDs found with provided prefix: {reference}")
    return Container(places, matches[0])


def every(places: Places) -> list[Container]:
    """All containers, the newest first. One that is just being made or removed is left out."""
    found = []
    for ident in store.idents(places):
        try:
            found.append(Container(places, ident))
        except NotFound:
            continue
    found.sort(key=lambda container: str(container.config["Created"]), reverse=True)
    return found
