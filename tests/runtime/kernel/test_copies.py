"""Copies of a directory a stranger made: as it was, and nothing in it followed or set off."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from runtime.errors import KernelError
from runtime.kernel import copies


def opened(path: Path) -> int:
    return os.open(path, os.O_PATH | os.O_DIRECTORY)


@pytest.mark.kernel
def test_everything_as_it_was(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    (one / "inner").mkdir(parents=True)
    other.mkdir()
    (one / "inner/file").write_bytes(b"x" * 100_000)
    os.chown(one / "inner/file", 1000, 5)
    (one / "inner/file").chmod(0o4751)
    (one / "inner").chmod(0o1777)
    (one / "link").symlink_to("/etc/shadow")
    os.mkfifo(one / "fifo", 0o600)
    os.mknod(one / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.utime(one / "inner/file", (1, 2))
    copies.copy_directory(opened(one), opened(other), "/data")
    for name in ("inner", "inner/file", "link", "fifo", "null"):
        was, now = os.lstat(one / name), os.lstat(other / name)
        assert (was.st_mode, was.st_uid, was.st_gid, was.st_rdev) == (
            now.st_mode, now.st_uid, now.st_gid, now.st_rdev), name
    assert (other / "inner/file").read_bytes() == b"x" * 100_000
    assert os.stat(other / "inner/file").st_mtime == 2
    assert os.readlink(other / "link") == "/etc/shadow"


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    with pytest.raises(KernelError, match="copy /data: EEXIST"):
        copies.copy_directory(opened(tmp_path / "one"), opened(tmp_path / "other"), "/data")
    assert (tmp_path / "other/file").read_text() == "other"
