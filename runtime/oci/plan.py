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


class Plan:
    """Everything init needs, in memory before it is cloned."""

    __slots__ = ("bundle", "spec", "process", "rootfs", "root_mounts", "namespaces", "gate",
                 "filter", "filter_flags", "record", "filmed", "own_mounts", "pivots",
                 "move_root", "trees", "sealed_later")

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
        # Whether anybody keeps the operations; a gate always sees them.
        self.filmed = True
        self.record: int | None = None
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

    def joined_namespaces(self) -> list[tuple[str, int]]:
        """(path, flag) of those to enter instead; the user namespace first, the mount one last."""
        order = ("user", "ipc", "uts", "net", "cgroup", "time", "mnt")
        return [(path, KINDS[kind]) for kind in order if (path := self.namespaces.get(kind))]


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
