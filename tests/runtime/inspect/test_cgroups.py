"""Usage of a cgroup: the same container on v2 and on v1, a group that is gone, and a live group."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.cgroup import cgroup
from runtime.inspect import cgroups
from runtime.inspect.source import Live, Recording

TEA = "/container-lab/tea"
LIVE = Live()


def test_both_generations_tell_the_same(v1_host: Recording, v2_host: Recording) -> None:
    v1, v2 = cgroups.usage(v1_host, TEA), cgroups.usage(v2_host, TEA)
    for name in ("memory_current", "memory_max", "memory_low", "memory_peak", "usage_usec",
                 "nr_periods", "nr_throttled", "throttled_usec", "quota_usec", "period_usec",
                 "cpus", "pids_current", "pids_max", "pids_peak", "pids_events", "processes",
                 "oom_kills", "cpu_limit", "memory_share", "exists"):
        assert getattr(v1, name) == getattr(v2, name), name
    assert v2.exists and v2.memory_current == 64200704 and v2.memory_max == 64 << 20
    assert v2.oom_kills == 1 and v2.events["max"] == v1.events["max"] == 231
    assert v2.cpu_limit == 0.5 and v2.nr_throttled == 38 and v2.throttled_usec == 1_900_000
    assert v2.pids_events == {"max": 2} and v2.processes == (4213, 4300, 4301)


def test_each_value_names_the_file_it_was_read_from(
        v1_host: Recording, v2_host: Recording) -> None:
    v1, v2 = cgroups.usage(v1_host, TEA), cgroups.usage(v2_host, TEA)
    assert v2.paths["memory.current"] == "/sys/fs/cgroup/container-lab/tea/memory.current"
    assert v1.paths["memory.current"] == (
        "/sys/fs/cgroup/memory/container-lab/tea/memory.usage_in_bytes")
    assert v1.paths["memory.events"].endswith("/tea/memory.oom_control")
    assert v2.texts["memory.max"] == "67108864\n"


def test_what_only_one_generation_has(v1_host: Recording, v2_host: Recording) -> None:
    v1, v2 = cgroups.usage(v1_host, TEA), cgroups.usage(v2_host, TEA)
    assert v2.memory_pressure == cgroups.Pressure(61.2, 58.9)
    assert "memory.high" in v2.paths and v2.memory_high is None, "a limit of max"
    assert "memory.high" not in v1.paths and v1.memory_pressure is None
    assert v1.frozen and not v2.frozen
    assert v2.io["259:2"]["rbytes"] == v1.io["254:0"]["rbytes"] == 4096
    assert v2.io_max == {"259:2": {"wbps": 1048576}}


def test_a_pane_may_read_only_some_files(host: Recording) -> None:
    found = cgroups.usage(host, TEA, files=("memory.current",))
    assert list(found.paths) == ["memory.current"] and found.exists


def test_a_group_that_is_gone_is_what_was_kept_of_it(host: Recording) -> None:
    kept = {"memory.events": {"text": "max 231\noom_kill 1\n", "path": "/sys/…/memory.events"}}
    gone = cgroups.usage(host, "/container-lab/ink", kept)
    assert not gone.exists and gone.oom_kills == 1
    assert gone.paths == {"memory.events": "/sys/…/memory.events"}
    nothing = cgroups.usage(host, "/container-lab/ink")
    assert not nothing.exists and nothing.memory_current is None and nothing.paths == {}


def test_kept_counts_only_once_the_group_is_gone(host: Recording) -> None:
    kept = {"memory.current": {"text": "1\n", "path": "/old"}}
    assert cgroups.usage(host, TEA, kept).memory_current == 64200704


def test_a_host_without_cgroups() -> None:
    found = cgroups.usage(Recording({"/proc/self/mountinfo": "1 1 0:1 / / rw - ext4 a rw\n"}), TEA)
    assert not found.exists and found.events == {}


def test_cpu_share_between_two_moments(host: Recording) -> None:
    texts = {"cpu.stat": ("usage_usec 1000000\n", "/a")}
    before = cgroups.from_texts(TEA, True, texts, 10.0)
    after = cgroups.from_texts(TEA, True, {"cpu.stat": ("usage_usec 2000000\n", "/a")}, 12.0)
    assert cgroups.cpu_share(before, after) == 0.5
    assert cgroups.cpu_share(after, after) is None


@pytest.fixture
def group() -> Iterator[cgroup.Cgroup]:
    made = cgroup.open_group(f"/container-lab-test-{os.getpid()}")
    made.create()
    yield made
    made.remove()


@pytest.mark.kernel
def test_a_live_group_by_the_numbers_of_its_files(group: cgroup.Cgroup) -> None:
    group.apply({"memory": {"limit": 32 << 20}, "pids": {"limit": 17},
                 "cpu": {"quota": 50000, "period": 100000}})
    found = cgroups.usage(LIVE, group.path)
    assert found.exists and found.memory_max == 32 << 20 and found.pids_max == 17
    assert found.cpu_limit == 0.5 and found.processes == () and not found.frozen
    for name in ("memory.max", "pids.max", "pids.current"):
        said = Path(found.paths[name]).read_text().strip()
        assert found.texts[name].strip() == said


@pytest.mark.kernel
def test_a_live_process_is_counted_and_throttled(group: cgroup.Cgroup) -> None:
    group.apply({"cpu": {"quota": 10000, "period": 100000}})
    directories = group.directories()
    joins = "; ".join(f"echo 0 > {directory}/cgroup.procs" for directory in directories)
    process = subprocess.Popen(["sh", "-c", f"{joins}; while :; do :; done"])
    try:
        deadline = time.monotonic() + 20
        while not (found := cgroups.usage(LIVE, group.path)).nr_throttled:
            assert time.monotonic() < deadline, "it was never throttled"
            time.sleep(0.02)
        assert found.nr_throttled and found.throttled_usec
        assert found.processes == (process.pid,) and found.pids_current == 1
        assert found.usage_usec is not None and found.usage_usec > 0
    finally:
        process.kill()
        process.wait()
