"""stats and top, compared with the kernel's own files and the host's ps."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.errors import Invalid

pytestmark = pytest.mark.kernel


def test_stats_of_one_that_runs(engine, started, eventually):
    tea = engine.find(started("burn", name="tea", host={
        "NanoCpus": 5 * 10**8, "Memory": 64 << 20, "PidsLimit": 20}))
    eventually(lambda: engine.stats("tea")["cpu_stats"]["throttling_data"]["throttled_periods"] > 2)
    found = engine.stats("tea")
    assert found["memory_stats"]["limit"] == 64 << 20
    assert found["pids_stats"]["limit"] == 20 and found["pids_stats"]["current"] >= 1
    assert 0 < found["memory_stats"]["usage"] < 64 << 20
    before = found["cpu_stats"]["cpu_usage"]["total_usage"]
    usage = Path(f"/sys/fs/cgroup/cpuacct{tea.cgroup}/cpuacct.usage")
    if usage.exists():
        kernel = int(usage.read_text())
        assert before <= kernel <= engine.stats("tea")["cpu_stats"]["cpu_usage"]["total_usage"] + \
            20_000_000
    assert found["networks"] == {}


def test_stats_of_one_that_does_not(engine, run):
    run("true", name="tea")
    found = engine.stats("tea")
    assert found["cpu_stats"] == found["memory_stats"] == {}
    assert (found["name"], found["num_procs"]) == ("/tea", 0)


def test_top(engine, started, eventually, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    tea = engine.find(started("sh", "-c", "sleep 1000 & sleep 1000 & wait", name="tea"))
    eventually(lambda: len(engine.top("tea", [])["Processes"]) == 3)
    found = engine.top("tea", [])
    assert found["Titles"] == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    pids = {row[1] for row in found["Processes"]}
    assert str(tea.pid) in pids
    assert {row[7] for row in found["Processes"]} == {"sleep 1000",
                                                      "sh -c sleep 1000 & sleep 1000 & wait"}
    assert engine.top("tea", ["-o", "pid,comm"])["Titles"] == ["PID", "COMMAND"]
    with pytest.raises(Invalid, match="Couldn't find PID field in ps output"):
        engine.top("tea", ["-o", "comm"])
    with pytest.raises(Invalid, match="^ps: "):
        engine.top("tea", ["--no-such-option"])
