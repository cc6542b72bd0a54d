"""What both drivers share: a group's directories, who is in it, and how it goes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from runtime.cgroup import cgroup
from runtime.cgroup.cgroup import Cgroup, below, open_group, pids_in
from runtime.cgroup.hierarchies import Hierarchies
from runtime.cgroup.v1 import CgroupV1
from runtime.cgroup.v2 import CgroupV2
from runtime.errors import Conflict
from tests.runtime.oci.bundles import until


def test_the_driver_is_the_hosts(v1: Hierarchies, v2: Hierarchies) -> None:
    assert type(open_group("/tea", v1)) is CgroupV1
    assert type(open_group("/tea", v2)) is CgroupV2


def test_a_directory_that_two_controllers_share_counts_once() -> None:
    shared = Hierarchies(1, {"cpu": "/cg/cpu,cpuacct", "cpuacct": "/cg/cpu,cpuacct"}, None)
    assert open_group("/tea", shared).directories() == ["/cg/cpu,cpuacct/tea"]


def test_who_cannot_be_seen_is_not_ourselves(tmp_path: Path) -> None:
    """0 is a process outside our PID namespace; to kill(2) it would be our own group."""
    (tmp_path / "cgroup.procs").write_text("17\n0\n23\n")
    assert pids_in(str(tmp_path)) == [17, 23]
    assert pids_in(str(tmp_path / "none")) == []


def test_the_deepest_come_first(tmp_path: Path) -> None:
    (tmp_path / "a/b/c").mkdir(parents=True)
    (tmp_path / "d").mkdir()
    (tmp_path / "file").write_text("")
    found = below(str(tmp_path))
    assert sorted(found) == sorted(str(tmp_path / name) for name in ("a", "a/b", "a/b/c", "d"))
    assert found.index(f"{tmp_path}/a/b/c") < found.index(f"{tmp_path}/a/b") < found.index(
        f"{tmp_path}/a")


@pytest.mark.kernel
def test_a_life(group: Cgroup) -> None:
    assert group.exists() and group.processes() == []
    inner = f"{os.path.dirname(group.process_file())}/inner"
    os.mkdir(inner)
    for name in ("cpuset.cpus", "cpuset.mems"):
        if os.path.exists(f"{inner}/{name}"):
            Path(inner, name).write_text(Path(os.path.dirname(inner), name).read_text())
    program = subprocess.Popen(["sh", "-c", f"echo $$ > {inner}/cgroup.procs; exec sleep 1000"])
    until(lambda: program.pid in group.processes(), "it is in a group below, and counts")
    group.kill()
    assert program.wait(5) == -9
    group.remove()
    assert not group.exists()
    group.remove()


@pytest.mark.kernel
def test_a_group_in_use_says_by_whom(group: Cgroup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "REMOVE_PATIENCE_S", 0.05)
    program = subprocess.Popen(["sh", "-c", f"echo $$ > {group.process_file()}; exec sleep 1000"])
    try:
        until(lambda: program.pid in group.processes(), "it joined")
        with pytest.raises(Conflict) as caught:
            group.remove()
        assert f"processes {program.pid}" in str(caught.value)
    finally:
        program.kill()
        program.wait()
