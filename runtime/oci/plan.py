"""A start, planned: the bundle read and judged before the kernel is asked for anything.

Runs in the shim. A bundle is a directory with config.json (OCI runtime-spec) and, as containerd
hands it to a shim, the mounts that make the root: [{"type": "overlay", "source": "overlay",
"options": ["lowerdir=/l2:/l1", "upperdir=/u", "workdir=/w"]}]; none means rootfs/ is the root.
What this runtime does not do is refused before anything is made (spec.py).
"""

from __future__ import annotations

import os

from runtime import documents
from runtime.errors import Invalid
from runtime.kernel.namespaces import KINDS
from runtime.oci.spec import NAMESPACE_TYPES, check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.agent import Agent


class Plan:
    """Everything init needs, in memory before it is cloned."""

    __slots__ = ("bundle", "spec", "process", "rootfs", "root_mounts", "namespaces", "gate",
                 "filter", "filter_flags", "record", "filmed", "own_mounts", "pivots",
                 "move_root", "trees", "sealed_later", "ident", "listener", "passed_on",
                 "new_keyring", "agent", "doors", "rootless")

    def __init__(self, bundle: str, spec: dict[str, Any],
                 root_mounts: list[dict[str, Any]] | None = None, gate: str | None = None,
                 without: tuple[str, ...] = ()) -> None:
        self.bundle, self.spec = bundle, spec
        check(spec, host_mounts="mount" in without)
        self.process: dict[str, Any] = spec["process"]
        self.rootfs = os.path.join(bundle, spec["root"]["path"])
        self.root_mounts = root_mounts or []
        self.gate = gate
        self.namespaces: dict[str, str | None] = {
            NAMESPACE_TYPES[entry["type"]]: entry.get("path") or None
            for entry in (spec.get("linux") or {}).get("namespaces") or []
        }
        # Both are always so, but for who asked to see what they are for (engine/ablation.py).
        self.own_mounts = "mnt" in self.namespaces
        self.pivots = self.own_mounts and "pivot" not in without
        self.filter, self.filter_flags = b"", 0
        # Who is asked about a call that the filter leaves open (agent.py).
        self.agent: Agent | None = None
        # Descriptors of the namespaces to be entered, by kind (namespaces.py).
        self.doors: dict[str, int] = {}
        self.rootless = os.geteuid() != 0
        # Whether anybody keeps the operations; a gate always sees them.
        self.filmed = True
        self.record: int | None = None
        # What the container is called where hooks are told of it.
        self.ident = os.path.basename(bundle)
        # A socket that init waits behind when its maker is gone (commands/making.py).
        self.listener: int | None = None
        # How many descriptors from 3 on are the program's; runc's --preserve-fds, LISTEN_FDS.
        self.passed_on = 0
        self.new_keyring = True
        # runc's --no-pivot: MS_MOVE and chroot, for a root that pivot_root refuses.
        self.move_root = False
        # Sources of binds that the shim had to open (sources.py), by their place in mounts.
        self.trees: dict[int, int] = {}
        # Mounts that become read-only when everything is in them.
        self.sealed_later: list[int] = []

    def new_namespace(self, kind: str) -> bool:
        """Is a namespace of this kind (mnt, pid, …) made for the container?"""
        return kind in self.namespaces and self.namespaces[kind] is None

    def has_cgroup_namespace(self) -> bool:
        """Does the container see its own group as the root of the groups?"""
        return "cgroup" in self.namespaces

    def clone_flags(self) -> int:
        """What clone3 makes. The cgroup namespace comes later, by unshare, once inside the group;
        the time namespace before, by the shim's unshare, whose children are born into it."""
        flags = 0
        for kind in self.namespaces:
            if self.new_namespace(kind) and kind not in ("cgroup", "time"):
                flags |= KINDS[kind]
        return flags

    @staticmethod
    def kind_of(entry: dict[str, Any]) -> str:
        """The kernel's word for the kind of an entry of config.json's namespaces: "mnt"."""
        return NAMESPACE_TYPES[entry["type"]]

    def joins(self) -> bool:
        """Is there a namespace to be entered instead of made?"""
        return any(self.namespaces.values())


    def has_visitors(self) -> bool:
        """May anyone be inside while init still runs our own program?

        An ordinary user's is told no: what he runs is not his to write, and he must look inside.
        """
        return (bool(self.doors) or self.listener is not None) and not self.rootless

    def inherited(self) -> list[int]:
        """Descriptors that were opened on the host's side, for init to use."""
        fds = [*self.trees.values(), *self.doors.values()]
        if self.listener is not None:
            fds.append(self.listener)
        return fds if self.agent is None else fds + self.agent.descriptors()

    def let_go(self) -> None:
        """On the host's side: close them; init has its own. The listener is its maker's."""
        for fd in (*self.trees.values(), *self.doors.values()):
            os.close(fd)
        self.trees, self.doors = {}, {}
        if self.agent is not None:
            self.agent.close()
            self.agent = None


def load(bundle: str, root_mounts: list[dict[str, Any]] | None = None,
         gate: str | None = None, without: tuple[str, ...] = ()) -> Plan:
    """Read and judge a bundle, to be started `without` "mount" or "pivot".

    Raises NotFound, Invalid, Unsupported.
    """
    try:
        spec = documents.read(os.path.join(bundle, "config.json"))
    except FileNotFoundError:
        raise Invalid(f"read the bundle {bundle}: it has no config.json") from None
    return Plan(bundle, spec, root_mounts, gate, without)
