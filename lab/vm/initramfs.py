"""The machine's first file system: a Python with what it has loaded, the agent, kernel modules.

An archive in cpio's "newc" form, made here and kept in the cache with the list of files it was made
of; if one of them is not what it was, it is made anew. Paths, links and times are the host's: the
interpreter finds its files where they always are, and its .pyc files are not stale.
Sources: Documentation/driver-api/early-userspace/buffer-format.rst, cpio(5).
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lab.vm import modules
from lab.vm.kernel import Kernel
from runtime.errors import LabError

AGENT = Path(__file__).with_name("agent.py")
# With them the machine's file system has the package `lab.vm`, as far as the agent is concerned.
OURS = [AGENT.with_name(name) for name in ("__init__.py", "agent.py", "frames.py", "guest.py",
                                           "service.py")] + [AGENT.parents[1] / "__init__.py"]
# On the way to the host's files, and what has no way to be loaded on demand.
MODULES = ["virtio_pci", "virtio_console", "virtio_blk", "9p", "9pnet_virtio", "overlay", "zram"]


@dataclass
class Archive:
    """A cpio archive in the making: each name once, parents before what is in them."""

    data: bytearray = field(default_factory=bytearray)
    names: set[str] = field(default_factory=set)

    def add(self, name: str, mode: int, content: bytes = b"", mtime: float = 0) -> None:
        """One entry; `name` without a leading slash."""
        if name in self.names:
            return
        self.names.add(name)
        fields = (len(self.names), mode, 0, 0, 1, int(mtime) & 0xFFFFFFFF, len(content),
                  0, 0, 0, 0, len(name.encode()) + 1, 0)
        self.data += b"070701" + b"".join(b"%08X" % number for number in fields)
        self.data += name.encode() + b"\0"
        self.pad()
        self.data += content
        self.pad()

    def pad(self) -> None:
        """To a multiple of four."""
        self.data += bytes(-len(self.data) % 4)

    def add_host_file(self, path: str) -> None:
        """A file of the host's, by every link on the way to it."""
        place = ""
        parts = [part for part in path.split("/") if part]
        while parts:
            place = f"{place}/{parts.pop(0)}"
            status = os.lstat(place)
            if stat.S_ISLNK(status.st_mode):
                target = os.readlink(place)
                self.add(place[1:], 0o120777, target.encode())
                rest = os.path.normpath(os.path.join(os.path.dirname(place), target))
                parts = [part for part in rest.split("/") if part] + parts
                place = ""
            elif stat.S_ISDIR(status.st_mode):
                self.add(place[1:], 0o40755)
            else:
                self.add(place[1:], 0o100755, Path(place).read_bytes(), status.st_mtime)

    def finish(self) -> bytes:
        """The whole archive."""
        self.add("TRAILER!!!", 0)
        return bytes(self.data)


def build(kernel: Kernel) -> tuple[bytes, list[list[object]]]:
    """(the archive, the host's files in it as [path, mtime in ns, size])."""
    found = inventory()
    archive = Archive()
    for name in ("proc", "sys", "dev", "lower", "rw", "new", "modules"):
        archive.add(name, 0o40755)
    archive.add("dev/console", stat.S_IFCHR | 0o600)
    for path in with_links(found["files"]):
        archive.add_host_file(path)
    loaded = []
    for number, (_, module) in enumerate(modules.closure(kernel.modules, MODULES)):
        name = f"modules/{number}.ko"
        archive.add(name, 0o100644, modules.read(module))
        loaded.append(f"/{name}")
    for ours in OURS:
        archive.add_host_file(str(ours))
    configuration = {"path": found["path"], "modules": loaded}
    archive.add("agent.json", 0o100644, json.dumps(configuration).encode())
    used = {*found["files"], *map(str, OURS)}
    return archive.finish(), fingerprint(used)


def inventory() -> dict[str, list[str]]:
    """{"files": […], "path": sys.path} of a Python that has imported what the agent imports."""
    done = subprocess.run([sys.executable, "-I", str(AGENT), "--files"], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise LabError(f"list the files of the machine's Python: {words}")
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def with_links(paths: Iterable[str]) -> list[str]:
    """The paths, what else a Python looks for at its start, and the names of the libraries.

    /proc/self/maps names libffi.so.8.1.2; the loader looks for libffi.so.8.
    """
    found = set(paths)
    for path in paths:
        if ".so" in os.path.basename(path):
            folder = os.path.dirname(path)
            found |= {entry.path for entry in os.scandir(folder)
                      if entry.is_symlink() and os.path.realpath(entry.path) == path}
    for path in ("/etc/ld.so.cache", "/lib64/ld-linux-x86-64.so.2", "/etc/localtime",
                 os.path.join(sys.prefix, "pyvenv.cfg"), sys.executable):
        if os.path.exists(path):
            found.add(path)
    return sorted(found)


def fingerprint(paths: Iterable[str]) -> list[list[object]]:
    """[path, mtime in ns, size] of each file, to see later whether it is still the same."""
    found: list[list[object]] = []
    for path in sorted(paths):
        status = os.stat(path)
        found.append([path, status.st_mtime_ns, status.st_size])
    return found


def fresh(prints: list[list[object]]) -> bool:
    """Is every file what it was?"""
    try:
        return all(fingerprint([str(path)]) == [[path, mtime, size]]
                   for path, mtime, size in prints)
    except OSError:
        return False
