"""Limits on this host's own kernel, v1 or hybrid: what was asked for is what the files say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.cgroup import hierarchies
from runtime.cgroup.cgroup import Cgroup
from runtime.cgroup.v1 import CgroupV1
from runtime.errors import KernelError, Unsupported
from runtime.kernel import files

IS_V1 = "memory" in Path("/proc/self/cgroup").read_text()
pytestmark = [pytest.mark.kernel,
              pytest.mark.skipif(not IS_V1, reason="this host's controllers are v2")]


@pytest.fixture
def v1_group(group: Cgroup) -> Iterator[CgroupV1]:
    """A group, and the v2 tree's list of controllers as it was before."""
    assert isinstance(group, CgroupV1)
    control = f"{hierarchies.find().unified}/cgroup.subtree_control"
    before = (files.read(control) or "").split()
    yield group
    if group.unified is None:
        return
    group.remove()
    for name in set((files.read(control) or "").split()) - set(before):
        try:
            files.write_control(control, f"-{name}")
        except KernelError:
            continue  # somebody else uses it by now


@pytest.mark.parametrize(("asked", "name", "text"), [
    ({"cpu": {"quota": 50000, "burst": 20000}}, "cpu/cpu.cfs_burst_us", "20000"),
    ({"cpu": {"idle": 1}}, "cpu/cpu.idle", "1"),
    ({"memory": {"swappiness": 7}}, "memory/memory.swappiness", "7"),
    ({"memory": {"kernelTCP": 1 << 20}}, "memory/memory.kmem.tcp.limit_in_bytes", "1048576"),
    ({"memory": {"limit": 1 << 26, "disableOOMKiller": True}}, "memory/memory.oom_control",
     "oom_kill_disable 1\nunder_oom 0\noom_kill 0"),
    ({"blockIO": {"weight": 321}}, "blkio/blkio.bfq.weight", "321"),
    ({"hugepageLimits": [{"pageSize": "2MB", "limit": 1 << 21}]},
     "unified/hugetlb.2MB.max", "2097152")])
def test_what_the_kernel_says_of_a_limit(
        v1_group: CgroupV1, asked: dict[str, Any], name: str, text: str) -> None:
    controller, _, file = name.partition("/")
    folder = v1_group.unified if controller == "unified" else v1_group.paths[controller]
    v1_group.apply(asked)
    if not Path(f"{folder}/{file}").exists():
        pytest.skip(f"this kernel has no {file}")
    assert Path(f"{folder}/{file}").read_text().strip() == text


def test_a_limit_taken_away_again(v1_group: CgroupV1) -> None:
    v1_group.apply({"memory": {"limit": 1 << 26, "swap": 1 << 27}, "pids": {"limit": 5}})
    v1_group.apply({"memory": {"limit": -1}, "pids": {"limit": -1}})
    assert int(Path(f"{v1_group.paths['memory']}/memory.limit_in_bytes").read_text()) > 1 << 60
    assert Path(f"{v1_group.paths['pids']}/pids.max").read_text() == "max\n"


def test_what_this_kernel_has_no_file_for(v1_group: CgroupV1) -> None:
    with pytest.raises(Unsupported, match="this kernel's blkio controller has no such file"):
        v1_group.apply({"blockIO": {"leafWeight": 10}})
    if "net_cls" not in v1_group.paths:
        with pytest.raises(Unsupported, match="this host has no net_cls controller"):
            v1_group.apply({"network": {"classID": 1}})
