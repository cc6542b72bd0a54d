"""Which module files have to be loaded, in which order, for the modules somebody wants.

    closure(kernel.modules, ["9p", "overlay"])  →  [("netfs", …/netfs.ko), ("fscache", …), …]

Read from the modules themselves (section .modinfo: depends, softdep), not from modules.dep, which a
package that was only unpacked does not have. Source: modinfo(8), kmod's libkmod-module.c.
"""

from __future__ import annotations

import lzma
import shutil
import subprocess
import zlib
from pathlib import Path

from runtime.errors import NotFound, Unsupported


def closure(folder: Path, wanted: list[str]) -> list[tuple[str, Path]]:
    """(name, file) of all that is needed, what is depended on first; built-in ones left out."""
    files = {name_of(path): path for path in (folder / "kernel").rglob("*.ko*")}
    builtin = {name_of(Path(line)) for line in
               (folder / "modules.builtin").read_text().split()}
    order: list[tuple[str, Path]] = []
    seen: set[str] = set()

    def add(name: str, optional: bool = False) -> None:
        name = name.replace("-", "_")
        if name in seen or name in builtin:
            return
        seen.add(name)
        if name not in files:
            if optional:
                return
            raise NotFound(f"find the kernel module {name} in {folder}")
        before, soft = needs(read(files[name]))
        for other in before:
            add(other)
        for other in soft:
            add(other, optional=True)
        order.append((name, files[name]))

    for name in wanted:
        add(name)
    return order


def name_of(path: Path) -> str:
    """9pnet_virtio of …/9pnet_virtio.ko.xz"""
    return path.name.partition(".")[0].replace("-", "_")


def read(path: Path) -> bytes:
    """A module, decompressed: the machine's init has no decompressor."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".gz":
        return zlib.decompress(data, 31)
    if path.suffix == ".zst":
        if shutil.which("zstd") is None:
            raise Unsupported(f"read {path}: this host has no zstd", "install zstd")
        return subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout
    return data


def needs(module: bytes) -> tuple[list[str], list[str]]:
    """(depends, softdep pre) of a module's .modinfo, which is NUL-separated key=value text."""
    hard: list[str] = []
    soft: list[str] = []
    for key, into in ((b"\0depends=", hard), (b"\0softdep=pre: ", soft)):
        at = module.find(key)
        while at >= 0:
            end = module.index(b"\0", at + 1)
            text = module[at + len(key):end].decode()
            into += [word for word in text.partition(" post:")[0].replace(",", " ").split() if word]
            at = module.find(key, end)
    return hard, soft
