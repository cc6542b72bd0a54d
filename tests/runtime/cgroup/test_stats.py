"""Reading a group in v2's words: each translation, on a recording, and on the live kernel."""

from __future__ import annotations

import pytest

from runtime.cgroup import stats
from runtime.cgroup.cgroup import Cgroup
from runtime.cgroup.hierarchies import CONTROLLERS, Hierarchies

V1 = Hierarchies(1, {name: f"/cg/{name}" for name in CONTROLLERS}, "/cg/unified")
V2 = Hierarchies(2, {"memory": "/cg"}, "/cg")
UNLIMITED = "9223372036854771712\n"
TEA = {
    "memory/tea/memory.usage_in_bytes": "4096\n",
    "memory/tea/memory.limit_in_bytes": "33554432\n",
    "memory/tea/memory.soft_limit_in_bytes": UNLIMITED,
    "memory/tea/memory.max_usage_in_bytes": "33554432\n",
    "memory/tea/memory.memsw.usage_in_bytes": "5000\n",
    "memory/tea/memory.memsw.limit_in_bytes": "67108864\n",
    "memory/tea/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    "memory/tea/memory.failcnt": "231\n",
    "memory/tea/memory.stat": "cache 0\nrss 4096\n",
    "memory/tea/cgroup.procs": "4213\n",
    "cpu/tea/cpu.stat": "nr_periods 10\nnr_throttled 4\nthrottled_time 3000000\nburst_time 0\n",
    "cpu/tea/cpu.cfs_quota_us": "50000\n", "cpu/tea/cpu.cfs_period_us": "100000\n",
    "cpu/tea/cpu.shares": "1024\n",
    "cpuacct/tea/cpuacct.usage": "2000000\n", "cpuacct/tea/cpuacct.usage_user": "1500000\n",
    "cpuset/tea/cpuset.cpus": "0-1\n", "cpuset/tea/cpuset.mems": "0\n",
    "pids/tea/pids.current": "3\n", "pids/tea/pids.max": "20\n", "pids/tea/pids.peak": "4\n",
    "pids/tea/pids.events": "max 2\n", "freezer/tea/freezer.state": "FROZEN\n",
    "blkio/tea/blkio.throttle.io_service_bytes":
        "254:0 Read 4096\n254:0 Write 8192\n254:0 Sync 0\n254:0 Total 12288\n7:0 Read 1\nTotal 9\n",
    "blkio/tea/blkio.throttle.write_bps_device": "254:0 1048576\n",
    "blkio/tea/blkio.throttle.read_bps_device": "",
    "blkio/tea/blkio.throttle.read_iops_device": "254:0 10\n7:0 5\n",
    "unified/tea/memory.pressure": "some avg10=0.00\n",
}
WORDED = {
    "memory.current": "4096\n", "memory.max": "33554432\n", "memory.low": "0\n",
    "memory.peak": "33554432\n", "memory.swap.current": "904\n", "memory.swap.max": "33554432\n",
    "memory.events": "max 231\noom_kill 1\n", "memory.stat": "cache 0\nrss 4096\n",
    "cpu.stat": "usage_usec 2000\nuser_usec 1500\nsystem_usec 500\nnr_periods 10\n"
                "nr_throttled 4\nthrottled_usec 3000\n",
    "cpu.max": "50000 100000\n", "cpu.weight": "100\n", "cpuset.cpus": "0-1\n",
    "cpuset.mems": "0\n", "pids.current": "3\n", "pids.max": "20\n", "pids.peak": "4\n",
    "pids.events": "max 2\n", "cgroup.freeze": "1\n", "cgroup.procs": "4213\n",
    "io.stat": "254:0 rbytes=4096 wbytes=8192\n7:0 rbytes=1 wbytes=0\n",
    "io.max": "254:0 wbps=1048576 riops=10\n7:0 riops=5\n",
    "memory.pressure": "some avg10=0.00\n",
}


def read(path: str) -> str | None:
    return TEA.get(path.removeprefix("/cg/"))


@pytest.mark.parametrize("name", list(WORDED))
def test_v1_in_the_words_of_v2(name: str) -> None:
    answer = stats.read_file("/tea", name, read, V1)
    assert answer is not None
    assert answer[0] == WORDED[name]
    assert read(answer[1]) is not None, "the path is a file that was read"


def test_every_translated_file_has_its_test() -> None:
    assert set(WORDED) >= set(stats.V1)
    assert set(stats.TRANSLATE) <= set(stats.V1) <= set(stats.FILES)


@pytest.mark.parametrize(("file", "text", "name", "worded"), [
    ("memory/tea/memory.limit_in_bytes", UNLIMITED, "memory.max", "max\n"),
    ("memory/tea/memory.memsw.limit_in_bytes", UNLIMITED, "memory.swap.max", "max\n"),
    ("cpu/tea/cpu.cfs_quota_us", "-1\n", "cpu.max", "max 100000\n"),
    ("freezer/tea/freezer.state", "THAWED\n", "cgroup.freeze", "0\n"),
    ("freezer/tea/freezer.state", "FREEZING\n", "cgroup.freeze", "0\n"),
    ("memory/tea/memory.soft_limit_in_bytes", "1024\n", "memory.low", "1024\n"),
    ("memory/tea/memory.oom_control", "oom_kill_disable 0\n", "memory.events",
     "max 231\noom_kill 0\n")])
def test_other_values(monkeypatch: pytest.MonkeyPatch, file: str, text: str, name: str,
                      worded: str) -> None:
    monkeypatch.setitem(TEA, file, text)
    answer = stats.read_file("/tea", name, read, V1)
    assert answer is not None and answer[0] == worded


def test_what_is_not_there_is_none() -> None:
    assert stats.read_file("/gone", "memory.current", read, V1) is None
    assert stats.read_file("/tea", "memory.high", read, V1) is None
    bare = Hierarchies(1, {"cpu": "/cg/cpu"}, None)
    assert stats.read_file("/tea", "memory.current", read, bare) is None
    assert stats.read_file("/tea", "memory.pressure", read, bare) is None


def test_v2_is_read_as_it_is() -> None:
    texts = {"/cg/tea/memory.events": "low 0\nhigh 3\nmax 1\noom 1\noom_kill 1\n"}
    assert stats.read_file("/tea", "memory.events", texts.get, V2) == (
        texts["/cg/tea/memory.events"], "/cg/tea/memory.events")
    assert stats.read_file("/tea", "memory.high", texts.get, V2) is None


def test_v1_names() -> None:
    assert stats.v1_name("memory.current") == "memory.usage_in_bytes"
    assert stats.v1_name("memory.high") is None


def test_pairs() -> None:
    assert stats.pairs("max 231\noom_kill 1\nodd\nword x\n\n") == {"max": 231, "oom_kill": 1}


@pytest.mark.kernel
def test_every_file_of_a_live_group(group: Cgroup) -> None:
    found = {name: stats.read_file(group.path, name) for name in stats.FILES}
    missing = {name for name, answer in found.items() if answer is None}
    if group.version == 1:
        assert missing <= {"memory.high", "memory.swap.current", "memory.swap.max", "pids.peak",
                           "pids.events", "memory.pressure", "cpu.pressure", "io.pressure"}
    last = stats.last_words(group.path)
    assert set(last) >= {"memory.events", "cpu.stat", "pids.max"}
    assert all(kept["path"].startswith("/sys/fs/cgroup") for kept in last.values())
