"""The driver of generation 2: one tree, every controller in it.

Runs where cgroup.py says. A controller is there for a group only when every group above it handed
it down in cgroup.subtree_control, and a group that hands down must hold no process itself.
A group that cgroup.kill was ever written to is never used again: later births into it die of
SIGKILL. So a container's group is made anew at every start.
Source: Documentation/admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

import errno
import os
from time import monotonic, sleep

from runtime.cgroup.cgroup import Cgroup
from runtime.errors import Conflict, KernelError, Unsupported
from runtime.kernel import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FREEZE_PATIENCE_S = 5.0
# Handed down when somebody asks for one of them.
RARE = {"hugetlb", "rdma"}
WANTED = ("cpuset", "cpu", "io", "memory", "pids")


class CgroupV2(Cgroup):
    """A group on a host whose controllers are all on v2."""

    version = 2

    @property
    def directory(self) -> str:
        """The one directory that is this group."""
        return (self.hierarchies.unified or "") + self.path

    def directories(self) -> list[str]:
        return [self.directory]

    def make(self, directory: str) -> None:
        above = self.hierarchies.unified or ""
        *parents, _ = self.path.strip("/").split("/")
        for parent in parents:
            self.hand_down(above)
            above = f"{above}/{parent}"
            self.make_directory(above)
        self.hand_down(above)
        self.make_anew(directory)

    @staticmethod
    def hand_down(directory: str, wanted: tuple[str, ...] = WANTED) -> None:
        """Enable the wanted controllers for the children of directory, as far as it has them."""
        have = (files.read(f"{directory}/cgroup.controllers") or "").split()
        on = (files.read(f"{directory}/cgroup.subtree_control") or "").split()
        missing = [name for name in wanted if name in have and name not in on]
        if not missing:
            return
        path, text = f"{directory}/cgroup.subtree_control", " ".join(f"+{each}" for each in missing)
        try:
            files.write_control(path, text)
        except KernelError as error:
            if error.errno != errno.EBUSY:
                raise
            raise KernelError("write_control", errno.EBUSY, f"{text!r} to {path}",
                              "a group that holds processes itself cannot hand controllers down"
                              ) from None

    def apply(self, resources: dict[str, Any]) -> None:
        from runtime.cgroup.resources import v2_writes

        self.check_usage(resources.get("memory") or {})
        writes = list(v2_writes(resources, self.has))
        have = self.controllers()
        if {name.partition(".")[0] for name, _ in writes} & RARE - set(have):
            have = self.ask_for(RARE)
        for name, text in writes:
            controller = name.partition(".")[0]
            if controller not in have and controller != "cgroup":
                raise Unsupported(f"set {name}: the {controller} controller is not handed down to "
                                  f"{self.path}", f"this group has: {' '.join(have) or 'none'}")
            try:
                files.write_control(f"{self.directory}/{name}", text)
            except KernelError as error:
                if error.errno != errno.ENOENT or not self.exists():
                    raise
                if name == "memory.swap.max" and text in ("0", "max"):
                    continue  # a kernel without swap, and none is asked for
                raise Unsupported(f"set {name}: this kernel's {controller} controller has no such "
                                  "file") from None
        if resources.get("devices"):
            self.set_devices(resources["devices"])

    def controllers(self) -> list[str]:
        """Those that were handed down to this group."""
        return (files.read(f"{self.directory}/cgroup.controllers") or "").split()

    def ask_for(self, names: set[str]) -> list[str]:
        """Have the groups above hand down what few ask for; what this one has then."""
        above = self.hierarchies.unified or ""
        for parent in ("", *self.path.strip("/").split("/")[:-1]):
            above = f"{above}/{parent}" if parent else above
            self.hand_down(above, tuple(sorted(names)))
        return self.controllers()

    def has(self, name: str) -> bool:
        """Does the group have this file? "io.bfq.weight" """
        return os.path.exists(f"{self.directory}/{name}")

    def check_usage(self, memory: dict[str, Any]) -> None:
        """checkBeforeUpdate: refuse a limit that would kill at once. Raises Conflict."""
        if not memory.get("checkBeforeUpdate"):
            return
        used = [int(files.read(f"{self.directory}/{name}") or 0)
                for name in ("memory.current", "memory.swap.current")]
        limit, swap = memory.get("limit") or 0, memory.get("swap") or 0
        if 0 < limit <= used[0]:
            raise Conflict(f"rejecting memory limit {limit} <= usage {used[0]}")
        if 0 < swap <= sum(used):
            raise Conflict(f"rejecting memory+swap limit {swap} <= usage {sum(used)}")

    def set_devices(self, rules: list[dict[str, Any]]) -> None:
        """v2 has no file for it: a program decides, attached to the directory (devices.py)."""
        from runtime.cgroup import devices
        from runtime.kernel import programs

        fd = programs.load_device_program(devices.program(rules))
        try:
            programs.attach_device_program(self.directory, fd)
        finally:
            os.close(fd)

    def birth_fd(self) -> int | None:
        return os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def open_joins(self) -> list[int]:
        return []

    def join_self(self, joins: list[int]) -> None:
        """Nothing: born inside."""

    def namespace_mounts(self) -> list[tuple[str, str]]:
        return [(self.directory, "")]

    def process_file(self) -> str:
        return f"{self.directory}/cgroup.procs"

    def freeze(self) -> None:
        self.set_frozen("1")

    def thaw(self) -> None:
        self.set_frozen("0")

    def set_frozen(self, wanted: str) -> None:
        """Write cgroup.freeze and wait until cgroup.events says it is so."""
        files.write_control(f"{self.directory}/cgroup.freeze", wanted)
        deadline = monotonic() + FREEZE_PATIENCE_S
        while self.frozen() != (wanted == "1"):
            if monotonic() > deadline:
                files.write_control(f"{self.directory}/cgroup.freeze", "0")
                raise KernelError("freeze", 16, self.directory, "a process does not come to rest")
            sleep(0.001)

    def frozen(self) -> bool:
        return "frozen 1" in (files.read(f"{self.directory}/cgroup.events") or "")

    def kill(self) -> None:
        try:
            files.write_control(f"{self.directory}/cgroup.kill", "1")
        except KernelError as error:
            if error.errno != errno.ENOENT:  # before Linux 5.14 there is no such file
                raise
        super().kill()

    def watch_oom(self) -> int | None:
        from runtime.kernel import notify

        path = f"{self.directory}/memory.events"
        return notify.watch(path, notify.IN_MODIFY) if os.path.exists(path) else None
