"""The live source: reads that cannot crash on a process that dies meanwhile."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from runtime.errors import NotFound
from runtime.inspect.source import Gone, Live, link, names, text


def test_a_path_that_is_not_there_is_gone_and_a_not_found(tmp_path: Path) -> None:
    for call in (Live().read, Live().readlink, Live().listdir, Live().lstat, Live().stat_inode):
        with pytest.raises(Gone) as caught:
            call(f"{tmp_path}/nothing")
        assert isinstance(caught.value, NotFound)
    assert not Live().exists(f"{tmp_path}/nothing")


def test_a_process_that_died_between_open_and_read_is_gone() -> None:
    process = subprocess.Popen(["sleep", "300"])
    fd = os.open(f"/proc/{process.pid}", os.O_RDONLY | os.O_DIRECTORY)
    process.kill()
    process.wait()
    try:
        # Through the kept directory the kernel says ESRCH, as it does to a read in the middle.
        with pytest.raises(Gone):
            Live().read(f"/proc/self/fd/{fd}/status")
    finally:
        os.close(fd)


def test_readlink_of_no_link_is_gone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Gone):
        Live().readlink(f"{tmp_path}/file")


def test_text_link_and_names_never_raise(tmp_path: Path) -> None:
    assert text(Live(), f"{tmp_path}/no") is None
    assert link(Live(), f"{tmp_path}/no") is None
    assert names(Live(), f"{tmp_path}/no") == []
