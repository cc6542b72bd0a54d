"""The driver of v2: told by a false tree, and on the real one that has no controllers here."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.cgroup import hierarchies
from runtime.cgroup.hierarchies import Hierarchies
from runtime.cgroup.v2 import CgroupV2
from runtime.errors import Conflict, KernelError, Unsupported
from runtime.kernel import files, namespaces
from tests.runtime.oci.bundles import group_name, until


def test_controllers_are_handed_down_on_the_way(
        v2: Hierarchies, written: list[tuple[str, str]], tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/cgroup.controllers").write_text("cpu memory hugetlb")
    (tmp_path / "lab/cgroup.subtree_control").write_text("cpu")
    CgroupV2("/lab/tea", v2).create()
    assert written == [("cgroup.subtree_control", "+cpuset +cpu +io +memory +pids"),
                       ("lab/cgroup.subtree_control", "+memory")]
    assert (tmp_path / "lab/tea").is_dir()


def test_the_limits_in_order(
        v2: Hierarchies, written: list[tuple[str, str]], tmp_path: Path) -> None:
    (tmp_path / "tea").mkdir()
    (tmp_path / "tea/cgroup.controllers").write_text("cpu io memory pids cpuset")
    CgroupV2("/tea", v2).apply({
        "memory": {"limit": 100, "swap": 300, "reservation": 50}, "cpu": {"quota": 50000},
        "pids": {"limit": 5}, "unified": {"memory.high": "90", "cgroup.max.depth": "2"}})
    assert written == [
        ("tea/memory.swap.max", "200"), ("tea/memory.max", "100"), ("tea/memory.low", "50"),
        ("tea/cpu.max", "50000 100000"), ("tea/pids.max", "5"), ("tea/memory.high", "90"),
        ("tea/cgroup.max.depth", "2")]


def test_a_controller_that_is_not_handed_down_is_named(
        v2: Hierarchies, written: list[tuple[str, str]], tmp_path: Path) -> None:
    (tmp_path / "tea").mkdir()
    (tmp_path / "tea/cgroup.controllers").write_text("cpu")
    with pytest.raises(Unsupported) as caught:
        CgroupV2("/tea", v2).apply({"memory": {"limit": 100}})
    assert str(caught.value) == ("set memory.max: the memory controller is not handed down to /tea "
                                 "(this group has: cpu)")
    assert written == []


def test_what_few_ask_for_is_handed_down_when_they_do(
        v2: Hierarchies, written: list[tuple[str, str]], tmp_path: Path) -> None:
    (tmp_path / "lab/tea").mkdir(parents=True)
    for name, on in (("", "cpu"), ("lab", ""), ("lab/tea", None)):
        (tmp_path / name / "cgroup.controllers").write_text("cpu hugetlb" if on != "" else "cpu")
        if on is not None:
            (tmp_path / name / "cgroup.subtree_control").write_text(on)
    CgroupV2("/lab/tea", v2).apply({"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]})
    assert ("lab/tea/hugetlb.2MB.max", "0") in written
    (tmp_path / "lab/tea/cgroup.controllers").write_text("cpu")
    (tmp_path / "lab/cgroup.controllers").write_text("cpu hugetlb")
    written.clear()
    with pytest.raises(Unsupported, match="hugetlb controller is not handed down"):
        CgroupV2("/lab/tea", v2).apply({"hugepageLimits": [{"pageSize": "2MB", "limit": 0}]})
    assert written == [("cgroup.subtree_control", "+hugetlb"),
                       ("lab/cgroup.subtree_control", "+hugetlb")]


def test_the_files_that_kernels_have(
        v2: Hierarchies, written: list[tuple[str, str]], tmp_path: Path) -> None:
    (tmp_path / "tea").mkdir()
    (tmp_path / "tea/cgroup.controllers").write_text("io cpu memory")
    group, asked = CgroupV2("/tea", v2), {"blockIO": {"weight": 500}}
    group.apply(asked)
    (tmp_path / "tea/io.bfq.weight").write_text("")
    group.apply(asked)
    assert written == [("tea/io.weight", "default 4950"), ("tea/io.bfq.weight", "500")]


@pytest.mark.parametrize(("memory", "said"), [
    ({"limit": 4096}, "memory limit 4096 <= usage 5000"),
    ({"limit": 6000, "swap": 7000}, "memory+swap limit 7000 <= usage 7500"),
    ({"limit": 8000, "swap": 9000}, None), ({"limit": -1}, None)])
def test_a_limit_below_what_is_used(v2: Hierarchies, written: list[tuple[str, str]],
                                    tmp_path: Path, memory: dict[str, int], said: str | None
                                    ) -> None:
    """checkBeforeUpdate: v2 would take the limit and kill."""
    (tmp_path / "tea").mkdir()
    for name, text in (("cgroup.controllers", "memory"), ("memory.current", "5000\n"),
                       ("memory.swap.current", "2500\n")):
        (tmp_path / "tea" / name).write_text(text)
    group = CgroupV2("/tea", v2)
    if said is None:
        group.apply({"memory": {**memory, "checkBeforeUpdate": True}})
        return
    with pytest.raises(Conflict) as caught:
        group.apply({"memory": {**memory, "checkBeforeUpdate": True}})
    assert str(caught.value) == f"rejecting {said}" and written == []
    group.apply({"memory": memory})


def test_what_a_container_sees_of_it(v2: Hierarchies, tmp_path: Path) -> None:
    assert CgroupV2("/tea", v2).namespace_mounts() == [(str(tmp_path / "tea"), "")]


@pytest.fixture
def group() -> Iterator[CgroupV2]:
    found = hierarchies.find()
    if found.unified is None:
        pytest.skip("no cgroup v2 tree here")
    made = CgroupV2(group_name(), Hierarchies(2, {}, found.unified))
    made.create()
    yield made
    if made.exists():
        made.kill()
        made.remove()


def sleeper(group: CgroupV2) -> subprocess.Popen[bytes]:
    program = subprocess.Popen(["sh", "-c", f"echo 0 > {group.directory}/cgroup.procs; "
                                            "exec sleep 1000"])
    until(lambda: program.pid in group.processes(), "it joined")
    return program


@pytest.mark.kernel
def test_freeze_and_thaw(group: CgroupV2) -> None:
    program = sleeper(group)
    group.freeze()
    assert group.frozen()
    assert "frozen 1" in Path(f"{group.directory}/cgroup.events").read_text()
    group.thaw()
    assert not group.frozen()
    group.freeze()
    group.kill()
    assert program.wait(5) == -9, "SIGKILL reaches the frozen"


@pytest.mark.kernel
def test_born_inside(group: CgroupV2) -> None:
    birth = group.birth_fd()
    assert birth is not None
    pid, pidfd = namespaces.clone3(0, birth)
    if pid == 0:
        os.execv("/bin/sleep", ["sleep", "1000"])
    try:
        assert group.processes() == [pid]
    finally:
        group.kill()
        assert os.waitpid(pid, 0)[1] == 9
        os.close(pidfd)
        os.close(birth)


@pytest.mark.kernel
def test_a_killed_group_is_made_anew(group: CgroupV2) -> None:
    """Whoever is born into a group that was killed dies at once: so create makes a new one."""
    group.kill()
    old = os.stat(group.directory).st_ino
    group.create()
    assert os.stat(group.directory).st_ino != old
    birth = group.birth_fd()
    pid, pidfd = namespaces.clone3(0, birth)
    if pid == 0:
        os.execv("/bin/true", ["true"])
    assert os.waitpid(pid, 0)[1] == 0
    os.close(pidfd)
    os.close(birth or -1)


@pytest.mark.kernel
def test_a_group_in_use_is_left_alone(group: CgroupV2) -> None:
    program = sleeper(group)
    with pytest.raises(Conflict) as caught:
        CgroupV2(group.path, group.hierarchies).create()
    assert f"processes {program.pid}" in str(caught.value)
    assert program.poll() is None
    group.kill()
    program.wait(5)


def test_a_group_with_processes_cannot_hand_down(
        v2: Hierarchies, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, text: str) -> None:
        raise KernelError("write_control", 16, f"{text!r} to {path}")

    monkeypatch.setattr(files, "write_control", refuse)
    with pytest.raises(KernelError) as caught:
        CgroupV2("/tea", v2).create()
    assert "cgroup.subtree_control" in str(caught.value)
    assert "holds processes itself" in str(caught.value)
