"""inotify: woken when the file changes, and only then."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest

from runtime.errors import KernelError
from runtime.kernel import notify


def test_woken_by_a_change(tmp_path: Path) -> None:
    path = tmp_path / "memory.events"
    path.write_text("oom_kill 0\n")
    fd = notify.watch(str(path), notify.IN_MODIFY)
    assert not os.get_inheritable(fd)
    assert select.select([fd], [], [], 0)[0] == []
    path.write_text("oom_kill 1\n")
    assert select.select([fd], [], [], 5)[0] == [fd]
    os.close(fd)


def test_nothing_to_watch(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(KernelError, match="inotify_add_watch .*ENOENT"):
        notify.watch(str(tmp_path / "none"), notify.IN_MODIFY)
    assert len(os.listdir("/proc/self/fd")) == before
