"""The kernel of the machine: the host's own, a given one, or a distribution package unpacked.

    Kernel(release "6.1.0-56-amd64", image /boot/vmlinuz-…, modules /lib/modules/6.1.0-56-amd64)

Nothing is installed: `fetch` asks apt for the package and unpacks it below the cache directory.
QEMU gets the kernel uncompressed, by its PVH entry: to decompress it under emulation takes 3 s.
Sources: Documentation/arch/x86/boot.rst (the header of a bzImage), apt-get(8), dpkg-deb(1).
"""

from __future__ import annotations

import lzma
import os
import shutil
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import NotFound, Unsupported

PACKAGES = ("install a kernel image and QEMU: Debian, Ubuntu: apt install qemu-system-x86 "
            "linux-image-amd64 (linux-image-generic); Fedora: dnf install qemu-system-x86-core "
            "kernel-core; or: container-lab vm --fetch-kernel")
# Debian's cloud kernel has no 9p, through which the machine sees the host's files.
NEEDED = "fs/9p/9p.ko"


@dataclass(frozen=True, slots=True)
class Kernel:
    """An image and the modules that belong to it."""

    release: str
    image: Path
    modules: Path


def find(given: str | None, cache: Path) -> Kernel:
    """The kernel to boot: the one given, else the newest of the cache's or the host's.

    Raises NotFound, with the packages to install.
    """
    if given:
        return at(Path(given))
    roots = [cache / "kernels" / name for name in sorted(names(cache / "kernels"), reverse=True)]
    for root in (*roots, Path("/")):
        for image in sorted((root / "boot").glob("vmlinuz-*"), reverse=True):
            if usable(kernel := Kernel(release_of(image), image, modules_of(root, image))):
                return kernel
    raise NotFound(f"find a kernel with 9p: none in /boot or {cache}", PACKAGES)


def at(image: Path) -> Kernel:
    """The kernel of an image and of the modules that lie where its package has them."""
    if not image.is_file():
        raise NotFound(f"--kernel {image}: no such file")
    for root in (image.parent.parent, Path("/")):
        kernel = Kernel(release_of(image), image, modules_of(root, image))
        if usable(kernel):
            return kernel
    raise Unsupported(f"--kernel {image}: no modules of {release_of(image)} with 9p beside it",
                      "its package unpacked as a whole has boot/ and lib/modules/")


def release_of(image: Path) -> str:
    """6.1.0-56-amd64, from the name."""
    return image.name.partition("-")[2]


def modules_of(root: Path, image: Path) -> Path:
    """Where the modules of an image are."""
    for folder in ("lib/modules", "usr/lib/modules"):
        if (root / folder / release_of(image)).is_dir():
            return root / folder / release_of(image)
    return root / "lib/modules" / release_of(image)


def usable(kernel: Kernel) -> bool:
    """Has it what the machine needs, as a module or built in?"""
    builtin = kernel.modules / "modules.builtin"
    return any(kernel.modules.glob(f"kernel/{NEEDED}*")) or \
        (builtin.is_file() and NEEDED in builtin.read_text())


def names(folder: Path) -> list[str]:
    """What is in a directory, which need not be there."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def fetch(cache: Path, say: Callable[[str], None]) -> Kernel:
    """Have apt download the distribution's kernel package, and unpack it below the cache."""
    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Unsupported(f"--fetch-kernel: this host has no {tool}", PACKAGES)
    package = newest_package()
    target = cache / "kernels" / package
    if not target.is_dir():
        say(f"apt-get download {package}, unpacked (not installed) in {target}")
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            ask(["apt-get", "download", "-q", package], folder)
            archive = next(Path(folder).glob("*.deb"))
            ask(["dpkg-deb", "-x", str(archive), f"{folder}/root"], folder)
            os.rename(f"{folder}/root", target)
    image = next((target / "boot").glob("vmlinuz-*"))
    return Kernel(release_of(image), image, modules_of(target, image))


def newest_package() -> str:
    """linux-image-6.1.0-56-amd64, of which the distribution's meta package speaks."""
    for meta in ("linux-image-amd64", "linux-image-generic"):
        done = subprocess.run(["apt-cache", "depends", meta], capture_output=True, text=True,
                              check=False)
        for word in done.stdout.split():
            if word.startswith("linux-image-") and word != meta:
                return word
    raise NotFound("--fetch-kernel: apt knows no kernel image", "apt-get update")


def ask(command: list[str], folder: str) -> None:
    """Run it; its own last words if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise NotFound(f"{' '.join(command[:2])}: {words}")


def uncompressed(image: Path) -> bytes:
    """The ELF file inside a bzImage. Raises Unsupported when its compression is not known."""
    data = image.read_bytes()
    if data[:4] == b"\x7fELF":
        return data
    if data[0x202:0x206] != b"HdrS":
        raise Unsupported(f"read the kernel {image}: neither ELF nor bzImage")
    sectors = data[0x1F1] or 4
    offset, length = struct.unpack_from("<II", data, 0x248)
    payload = data[(sectors + 1) * 512 + offset:][:length]
    if payload[:6] == b"\xfd7zXZ\x00":
        return lzma.LZMADecompressor().decompress(payload)
    if payload[:3] == b"\x1f\x8b\x08":
        return zlib.decompressobj(31).decompress(payload)
    return by_command(image, payload)


def by_command(image: Path, payload: bytes) -> bytes:
    """zstd and lz4 are not in Python's library; their commands are in every distribution."""
    tool = {b"\x28\xb5\x2f\xfd": "zstd", b"\x02\x21\x4c\x18": "lz4"}.get(payload[:4])
    if tool is None or shutil.which(tool) is None:
        raise Unsupported(f"read the kernel {image}: its compression is {tool or 'not known'}",
                          f"install {tool}" if tool else "")
    # Both end with the size of the result, four bytes that are no part of the stream.
    done = subprocess.run([tool, "-dc"], input=payload[:-4], capture_output=True, check=False)
    if not done.stdout.startswith(b"\x7fELF"):
        raise Unsupported(f"read the kernel {image}: {tool} cannot decompress it")
    return done.stdout
