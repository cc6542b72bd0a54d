"""The archive, as cpio reads it."""

from __future__ import annotations

import os
import subprocess

import pytest

from lab.vm import initramfs


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "usr" / "lib").mkdir(parents=True)
    (tmp_path / "usr" / "lib" / "libffi.so.8.1").write_bytes(b"library")
    (tmp_path / "usr" / "lib" / "libffi.so.8").symlink_to("libffi.so.8.1")
    (tmp_path / "lib").symlink_to("usr/lib")
    os.utime(tmp_path / "usr" / "lib" / "libffi.so.8.1", (1_700_000_000, 1_700_000_000))
    return tmp_path


def unpacked(archive, where):
    """What cpio makes of it."""
    where.mkdir()
    done = subprocess.run(["cpio", "-idm", "--quiet", "--no-absolute-filenames"], cwd=where,
                          input=archive.finish(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    return where


def test_a_file_and_every_link_on_the_way(tree, tmp_path_factory):
    archive = initramfs.Archive()
    archive.add_host_file(f"{tree}/lib/libffi.so.8")
    out = unpacked(archive, tmp_path_factory.mktemp("out") / "x")
    there = out / str(tree)[1:]
    assert os.readlink(there / "lib") == "usr/lib"
    assert os.readlink(there / "usr" / "lib" / "libffi.so.8") == "libffi.so.8.1"
    file = there / "usr" / "lib" / "libffi.so.8.1"
    assert file.read_bytes() == b"library"
    assert file.stat().st_mtime == 1_700_000_000


def test_each_name_once(tree, tmp_path):
    archive = initramfs.Archive()
    for _ in range(2):
        archive.add_host_file(f"{tree}/lib/libffi.so.8.1")
    listed = subprocess.run(["cpio", "-it", "--quiet"], input=archive.finish(),
                            capture_output=True, text=False, check=True).stdout.split()
    assert len(listed) == len(set(listed))


def test_names_of_libraries(tree):
    real = f"{tree}/usr/lib/libffi.so.8.1"
    assert f"{tree}/usr/lib/libffi.so.8" in initramfs.with_links([real])


def test_a_changed_file_is_noticed(tree):
    path = f"{tree}/usr/lib/libffi.so.8.1"
    prints = initramfs.fingerprint([path])
    assert initramfs.fresh(prints)
    with open(path, "ab") as file:
        file.write(b"!")
    assert not initramfs.fresh(prints)
    os.unlink(path)
    assert not initramfs.fresh(prints)


def test_inventory():
    found = initramfs.inventory()
    assert any(path.endswith("textual/app.py") for path in found["files"])
    assert any("/libc.so.6" in path for path in found["files"])
    assert not any("/runtime/" in path and "container" in path for path in found["files"]
                   if path.endswith("errors.py"))
