"""The driver of v1: what it writes where, told by a false tree, and limits on the real kernel."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.cgroup import cgroup, hierarchies, stats
from runtime.cgroup.cgroup import Cgroup
from runtime.cgroup.hierarchies import Hierarchies
from runtime.cgroup.v1 import CgroupV1
from runtime.errors import Conflict, KernelError, Unsupported
from runtime.kernel import files
from tests.runtime.oci.bundles import until

IS_V1 = "memory" in (Path("/proc/self/cgroup").read_text())
live = [pytest.mark.kernel, pytest.mark.skipif(not IS_V1, reason="this host's controllers are v2")]


def test_a_group_is_a_directory_in_every_hierarchy(
        v1: Hierarchies, written: list[tuple[str, str]], tmp_path: Path) -> None:
    group = CgroupV1("/lab/tea", v1)
    group.create()
    assert sorted(str(path.parent.relative_to(tmp_path)) for path in tmp_path.glob("*/lab/tea")) \
        == sorted(f"{name}/lab" for name in (*v1.controllers, "unified"))
    assert ("cpuset/lab/cgroup.clone_children", "1") in written


def test_a_creation_that_fails_leaves_nothing(
        v1: Hierarchies, written: list[tuple[str, str]], tmp_path: Path) -> None:
    os.rmdir(tmp_path / "pids")
    (tmp_path / "pids").write_text("")
    with pytest.raises(KernelError):
        CgroupV1("/tea", v1).create()
    assert list(tmp_path.glob("*/tea")) == []


def test_the_limits_in_order(v1: Hierarchies, written: list[tuple[str, str]]) -> None:
    CgroupV1("/tea", v1).apply({"memory": {"limit": 100, "swap": 200}, "pids": {"limit": 5},
                                "cpu": {"quota": 50000, "period": 100000}})
    assert written == [
        ("memory/tea/memory.limit_in_bytes", "100"),
        ("memory/tea/memory.memsw.limit_in_bytes", "200"),
        ("cpu/tea/cpu.cfs_period_us", "100000"), ("cpu/tea/cpu.cfs_quota_us", "50000"),
        ("pids/tea/pids.max", "5")]


def test_raising_memory_above_the_old_sum_goes_the_other_way_round(
        v1: Hierarchies, monkeypatch: pytest.MonkeyPatch) -> None:
    story: list[str] = []

    def write(path: str, text: str) -> None:
        story.append(path.rpartition("/")[2])
        if story == ["memory.limit_in_bytes"]:
            raise KernelError("write_control", 22, path)

    monkeypatch.setattr(files, "write_control", write)
    CgroupV1("/tea", v1).apply({"memory": {"limit": 500, "swap": 900}})
    assert story[:3] == ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes",
                         "memory.limit_in_bytes"]


def test_a_shorter_period_waits_for_the_new_quota(
        v1: Hierarchies, monkeypatch: pytest.MonkeyPatch) -> None:
    story: list[str] = []

    def write(path: str, text: str) -> None:
        story.append(path.rpartition("/")[2])
        if story == ["cpu.cfs_period_us"]:
            raise KernelError("write_control", 22, path)

    monkeypatch.setattr(files, "write_control", write)
    CgroupV1("/tea", v1).apply({"cpu": {"period": 10000, "quota": 5000}})
    assert story == ["cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.cfs_period_us"]
    story.clear()
    with pytest.raises(KernelError):
        CgroupV1("/tea", v1).apply({"cpu": {"period": 10000}})


def test_what_only_the_v2_tree_has(
        v1: Hierarchies, written: list[tuple[str, str]], tmp_path: Path) -> None:
    """A hybrid host whose hugetlb controller nobody mounted: it is the v2 tree's."""
    del v1.controllers["hugetlb"], v1.controllers["rdma"]
    for name in ("unified", "unified/tea"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "cgroup.controllers").write_text("hugetlb")
    (tmp_path / "unified/cgroup.subtree_control").write_text("hugetlb")
    pages = [{"pageSize": "2MB", "limit": 0}]
    CgroupV1("/tea", v1).apply({"hugepageLimits": pages, "pids": {"limit": 5}})
    assert written == [("unified/tea/hugetlb.2MB.max", "0"), ("pids/tea/pids.max", "5")]
    with pytest.raises(Unsupported, match="rdma.max: this host has no rdma controller"):
        CgroupV1("/tea", v1).apply({"rdma": {"mlx5_1": {"hcaHandles": 1}}})


def test_what_a_container_sees_of_it(v1: Hierarchies, tmp_path: Path) -> None:
    binds = {name: path for path, name in CgroupV1("/tea", v1).namespace_mounts()}
    assert binds["memory"] == str(tmp_path / "memory/tea")
    assert binds["unified"] == str(tmp_path / "unified/tea")


@pytest.mark.parametrize("path", ["tea", "/", "/a/../b", "/..", ""])
def test_a_path_that_leads_out_is_refused(v1: Hierarchies, path: str) -> None:
    with pytest.raises(Conflict, match="not a path below the root group"):
        CgroupV1(path, v1)


@pytest.fixture
def v1_group(group: Cgroup) -> Iterator[Cgroup]:
    assert group.version == 1
    yield group


def inside(group: Cgroup, *command: str) -> subprocess.Popen[str]:
    """A program that joined the group before it began."""
    lines = "".join(f"echo 0 > {directory}/tasks 2>/dev/null || "
                    f"echo 0 > {directory}/cgroup.procs; " for directory in group.directories())
    return subprocess.Popen(["sh", "-c", f'{lines} exec "$@"', "sh", *command], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def read(group: Cgroup, name: str) -> dict[str, int]:
    found = stats.read_file(group.path, name)
    assert found is not None
    return stats.pairs(found[0])


class TestLive:
    """On this host's own v1 hierarchies."""

    pytestmark = live

    def test_freeze_and_thaw(self, v1_group: Cgroup) -> None:
        program = inside(v1_group, sys.executable, "-c",
                         "import itertools\nfor n in itertools.count(): print(n, flush=True)")
        try:
            assert program.stdout is not None
            program.stdout.readline()
            v1_group.freeze()
            assert v1_group.frozen()
            state = Path(f"/proc/{program.pid}/stat").read_text().rpartition(")")[2].split()
            assert state[0] == "D"
            used = state[11:13]
            time.sleep(0.05)
            again = Path(f"/proc/{program.pid}/stat").read_text().rpartition(")")[2].split()
            assert again[11:13] == used, "it gets no CPU"
            v1_group.thaw()
            assert not v1_group.frozen()
        finally:
            v1_group.kill()
            program.communicate()

    def test_kill_reaches_the_frozen(self, v1_group: Cgroup) -> None:
        program = inside(v1_group, "sleep", "1000")
        until(lambda: program.pid in v1_group.processes(), "it joined")
        v1_group.freeze()
        v1_group.kill()
        assert program.wait(5) == -9
        program.communicate()

    def test_the_oom_kill_is_told_and_counted(self, v1_group: Cgroup) -> None:
        v1_group.apply({"memory": {"limit": 16 << 20}})
        event = v1_group.watch_oom()
        assert event is not None
        program = inside(v1_group, sys.executable, "-c", "x = bytearray(64 << 20)")
        try:
            poll = select.poll()
            poll.register(event, select.POLLIN)
            assert poll.poll(10000), "the notice came"
            assert program.wait(10) == -9
            until(lambda: read(v1_group, "memory.events")["oom_kill"] == 1, "it is counted")
            assert read(v1_group, "memory.events")["max"] > 0
            assert "bytearray" not in program.communicate()[1]
        finally:
            os.close(event)

    def test_a_quota_throttles(self, v1_group: Cgroup) -> None:
        v1_group.apply({"cpu": {"quota": 2000, "period": 10000}})
        program = inside(v1_group, "sh", "-c", "while :; do :; done")
        try:
            until(lambda: read(v1_group, "cpu.stat")["nr_throttled"] >= 3, "it is throttled")
            counted = read(v1_group, "cpu.stat")
            assert counted["throttled_usec"] > 0
            assert counted["usage_usec"] < counted["nr_periods"] * 10000
        finally:
            v1_group.kill()
            program.communicate()

    def test_a_limit_of_pids(self, v1_group: Cgroup) -> None:
        v1_group.apply({"pids": {"limit": 3}})
        program = inside(v1_group, "sh", "-c", "for n in 1 2 3 4 5; do sleep 1000 & done; wait")
        until(lambda: read(v1_group, "pids.events").get("max", 0) > 0, "a fork was refused")
        assert len(v1_group.processes()) <= 3
        v1_group.kill()
        program.communicate()

    def test_a_disk_is_slowed(self, v1_group: Cgroup, tmp_path: Path) -> None:
        image = tmp_path / "disk"
        image.write_bytes(b"\0" * (8 << 20))
        # As `losetup -f` chooses one and then takes it, another test may have taken it meanwhile.
        device = until(lambda: subprocess.run(["losetup", "-f", "--show", str(image)], text=True,
                                              capture_output=True).stdout.strip(), "a loop device")
        try:
            number = os.stat(device).st_rdev
            v1_group.apply({"blockIO": {"throttleReadBpsDevice": [
                {"major": os.major(number), "minor": os.minor(number), "rate": 4 << 20}]}})
            begun = time.monotonic()
            program = inside(v1_group, "dd", f"if={device}", "of=/dev/null", "bs=256k", "count=8",
                             "iflag=direct")
            assert program.wait(30) == 0
            program.communicate()
            assert time.monotonic() - begun > 0.3, "2 MiB at 4 MiB/s"
            found = stats.read_file(v1_group.path, "io.stat")
            assert found is not None
            assert f"{os.major(number)}:{os.minor(number)} rbytes=2097152" in found[0]
            limits = stats.read_file(v1_group.path, "io.max")
            assert limits is not None and "rbps=4194304" in limits[0]
        finally:
            subprocess.run(["losetup", "-d", device], check=True)

    def test_a_set_of_cpus(self, v1_group: Cgroup) -> None:
        v1_group.apply({"cpu": {"cpus": "0", "shares": 512}})
        program = inside(v1_group, sys.executable, "-c",
                         "import os; print(os.sched_getaffinity(0))")
        assert program.communicate()[0] == "{0}\n"
        weight = stats.read_file(v1_group.path, "cpu.weight")
        assert weight is not None and weight[0] == "59\n"

    def test_memory_up_and_down_again(self, v1_group: Cgroup) -> None:
        for limit in (32, 96, 16):
            v1_group.apply({"memory": {"limit": limit << 20, "swap": limit << 20}})
            found = stats.read_file(v1_group.path, "memory.max")
            assert found is not None and found[0] == f"{limit << 20}\n"

    def test_the_error_of_a_control_file_names_it(self, v1_group: Cgroup) -> None:
        with pytest.raises(KernelError) as caught:
            v1_group.apply({"cpu": {"quota": 10}})
        assert "cpu.cfs_quota_us" in str(caught.value) and "EINVAL" in str(caught.value)

    def test_remove_says_who_holds_it(self, v1_group: Cgroup, monkeypatch: pytest.MonkeyPatch
                                      ) -> None:
        monkeypatch.setattr(cgroup, "REMOVE_PATIENCE_S", 0.05)
        program = inside(v1_group, "sleep", "1000")
        until(lambda: program.pid in v1_group.processes(), "it joined")
        with pytest.raises(Conflict) as caught:
            v1_group.remove()
        assert f"processes {program.pid}" in str(caught.value)
        program.kill()
        program.communicate()
        monkeypatch.undo()
        v1_group.remove()
        assert not v1_group.exists()
        v1_group.remove()

    def test_groups_made_below_it_go_with_it(self, v1_group: Cgroup) -> None:
        """A privileged container may divide its group, as systemd does."""
        for directory in v1_group.directories():
            os.makedirs(f"{directory}/a/b")
        process = inside(v1_group, "sleep", "100")
        Path(v1_group.paths["memory"], "a/b/cgroup.procs").write_text(str(process.pid))
        assert v1_group.processes() == [process.pid]
        v1_group.kill()
        assert process.wait(5) == -9
        v1_group.remove()
        assert not v1_group.exists()

    def test_one_left_behind_with_groups_below_is_made_anew(self, v1_group: Cgroup) -> None:
        for directory in v1_group.directories():
            os.makedirs(f"{directory}/a/b")
        v1_group.create()
        assert not any(os.path.exists(f"{each}/a") for each in v1_group.directories())

    def test_open_group_makes_nothing(self) -> None:
        group = cgroup.open_group("/container-lab-test-none")
        assert group.version == hierarchies.find().version and not group.exists()
        assert group.processes() == []
