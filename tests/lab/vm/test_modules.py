"""Modules in the order in which they can be loaded."""

from __future__ import annotations

import lzma
import subprocess

import pytest

from lab.vm import modules
from runtime.errors import NotFound


def module(depends: str = "", soft: str = "") -> bytes:
    """As much of a .ko as is looked at."""
    text = f"license=GPL\0depends={depends}\0".encode()
    if soft:
        text += f"softdep={soft}\0".encode()
    return b"\x7fELF....\0" + text + b"name=x\0"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "kernel" / "fs").mkdir(parents=True)
    files = {"9p.ko": module("9pnet,netfs"), "9pnet.ko": module(), "netfs.ko": module("fscache"),
             "fscache.ko": module(), "ext4.ko": module("jbd2", "pre: crc32c nosuch"),
             "crc32c-intel.ko": module(), "crc32c.ko": module()}
    for name, data in files.items():
        (tmp_path / "kernel" / "fs" / name).write_bytes(data)
    (tmp_path / "kernel" / "fs" / "overlay.ko.xz").write_bytes(lzma.compress(module("9pnet")))
    (tmp_path / "modules.builtin").write_text("kernel/fs/jbd2/jbd2.ko\n")
    return tmp_path


def order(folder, *wanted):
    return [name for name, _ in modules.closure(folder, list(wanted))]


def test_what_is_needed_comes_first(folder):
    assert order(folder, "9p") == ["9pnet", "fscache", "netfs", "9p"]


def test_each_once(folder):
    assert order(folder, "9p", "overlay", "9p") == ["9pnet", "fscache", "netfs", "9p", "overlay"]


def test_built_in_and_only_wished_for(folder):
    """jbd2 is in the kernel; a soft dependency that is not there is none."""
    assert order(folder, "ext4") == ["crc32c", "ext4"]


def test_missing(folder):
    with pytest.raises(NotFound, match="find the kernel module zfs"):
        order(folder, "zfs")


def test_compressed(folder):
    (found,) = [path for name, path in modules.closure(folder, ["overlay"]) if name == "overlay"]
    assert modules.read(found) == module("9pnet")


@pytest.mark.parametrize("suffix, tool", [(".gz", "gzip"), (".zst", "zstd")])
def test_compressed_by_others(tmp_path, suffix, tool):
    path = tmp_path / f"x.ko{suffix}"
    path.write_bytes(subprocess.run([tool, "-c"], input=module("y"), capture_output=True,
                                    check=True).stdout)
    assert modules.needs(modules.read(path)) == (["y"], [])
