"""The driver of generation 1, and of hybrid hosts: each controller in a hierarchy of its own.

Runs where cgroup.py says. A group is up to eight directories of the same path. On a hybrid host it
also has one in the v2 tree, which has no controllers but cgroup.kill and pressure files; init is
born in that one (CLONE_INTO_CGROUP) and joins the others itself.
Sources: Documentation/admin-guide/cgroup-v1/{memory,cpusets,freezer-subsystem,devices}.rst.
"""

from __future__ import annotations

import errno
import os
from time import monotonic, sleep

from runtime.cgroup.cgroup import Cgroup
from runtime.errors import KernelError, Unsupported
from runtime.kernel import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cgroup.hierarchies import Hierarchies

FREEZE_PATIENCE_S = 5.0
AFTER_QUOTA = ("cpu.cfs_period_us", "cpu.cfs_burst_us")
# Controllers that a hybrid host may have left to its v2 tree, which has none of the others.
MAY_BE_UNIFIED = (("hugepageLimits", "hugetlb"), ("rdma", "rdma"))


class CgroupV1(Cgroup):
    """A group on a v1 or hybrid host."""

    version = 1

    def __init__(self, path: str, found: Hierarchies) -> None:
        super().__init__(path, found)
        self.unified = found.unified + path if found.unified else None

    def directories(self) -> list[str]:
        own = super().directories()
        return [*own, self.unified] if self.unified else own

    def make(self, directory: str) -> None:
        cpuset = directory == self.paths.get("cpuset")
        self.make_parents(os.path.dirname(directory), cpuset)
        self.make_anew(directory)
        # cpuset: a group with empty cpus or mems takes no process (ENOSPC). With clone_children
        # the kernel fills in the parent's at mkdir.
        if cpuset and not (files.read(f"{directory}/cpuset.cpus") or "").strip():
            self.inherit_cpuset(directory)

    def make_parents(self, directory: str, cpuset: bool) -> None:
        """The groups above, as far as they are missing."""
        if os.path.isdir(directory):
            return
        self.make_parents(os.path.dirname(directory), cpuset)
        self.make_directory(directory)
        if cpuset:
            self.inherit_cpuset(directory)
            files.write_control(f"{directory}/cgroup.clone_children", "1")

    @staticmethod
    def inherit_cpuset(directory: str) -> None:
        """Fill cpuset.cpus and mems from the group above, which may have to be filled first."""
        for name in ("cpuset.cpus", "cpuset.mems"):
            if not (files.read(f"{directory}/{name}") or "").strip():
                above = os.path.dirname(directory)
                text = (files.read(f"{above}/{name}") or "").strip()
                if not text:
                    CgroupV1.inherit_cpuset(above)
                    text = (files.read(f"{above}/{name}") or "").strip()
                files.write_control(f"{directory}/{name}", text)

    def apply(self, resources: dict[str, Any]) -> None:
        from runtime.cgroup.resources import v1_writes

        resources = self.apply_unified(resources)
        again = []
        for controller, name, text in v1_writes(resources, self.hierarchies, self.has):
            try:
                self.set_limit(controller, name, text, resources)
            except KernelError as error:
                # A shorter period or a longer burst may not go with the old quota: after the new.
                if name not in AFTER_QUOTA or error.errno != errno.EINVAL or \
                        not (resources.get("cpu") or {}).get("quota"):
                    raise
                again.append((controller, name, text))
        for controller, name, text in again:
            self.write(controller, name, text)

    def apply_unified(self, resources: dict[str, Any]) -> dict[str, Any]:
        """Set what this host's v2 tree has the controller for; what is left is v1's."""
        elsewhere = {section: resources[section] for section, controller in MAY_BE_UNIFIED
                     if resources.get(section) and controller not in self.paths}
        if not elsewhere or self.unified is None:
            return resources
        from runtime.cgroup.hierarchies import Hierarchies
        from runtime.cgroup.v2 import CgroupV2

        have = (files.read(f"{self.hierarchies.unified}/cgroup.controllers") or "").split()
        for section, controller in MAY_BE_UNIFIED:
            if section in elsewhere and controller in have:
                beside = Hierarchies(2, {}, self.hierarchies.unified)
                CgroupV2(self.path, beside).apply({section: resources[section]})
                resources = {key: each for key, each in resources.items() if key != section}
        return resources

    def has(self, name: str) -> bool:
        """Does the group have this file? "blkio.weight" """
        directory = self.paths.get(name.partition(".")[0])
        return directory is not None and os.path.exists(f"{directory}/{name}")

    def set_limit(self, controller: str, name: str, text: str, resources: dict[str, Any]) -> None:
        """Write one limit. Raises Unsupported where this kernel has no such file."""
        try:
            if name == "memory.limit_in_bytes":
                self.write_memory(name, text, resources)
            else:
                self.write(controller, name, text)
        except KernelError as error:
            if error.errno != errno.ENOENT or not self.exists():
                raise
            raise Unsupported(f"set {name}: this kernel's {controller} controller has no such file"
                              ) from None

    def write_memory(self, name: str, text: str, resources: dict[str, Any]) -> None:
        """memsw ≥ limit must hold at every moment: on the way up, memsw has to go first."""
        try:
            self.write("memory", name, text)
        except KernelError as error:
            memory = resources.get("memory") or {}
            swap = memory.get("swap") or (-1 if memory.get("limit") == -1 else None)
            if error.errno != errno.EINVAL or swap is None:
                raise
            self.write("memory", "memory.memsw.limit_in_bytes", str(swap))
            self.write("memory", name, text)

    def birth_fd(self) -> int | None:
        if self.unified is None:
            return None
        return os.open(self.unified, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def open_joins(self) -> list[int]:
        return [os.open(f"{directory}/tasks", os.O_WRONLY | os.O_CLOEXEC)
                for directory in Cgroup.directories(self)]

    def join_self(self, joins: list[int]) -> None:
        # "0" to `tasks` moves the writing thread only, for which the kernel takes no global lock:
        # a pid to cgroup.procs after idle waits an RCU grace period of 5–17 ms. We have one thread.
        for fd, directory in zip(joins, Cgroup.directories(self), strict=True):
            files.write_open_control(fd, "0", f"{directory}/tasks")
            os.close(fd)

    def namespace_mounts(self) -> list[tuple[str, str]]:
        binds = [(path, os.path.basename(self.hierarchies.controllers[name]))
                 for name, path in self.paths.items()]
        if self.unified:
            binds.append((self.unified, "unified"))
        return list(dict.fromkeys(binds))

    def process_file(self) -> str:
        directory = self.paths.get("memory") or next(iter(self.paths.values()))
        return f"{directory}/cgroup.procs"

    def freeze(self) -> None:
        self.set_freezer("FROZEN")

    def thaw(self) -> None:
        self.set_freezer("THAWED")

    def set_freezer(self, state: str) -> None:
        """Ask, and ask again: a task in the middle of a fork leaves it at FREEZING."""
        deadline = monotonic() + FREEZE_PATIENCE_S
        while True:
            self.write("freezer", "freezer.state", state)
            if (files.read(f"{self.paths['freezer']}/freezer.state") or "").strip() == state:
                return
            if monotonic() > deadline:
                self.write("freezer", "freezer.state", "THAWED")
                raise KernelError("freeze", 16, self.paths["freezer"],
                                  "a process does not come to rest")
            sleep(0.001)

    def frozen(self) -> bool:
        return (files.read(f"{self.paths['freezer']}/freezer.state") or "").strip() == "FROZEN"

    def kill(self) -> None:
        # v1 delivers SIGKILL to a frozen process only once it is thawed, so thaw after the signal.
        if "freezer" in self.paths and self.frozen():
            for pid in self.processes():
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    continue
            self.thaw()
        super().kill()

    def watch_oom(self) -> int | None:
        if "memory" not in self.paths:
            return None
        directory = self.paths["memory"]
        event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        control = os.open(f"{directory}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
        try:
            files.write_control(f"{directory}/cgroup.event_control", f"{event} {control}")
        except KernelError:
            os.close(event)
            raise
        finally:
            os.close(control)
        return event
