"""What a machine starts from: the kernel, uncompressed, and its first file system, in the cache.

    cache/<key>/{vmlinux, initramfs, made.json}       one for each kernel, Python and lab

made.json names every host file that went in, with time and size, and is written last: what it does
not vouch for is made anew. Two that make it at once each make their own, and the last one stays.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from lab.vm import initramfs, kernel
from lab.vm.kernel import Kernel


def cache_directory() -> Path:
    """Where kernels, initramfs and snapshots are kept."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(home) / "container-lab" / "vm"


class Boot:
    """The files a machine starts from, for one kernel."""

    def __init__(self, given: str | None) -> None:
        cache = cache_directory()
        self.kernel: Kernel = kernel.find(given, cache)
        self.folder = cache / key(self.kernel)
        if not self.ready():
            self.make()

    @property
    def vmlinux(self) -> Path:
        return self.folder / "vmlinux"

    @property
    def initramfs(self) -> Path:
        return self.folder / "initramfs"

    def ready(self) -> bool:
        """Is what the cache has made of the files as they are now?"""
        try:
            made = json.loads((self.folder / "made.json").read_text())
        except (OSError, ValueError):
            return False
        return made["modules"] == initramfs.MODULES and initramfs.fresh(made["files"])

    def make(self) -> None:
        """Make both files, and put them in place as one."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder.parent, prefix="making-") as making:
            new = Path(making) / "new"
            new.mkdir()
            (new / "vmlinux").write_bytes(kernel.uncompressed(self.kernel.image))
            data, prints = initramfs.build(self.kernel)
            (new / "initramfs").write_bytes(data)
            made = {"modules": initramfs.MODULES, "files": prints,
                    "initramfs": hashlib.sha256(data).hexdigest()}
            (new / "made.json").write_text(json.dumps(made))
            shutil.rmtree(self.folder, ignore_errors=True)
            os.rename(new, self.folder)

    def identity(self) -> str:
        """What a snapshot depends on, of these files."""
        made = json.loads((self.folder / "made.json").read_text())
        return f"{self.folder.name} {made['initramfs']}"


def key(found: Kernel) -> str:
    """The name of its place: another kernel, another Python or another lab, another place."""
    status = found.image.stat()
    return digest(f"{found.image} {status.st_mtime_ns} {status.st_size} "
                  f"{sys.executable} {initramfs.AGENT}")


def digest(text: str) -> str:
    """A short name for a long one."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
