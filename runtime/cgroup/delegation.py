"""Which part of the control groups belongs to an ordinary user.

Runs in the engine and the shim of a user without root. A group is delegated when its directory and
its list of processes are his: systemd gives a user's session user@1000.service, an administrator
may give any. The highest one above our own counts, for a container's group is made below it:

    found() → Delegation("/user.slice/user-1000.slice/user@1000.service", Hierarchies(2, …))
              Delegation("", Hierarchies(1, {}, None))          nothing is

On v2 a group that holds processes itself cannot hand controllers down, so it is of no use. On v1
each hierarchy is looked at alone, and those count that have the same group for us.
Sources: cgroup-v2.rst "Delegation", "No Internal Process Constraint"; cgroups(7).
"""

from __future__ import annotations

import os

from runtime.cgroup import hierarchies
from runtime.cgroup.hierarchies import Hierarchies
from runtime.errors import Unsupported
from runtime.kernel import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroup.cgroup import Cgroup


class Delegation:
    """The path of the group that is ours, and the hierarchies it is ours in."""

    __slots__ = ("path", "hierarchies")

    def __init__(self, path: str, found: Hierarchies) -> None:
        self.path, self.hierarchies = path, found

    @property
    def controllers(self) -> list[str]:
        """What can be limited in it, by v1's names on v1: ["memory", "pids"]."""
        return list(self.hierarchies.controllers)

    @property
    def exists(self) -> bool:
        """Is there one at all?"""
        return bool(self.hierarchies.controllers or self.hierarchies.unified)


def found(text: str | None = None) -> Delegation:
    """What is delegated to this process; `text` stands in for /proc/self/cgroup."""
    try:
        host = hierarchies.find()
    except Unsupported:
        return Delegation("", Hierarchies(1, {}, None))
    own = own_paths(files.read("/proc/self/cgroup") or "" if text is None else text)
    if host.version == 2:
        return unified(host, own.get("", "/"))
    tops = {name: highest(point, own.get(name, "/")) for name, point in host.controllers.items()}
    beside = highest(host.unified, own.get("", "/")) if host.unified else None
    path = next((top for top in (tops.get("memory"), *tops.values(), beside) if top), None)
    if path is None:
        return Delegation("", Hierarchies(1, {}, None))
    return Delegation(path, Hierarchies(
        1, {name: host.controllers[name] for name, top in tops.items() if top == path},
        host.unified if beside == path else None))


def unified(host: Hierarchies, own: str) -> Delegation:
    """The same on v2: the controllers that the group has to hand down."""
    assert host.unified is not None
    path = highest(host.unified, own)
    directory = f"{host.unified}{path or ''}"
    handed = (files.read(f"{directory}/cgroup.subtree_control") or "").split()
    if path is None or (not handed and (files.read(f"{directory}/cgroup.procs") or "").strip()):
        return Delegation("", Hierarchies(2, {}, None))
    have = (files.read(f"{directory}/cgroup.controllers") or "").split()
    return Delegation(path, Hierarchies(2, dict.fromkeys(have, host.unified), host.unified))


def own_paths(text: str) -> dict[str, str]:
    """The group of each controller, "" for v2's: "4:cpu,cpuacct:/x" → {"cpu": "/x", …}."""
    paths = {}
    for line in text.splitlines():
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        paths.update(dict.fromkeys(names.split(","), path))
    return paths


def highest(point: str, own: str) -> str | None:
    """The highest group from our own upwards that is ours to fill; None if our own is not."""
    path, best = own.rstrip("/"), None
    while ours(point + path):
        best = path
        if not path:
            break
        path = path.rpartition("/")[0]
    return best


def ours(directory: str) -> bool:
    """May we make groups in it, and move processes between those?"""
    return all(os.access(path, os.W_OK) for path in (directory, f"{directory}/cgroup.procs"))


def open_group(path: str, controllers: list[str], beside: bool) -> Cgroup:
    """The group of a container: with these controllers, and `beside` them in the v2 tree."""
    host = hierarchies.find()
    chosen = {name: point for name, point in host.controllers.items() if name in controllers}
    if not chosen and not beside:
        from runtime.cgroup.none import NoGroup

        return NoGroup(path, Hierarchies(0, {}, None))
    from runtime.cgroup import cgroup

    return cgroup.open_group(path, Hierarchies(host.version, chosen,
                                               host.unified if beside else None))
