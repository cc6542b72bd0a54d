"""One control group, whichever generation the host has.

Runs in the shim (create, apply, watch, kill, remove), in init (join) and in the engine (freeze,
read). A path is the same in every hierarchy: "/container-lab/tea" is
/sys/fs/cgroup/container-lab/tea on v2 and /sys/fs/cgroup/memory/container-lab/tea, … on v1.

The order of a life, which both drivers share and no caller may change:

    create → apply → (init joins) → freeze/thaw/kill → read the counters → remove

Counters go with the group: who wants to know of an OOM kill reads before remove.
Sources: cgroups(7), Documentation/admin-guide/cgroup-v1/, cgroup-v2.rst.
"""

from __future__ import annotations

import errno
import os
from time import monotonic, sleep

from runtime.cgroup import hierarchies
from runtime.errors import Conflict, KernelError
from runtime.kernel import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cgroup.hierarchies import Hierarchies

REMOVE_PATIENCE_S = 5.0


class Cgroup:
    """What both drivers share; `v1.py` and `v2.py` fill in what differs."""

    version = 0

    def __init__(self, path: str, found: Hierarchies) -> None:
        if not path.startswith("/") or "/../" in f"{path}/" or path == "/":
            raise Conflict(f"open control group {path}: not a path below the root group")
        self.path = path
        self.hierarchies = found
        # Several controllers may share a mount (cpu,cpuacct; all of v2): a directory once only.
        self.paths = {name: mount + path for name, mount in found.controllers.items()}

    def directories(self) -> list[str]:
        """Every directory that is this group, each once."""
        return list(dict.fromkeys(self.paths.values()))

    def exists(self) -> bool:
        """Is any part of the group still there?"""
        return any(os.path.isdir(directory) for directory in self.directories())

    def create(self) -> None:
        """Make the group anew, all of it or nothing. Raises Conflict when it is in use.

        Never the group of an earlier start: its counters would be counted to this one, and a group
        that cgroup.kill was written to kills who is born into it.
        """
        made: list[str] = []
        try:
            for directory in self.directories():
                self.make(directory)
                made.append(directory)
        except BaseException:
            for directory in made:
                files.rmdir(directory)
            raise

    def make(self, directory: str) -> None:
        """Make one directory of the group, and its parents with what they hand down."""
        raise NotImplementedError

    def apply(self, resources: dict[str, Any]) -> None:
        """Write the limits of an OCI `linux.resources`. Raises Unsupported by name, Invalid."""
        raise NotImplementedError

    def birth_fd(self) -> int | None:
        """A directory descriptor for CLONE_INTO_CGROUP, or None where that is not the way in."""
        raise NotImplementedError

    def open_joins(self) -> list[int]:
        """Descriptors for join_self, opened while the host's files can still be reached."""
        raise NotImplementedError

    def join_self(self, joins: list[int]) -> None:
        """Put the calling, single-threaded process into the group, as far as birth did not."""
        raise NotImplementedError

    def namespace_mounts(self) -> list[tuple[str, str]]:
        """(directory on the host, name below the container's /sys/fs/cgroup) to bind inside."""
        raise NotImplementedError

    def freeze(self) -> None:
        """Stop every process of the group where it is; returns when the kernel says frozen."""
        raise NotImplementedError

    def thaw(self) -> None:
        """Let them run on."""
        raise NotImplementedError

    def frozen(self) -> bool:
        """Does the kernel say that the group is frozen?"""
        raise NotImplementedError

    def watch_oom(self) -> int | None:
        """A descriptor that polls readable (or POLLPRI) when the memory events may have changed."""
        raise NotImplementedError

    def process_file(self) -> str:
        """The file that lists the processes."""
        raise NotImplementedError

    def processes(self) -> list[int]:
        """The pids in the group and below, as this process's PID namespace sees them."""
        directory = os.path.dirname(self.process_file())
        return [pid for each in (directory, *below(directory)) for pid in pids_in(each)]

    def kill(self) -> None:
        """SIGKILL every process in the group; new ones forked meanwhile are met again."""
        deadline = monotonic() + REMOVE_PATIENCE_S
        while (pids := self.processes()) and monotonic() < deadline:
            for pid in pids:
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    continue
            sleep(0.002)

    def remove(self) -> None:
        """Remove the group. What is not there is fine. Raises Conflict with processes inside.

        With the groups that a privileged container has made below it. A process just killed holds
        the group until it is quite gone, after its parent could reap it: so EBUSY is asked again
        for a while.
        """
        deadline = monotonic() + REMOVE_PATIENCE_S
        for directory in [each for top in self.directories() for each in (*below(top), top)]:
            while True:
                try:
                    files.rmdir(directory)
                except FileNotFoundError:
                    break
                except OSError as error:
                    if monotonic() > deadline:
                        left = " ".join(map(str, self.processes()))
                        raise Conflict(f"remove control group {directory}: "
                                       f"{os.strerror(error.errno or 0).lower()}",
                                       f"processes {left}" if left else "") from None
                    sleep(0.001)
                else:
                    break

    def write(self, controller: str, name: str, text: str) -> None:
        """Write one control file of the group. Raises KernelError with its path."""
        files.write_control(f"{self.paths[controller]}/{name}", text)

    def make_anew(self, directory: str) -> None:
        """mkdir; an empty one that is there already is removed first, one in use is a Conflict."""
        try:
            if not self.make_directory(directory):
                for old in (*below(directory), directory):
                    files.rmdir(old)
                files.mkdir(directory)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            inside = " ".join(map(str, pids_in(directory)))
            raise Conflict(f"make control group {directory}: it is in use",
                           f"processes {inside}" if inside else "") from None

    @staticmethod
    def make_directory(directory: str) -> bool:
        """mkdir, True when it was not there yet."""
        try:
            files.mkdir(directory)
        except FileExistsError:
            return False
        except OSError as error:
            raise KernelError("make control group", error.errno or 0, directory) from None
        return True


def pids_in(directory: str) -> list[int]:
    """The pids in one directory of a group.

    One that cannot be seen from here is listed as 0, which to kill(2) would be our own group.
    """
    return [int(pid) for pid in (files.read(f"{directory}/cgroup.procs") or "").split()
            if pid != "0"]


def below(directory: str) -> list[str]:
    """The groups below a directory, the deepest first."""
    found = [directory]
    for folder in found:
        try:
            # A directory has a link from above, one of its ".", and one of each ".." below it.
            if os.stat(folder).st_nlink != 2:
                found += [entry.path for entry in os.scandir(folder)
                          if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            continue
    return found[:0:-1]


def open_group(path: str, found: Hierarchies | None = None) -> Cgroup:
    """The group at path, by the driver this host needs. Makes nothing. Raises Unsupported."""
    found = found or hierarchies.find()
    if found.version == 2:
        from runtime.cgroup.v2 import CgroupV2

        return CgroupV2(path, found)
    from runtime.cgroup.v1 import CgroupV1

    return CgroupV1(path, found)
