"""Which kernel is found, and what is inside its image."""

from __future__ import annotations

import gzip
import lzma
import struct
import subprocess

import pytest

from lab.vm import kernel
from runtime.errors import NotFound, Unsupported

ELF = b"\x7fELF" + bytes(5000) + b"the kernel"


def bzimage(payload: bytes) -> bytes:
    """A boot sector, its setup, and the compressed kernel behind them."""
    head = bytearray(1024)
    head[0x1F1] = 1
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", head, 0x248, 16, len(payload))
    return bytes(head) + bytes(16) + payload + b"what follows"


def by_tool(*command: str) -> bytes:
    done = subprocess.run(command, input=ELF, capture_output=True, check=True)
    return done.stdout + struct.pack("<I", len(ELF))


@pytest.mark.parametrize("pack", [
    lambda: lzma.compress(ELF), lambda: gzip.compress(ELF),
    lambda: by_tool("zstd", "-c"), lambda: by_tool("lz4", "-lc")],
    ids=["xz", "gzip", "zstd", "lz4"])
def test_uncompressed(tmp_path, pack):
    image = tmp_path / "vmlinuz-1"
    image.write_bytes(bzimage(pack()))
    assert kernel.uncompressed(image) == ELF


def test_what_is_no_kernel(tmp_path):
    image = tmp_path / "vmlinuz-1"
    image.write_bytes(b"MZ" + bytes(2000))
    with pytest.raises(Unsupported, match="neither ELF nor bzImage"):
        kernel.uncompressed(image)
    image.write_bytes(bzimage(b"BZh9 this is bzip2"))
    with pytest.raises(Unsupported, match="its compression is not known"):
        kernel.uncompressed(image)


@pytest.fixture
def cache(tmp_path):
    for package, has_9p in (("linux-image-6.1-cloud", False), ("linux-image-6.1", True)):
        root = tmp_path / "kernels" / package
        release = package.removeprefix("linux-image-")
        (root / "boot").mkdir(parents=True)
        (root / "boot" / f"vmlinuz-{release}").write_bytes(ELF)
        (root / "lib" / "modules" / release / "kernel" / "fs" / "9p").mkdir(parents=True)
        if has_9p:
            (root / "lib" / "modules" / release / "kernel" / "fs" / "9p" / "9p.ko").touch()
    return tmp_path


def test_one_without_9p_will_not_do(cache):
    found = kernel.find(None, cache)
    assert found.release == "6.1"
    assert found.modules == cache / "kernels" / "linux-image-6.1" / "lib" / "modules" / "6.1"
    with pytest.raises(Unsupported, match="no modules of 6.1-cloud with 9p beside it"):
        kernel.find(str(cache / "kernels/linux-image-6.1-cloud/boot/vmlinuz-6.1-cloud"), cache)


def test_none(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel, "usable", lambda found: False)
    with pytest.raises(NotFound, match="apt install qemu-system-x86.*dnf install"):
        kernel.find(None, tmp_path)
    with pytest.raises(NotFound, match="--kernel /nowhere: no such file"):
        kernel.find("/nowhere", tmp_path)
