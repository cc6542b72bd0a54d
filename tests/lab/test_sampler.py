"""The sampler over a fake engine and a recorded /proc: what it reads, keeps, and when it posts."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace

import pytest

from lab.sampler import Sampler
from runtime.inspect.source import Live

ALL = frozenset({"usage", "processes", "namespaces", "mounts", "changes", "effects"})


def container(root, name="tea", status="running", pid=0, **state):
    """A container of the fake engine, with its directory."""
    folder = root / "containers" / ("c" * 64)
    folder.mkdir(parents=True, exist_ok=True)
    return SimpleNamespace(
        id="c" * 64, name=name, directory=str(folder), cgroup=f"/container-lab/{name}",
        config={"Name": f"/{name}", "Path": "hog", "Args": ["200M"],
                "Created": "2026-11-24T12:00:00.000000000Z",
                "Config": {"Image": "lab/base", "Cmd": ["hog", "200M"]},
                "HostConfig": {"Memory": 50331648, "NanoCpus": 500000000}},
        state={"Status": status, "Pid": pid, "ShimPid": 0, "ExitCode": 0, **state})


@pytest.fixture
def eyes(engine, tmp_path):
    """A sampler that is asked by hand, over this host's own /proc."""
    posted = []
    sampler = Sampler(engine, Live(), posted.append)
    sampler.posted = posted
    return sampler


def test_it_posts_nothing_while_nothing_changes(eyes, engine, tmp_path):
    assert eyes.take() is not None
    assert eyes.take() is None
    (tmp_path / "events.jsonl").write_text("{}\n")
    assert eyes.take() is not None


def test_it_sees_a_live_process_from_every_side(eyes, engine, tmp_path):
    engine.made.append(container(tmp_path, pid=os.getpid()))
    eyes.look("tea", ALL)
    view = eyes.take().shown
    assert view.row.alive
    assert {one.kind for one in view.namespaces} >= {"mnt", "pid", "net"}
    assert view.processes[0].process.pid == os.getpid() and view.processes[0].part == "init"
    assert view.mounts and view.uid_map


def test_only_what_is_looked_at_is_read(eyes, engine, tmp_path):
    engine.made.append(container(tmp_path, pid=os.getpid()))
    eyes.look("tea", frozenset({"mounts"}))
    view = eyes.take().shown
    assert view.mounts and not view.namespaces and not view.processes


def test_after_the_death_it_remembers_the_living(eyes, engine, tmp_path):
    engine.made.append(container(tmp_path, pid=os.getpid()))
    eyes.look("tea", ALL)
    eyes.take()
    engine.made[0].state.update(Status="exited", Pid=0, ExitCode=137, OOMKilled=True)
    engine.last_cgroup = lambda ref: {
        "memory.events": {"text": "max 231\noom_kill 1\n", "path": "/sys/x/memory.oom_control"}}
    engine.why = lambda ref: [("the kernel", "killed hog", "memory.events oom_kill 1")]
    (tmp_path / "events.jsonl").write_text("changed\n")
    view = eyes.take().shown
    assert view.remembered and view.verdict == ("dead", "OOM")
    assert view.namespaces and view.mounts
    assert view.usage.oom_kills == 1 and not view.usage.exists
    assert view.why[0][0] == "the kernel"


def test_a_container_that_was_removed_keeps_its_last_view(eyes, engine, tmp_path):
    engine.made.append(container(tmp_path, pid=os.getpid()))
    eyes.look("tea", ALL)
    eyes.take()
    engine.made.clear()
    engine.events = lambda: [{"Action": "die", "Actor": {"ID": "c" * 64, "Attributes":
                                                         {"exitCode": "137"}}}]
    (tmp_path / "events.jsonl").write_text("changed\n")
    view = eyes.take().shown
    assert view.row.dead and view.row.exit_code == 137 and view.mounts


def test_what_cannot_be_read_is_said_and_ends_nothing(eyes, engine, tmp_path):
    def broken():
        raise OSError(5, "input/output error")

    engine.containers = broken
    snapshot = eyes.take()
    assert "input/output error" in snapshot.trouble


def test_the_thread_starts_wakes_and_stops(eyes, engine, tmp_path):
    eyes.start()
    deadline = time.monotonic() + 5
    while not eyes.posted and time.monotonic() < deadline:
        time.sleep(0.01)
    assert eyes.posted
    engine.made.append(container(tmp_path, pid=os.getpid()))
    eyes.look("tea", ALL)
    while not (eyes.posted[-1].shown) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert eyes.posted[-1].shown.row.name == "tea"
    eyes.stop()
    assert not eyes._thread.is_alive()
