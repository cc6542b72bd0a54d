"""Groups in hierarchies that we do not use: found, removed with what is below, never ours."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.cgroup import hierarchies, strays

pytestmark = pytest.mark.kernel
SYSTEMD = Path("/sys/fs/cgroup/systemd")


def test_what_another_runtime_left():
    found = hierarchies.find()
    if not SYSTEMD.is_dir() or found.version == 2:
        pytest.skip("there is no hierarchy here but those we use")
    path = f"/container-lab-stray-{os.getpid()}"
    (SYSTEMD / path[1:] / "tea").mkdir(parents=True)
    assert strays.directories(path, found) == [str(SYSTEMD) + path]
    assert strays.remove(path, found) == []
    assert not (SYSTEMD / path[1:]).exists()


def test_ours_are_no_strays():
    found = hierarchies.find()
    path = f"/container-lab-ours-{os.getpid()}"
    directory = next(iter(found.controllers.values())) + path
    os.mkdir(directory)
    try:
        assert strays.directories(path, found) == []
        assert strays.remove(path, found) == [] and os.path.isdir(directory)
    finally:
        os.rmdir(directory)
