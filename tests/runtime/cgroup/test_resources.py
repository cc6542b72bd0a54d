"""Every row of the table of limits, both ways, and what is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.cgroup.hierarchies import CONTROLLERS, Hierarchies
from runtime.cgroup.block import THROTTLES
from runtime.cgroup.resources import shares_to_weight, v1_writes, v2_writes
from runtime.errors import Invalid, LabError, Unsupported

HOST = Hierarchies(1, {name: f"/sys/fs/cgroup/{name}" for name in CONTROLLERS}, None)
DEVICE = {"major": 8, "minor": 0, "rate": 1048576}
ROWS: list[tuple[dict[str, Any], list[tuple[str, str, str]], list[tuple[str, str]]]] = [
    ({"memory": {"limit": 33554432}}, [("memory", "memory.limit_in_bytes", "33554432")],
     [("memory.max", "33554432")]),
    ({"memory": {"limit": -1}}, [("memory", "memory.limit_in_bytes", "-1")],
     [("memory.swap.max", "max"), ("memory.max", "max")]),
    ({"memory": {"reservation": 1024}}, [("memory", "memory.soft_limit_in_bytes", "1024")],
     [("memory.low", "1024")]),
    ({"memory": {"limit": 100, "swap": 300}},
     [("memory", "memory.limit_in_bytes", "100"), ("memory", "memory.memsw.limit_in_bytes", "300")],
     [("memory.swap.max", "200"), ("memory.max", "100")]),
    ({"memory": {"limit": 100, "swap": 100}},
     [("memory", "memory.limit_in_bytes", "100"), ("memory", "memory.memsw.limit_in_bytes", "100")],
     [("memory.swap.max", "0"), ("memory.max", "100")]),
    ({"memory": {"swap": -1}}, [("memory", "memory.memsw.limit_in_bytes", "-1")],
     [("memory.swap.max", "max")]),
    ({"cpu": {"quota": 50000, "period": 200000}},
     [("cpu", "cpu.cfs_period_us", "200000"), ("cpu", "cpu.cfs_quota_us", "50000")],
     [("cpu.max", "50000 200000")]),
    ({"cpu": {"quota": 50000}}, [("cpu", "cpu.cfs_quota_us", "50000")],
     [("cpu.max", "50000 100000")]),
    ({"cpu": {"quota": -1}}, [("cpu", "cpu.cfs_quota_us", "-1")], [("cpu.max", "max 100000")]),
    ({"cpu": {"period": 50000}}, [("cpu", "cpu.cfs_period_us", "50000")],
     [("cpu.max", "max 50000")]),
    ({"cpu": {"shares": 512}}, [("cpu", "cpu.shares", "512")], [("cpu.weight", "59")]),
    ({"cpu": {"cpus": "0-1", "mems": "0"}},
     [("cpuset", "cpuset.cpus", "0-1"), ("cpuset", "cpuset.mems", "0")],
     [("cpuset.cpus", "0-1"), ("cpuset.mems", "0")]),
    ({"pids": {"limit": 20}}, [("pids", "pids.max", "20")], [("pids.max", "20")]),
    ({"pids": {"limit": -1}}, [("pids", "pids.max", "max")], [("pids.max", "max")]),
    ({"blockIO": {"weight": 1000}}, [("blkio", "blkio.bfq.weight", "1000")],
     [("io.weight", "default 10000")]),
    ({"blockIO": {"weight": 10}}, [("blkio", "blkio.bfq.weight", "10")],
     [("io.weight", "default 1")]),
    *[({"blockIO": {key: [DEVICE]}}, [("blkio", name, "8:0 1048576")],
       [("io.max", f"8:0 {word}=1048576")]) for key, (name, word) in THROTTLES.items()],
    ({"cpu": {"quota": 50000, "burst": 20000}},
     [("cpu", "cpu.cfs_quota_us", "50000"), ("cpu", "cpu.cfs_burst_us", "20000")],
     [("cpu.max", "50000 100000"), ("cpu.max.burst", "20000")]),
    ({"cpu": {"idle": 1}}, [("cpu", "cpu.idle", "1")], [("cpu.idle", "1")]),
    ({"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]},
     [("hugetlb", "hugetlb.2MB.limit_in_bytes", "4194304")], [("hugetlb.2MB.max", "4194304")]),
    ({"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}, "mlx4_0": {"hcaObjects": 1}}},
     [("rdma", "rdma.max", "mlx5_1 hca_handle=3 hca_object=10000"),
      ("rdma", "rdma.max", "mlx4_0 hca_object=1")],
     [("rdma.max", "mlx5_1 hca_handle=3 hca_object=10000"), ("rdma.max", "mlx4_0 hca_object=1")]),
    ({"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 505}]}},
     [("blkio", "blkio.bfq.weight_device", "8:0 505")], [("io.weight", "8:0 5000")]),
    # As with runc, 0 is no limit.
    ({"memory": {"limit": 0, "swap": 0, "reservation": 0, "kernelTCP": 0}, "cpu": {"quota": 0},
      "pids": {"limit": 0}}, [], []),
    ({}, [], []), ({"memory": {}, "cpu": None, "pids": {}, "blockIO": {}}, [], []),
    ({"memory": {"disableOOMKiller": False, "useHierarchy": True}, "network": {}}, [], []),
]


@pytest.mark.parametrize(("asked", "v1", "v2"), ROWS)
def test_a_row(asked: dict[str, Any], v1: list[tuple[str, str, str]], v2: list[tuple[str, str]]
               ) -> None:
    assert list(v1_writes(asked, HOST)) == v1
    assert list(v2_writes(asked)) == v2


def test_v1_alone() -> None:
    assert list(v1_writes({"memory": {"swappiness": 0, "disableOOMKiller": True}}, HOST)) == [
        ("memory", "memory.swappiness", "0"), ("memory", "memory.oom_control", "1")]
    assert list(v1_writes({"devices": [{"allow": False, "access": "rwm"}, {
        "allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}]}, HOST)) == [
        ("devices", "devices.deny", "a"), ("devices", "devices.allow", "c 1:3 rw")]


def test_v2_alone() -> None:
    assert list(v2_writes({"unified": {"memory.high": "1G", "cgroup.max.depth": "3"}})) == [
        ("memory.high", "1G"), ("cgroup.max.depth", "3")]


@pytest.mark.parametrize(("asked", "name"), [
    ({"memory": {"swappiness": 10}}, "memory.swappiness"),
    ({"memory": {"disableOOMKiller": True}}, "memory.disableOOMKiller")])
def test_what_v2_lacks_is_refused_by_name(asked: dict[str, Any], name: str) -> None:
    with pytest.raises(Unsupported, match=name):
        list(v2_writes(asked))


@pytest.mark.parametrize("asked", [{"memory": {"swap": 300}}, {"memory": {"limit": 9, "swap": 5}}])
def test_a_swap_that_is_no_sum(asked: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="memory.swap"):
        list(v2_writes(asked))


def test_what_v1_lacks_is_refused_by_name() -> None:
    with pytest.raises(Unsupported, match="memory.high"):
        list(v1_writes({"unified": {"memory.high": "1G"}}, HOST))
    bare = Hierarchies(1, {"memory": "/sys/fs/cgroup/memory"}, None)
    with pytest.raises(Unsupported, match="pids.max: this host has no pids controller"):
        list(v1_writes({"pids": {"limit": 5}}, bare))


def test_v1_has_more() -> None:
    assert list(v1_writes({
        "memory": {"kernelTCP": 5, "checkBeforeUpdate": True},
        "cpu": {"realtimeRuntime": 950, "realtimePeriod": 1000}, "blockIO": {"leafWeight": 10},
        "network": {"classID": 1048577, "priorities": [{"name": "eth0", "priority": 5}]},
    }, HOST)) == [
        ("memory", "memory.kmem.tcp.limit_in_bytes", "5"),
        ("cpu", "cpu.rt_period_us", "1000"), ("cpu", "cpu.rt_runtime_us", "950"),
        ("blkio", "blkio.leaf_weight", "10"), ("net_cls", "net_cls.classid", "1048577"),
        ("net_prio", "net_prio.ifpriomap", "eth0 5")]


def test_kernels_differ() -> None:
    old = {"blkio.weight", "hugetlb.1GB.rsvd.limit_in_bytes", "memory.memsw.limit_in_bytes"}
    asked = {"blockIO": {"weight": 20, "weightDevice": [{"major": 8, "minor": 0, "weight": 30}]},
             "hugepageLimits": [{"pageSize": "1GB", "limit": 0}], "memory": {"limit": -1}}
    assert list(v1_writes(asked, HOST, old.__contains__)) == [
        ("memory", "memory.limit_in_bytes", "-1"), ("memory", "memory.memsw.limit_in_bytes", "-1"),
        ("blkio", "blkio.weight", "20"), ("blkio", "blkio.weight_device", "8:0 30"),
        ("hugetlb", "hugetlb.1GB.limit_in_bytes", "0"),
        ("hugetlb", "hugetlb.1GB.rsvd.limit_in_bytes", "0")]
    new = {"io.bfq.weight", "hugetlb.1GB.rsvd.max"}
    assert list(v2_writes(asked, new.__contains__)) == [
        ("memory.swap.max", "max"), ("memory.max", "max"), ("io.bfq.weight", "20"),
        ("io.bfq.weight", "8:0 30"), ("hugetlb.1GB.max", "0"), ("hugetlb.1GB.rsvd.max", "0")]


@pytest.mark.parametrize(("asked", "name"), [
    ({"memory": {"kernel": 5}}, "memory.kernel: no kernel since"), ({"later": {"x": 1}}, "later.x"),
    ({"cpu": {"later": 5}}, "cpu.later"), ({"blockIO": {"weight": 7}}, "blockIO.weight: 7"),
    ({"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "weight": 1001}]}},
     "blockIO.weightDevice")])
def test_what_neither_has_is_refused_by_name(asked: dict[str, Any], name: str) -> None:
    for writes in (lambda: list(v1_writes(asked, HOST)), lambda: list(v2_writes(asked))):
        with pytest.raises(LabError, match=f"set {name}"):
            writes()


@pytest.mark.parametrize(("asked", "name"), [
    ({"memory": {"kernelTCP": 5}}, "memory.kernelTCP"), ({"memory": {"swappiness": 0}}, "swapp"),
    ({"cpu": {"realtimeRuntime": 5}}, "cpu.realtimeRuntime"),
    ({"network": {"classID": 1}}, "network.classID"),
    ({"blockIO": {"leafWeight": 10}}, "blockIO.leafWeight")])
def test_what_v2_gave_up(asked: dict[str, Any], name: str) -> None:
    with pytest.raises(Unsupported, match=name):
        list(v2_writes(asked))


@pytest.mark.parametrize("asked", [{"memory": {"swappiness": 101}}, {"cpu": {"shares": 1}},
                                   {"cpu": {"shares": 262145}}])
def test_what_the_kernel_of_v1_would_bend(asked: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        list(v1_writes(asked, HOST))


@pytest.mark.parametrize("name", ["../memory.high", "cgroup", ""])
def test_a_unified_name_is_a_control_file(name: str) -> None:
    with pytest.raises(Invalid, match="unified"):
        list(v2_writes({"unified": {name: "1"}}))


@pytest.mark.parametrize(("shares", "weight"), [
    (0, 1), (2, 1), (1024, 100), (262144, 10000), (1 << 40, 10000), (512, 59), (2048, 170)])
def test_shares_as_weight(shares: int, weight: int) -> None:
    assert abs(shares_to_weight(shares) - weight) <= (weight > 100) * 5


def test_more_shares_are_never_less_weight() -> None:
    weights = [shares_to_weight(2 ** n // 1) for n in range(1, 19)]
    assert weights == sorted(weights)
