"""The sampler over a fake engine and a recorded /proc: what it reads, keeps, and when it posts."""

from __future__ import annotations

import json
import os
import time
from types import SimpleNamespace

import pytest

from lab.happenings import from_event, from_evidence, told_once
from lab.observation import Observation
from lab.rows import effect_of, point, row_of, seconds
from lab.sampler import Sampler
from runtime.inspect.cgroups import from_texts
from runtime.inspect.source import Live, Recording

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


def test_a_row_has_the_docker_line_and_the_times(tmp_path):
    row = row_of(container(tmp_path, StartedAt="2026-11-24T12:03:07.114000000Z"))
    assert row.command == "hog 200M"
    assert row.docker == "docker run --name tea --memory 48m --cpus 0.5 lab/base hog 200M"
    assert row.started_s == pytest.approx(seconds("2026-11-24T12:03:07Z") + 0.114)
    assert seconds("0001-01-01T00:00:00Z") == 0.0


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


def test_another_start_is_another_life(engine, tmp_path):
    engine.made.append(container(tmp_path, pid=os.getpid(), StartedAt="2026-11-24T12:00:01.0Z"))
    seen = Observation(engine, Live())
    first = seen.read(engine.find("tea"), ALL, 0.0, True)
    assert first.mounts
    engine.made[0].state.update(Status="exited", Pid=0, ExitCode=137, OOMKilled=True)
    engine.why = lambda ref: [("the kernel", "killed hog", "memory.events oom_kill 1")]
    assert seen.read(engine.find("tea"), ALL, 1.0, True).why
    engine.made[0].state.update(Status="running", Pid=2 ** 22 + 1, OOMKilled=False,
                                StartedAt="2026-11-24T12:00:09.0Z")
    again = seen.read(engine.find("tea"), ALL, 2.0, True)
    assert not again.mounts and not again.points and not again.why and not again.remembered


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


def test_points_come_from_two_readings():
    before = from_texts("/g", True, {"cpu.stat": ("usage_usec 100000\nnr_throttled 1\n", "/x"),
                                     "memory.current": ("10\n", "/m")}, 1.0)
    after = from_texts("/g", True, {"cpu.stat": ("usage_usec 150000\nnr_throttled 2\n", "/x"),
                                    "memory.current": ("20\n", "/m")}, 1.1)
    one = point(before, after)
    assert one.memory == 20 and one.cpus == pytest.approx(0.5) and one.throttled


def test_events_and_evidence_become_happenings():
    die = from_event({"Action": "die", "timeNano": 1_500_000_000, "Actor":
                      {"ID": "x", "Attributes": {"exitCode": "137"}}})
    assert (die.time_s, die.what, die.detail) == (1.5, "die", "exit 137")
    told = from_evidence({"time": 2.0, "who": "init", "what": "signal", "comm": "hog",
                          "signal": 9, "exit_code": 137})
    assert told.detail == "hog SIGKILL"
    moved = from_evidence({"time": 2.0, "who": "kernel", "what": "max", "from": 118, "to": 231})
    assert (moved.before, moved.after) == ("118", "231")


def test_a_signal_of_ours_is_told_once_in_dockers_word():
    def event(action: str, time_s: float, **attributes: str):
        return from_event({"Action": action, "timeNano": int(time_s * 1e9),
                           "Actor": {"ID": "x", "Attributes": attributes}})

    events = [event("kill", 1.0, signal="15"), event("kill", 3.0, signal="9"),
              event("pause", 5.0), event("exec_start: sh", 6.0),
              event("kill", 9.0, signal="9"), event("die", 9.1, exitCode="137")]
    evidence = [from_evidence({"time": at, "who": "engine", "what": what, "signal": number})
                for at, what, number in ((1.001, "stop", 15), (3.001, "stop-kill", 9),
                                         (9.001, "kill", 9))]
    evidence += [from_evidence({"time": 4.999, "who": "shim", "what": "pause"}),
                 from_evidence({"time": 6.001, "who": "engine", "what": "exec", "pid": 7})]
    assert [f"{one.what} {one.detail}".strip() for one in told_once(events, evidence)] == [
        "kill SIGTERM (stop)", "kill SIGKILL (stop)", "pause", "exec_start: sh", "kill SIGKILL",
        "die exit 137"]


def test_an_operation_is_kept_as_it_was_written():
    data = json.loads('{"n":1,"phase":"root","name":"mount","call":"mount(2)",'
                      '"arguments":{"target":"/"},"ns":41000,"errno":0,"by":"init"}')
    effect = effect_of(data)
    assert (effect.phase, effect.name, effect.ns) == ("root", "mount", 41000)


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


def test_a_recording_stands_in_for_a_host(engine, tmp_path):
    engine.made.append(container(tmp_path, pid=7))
    view = Observation(engine, Recording({"/proc/7/mountinfo": "1 0 0:1 / / rw - tmpfs t rw\n"})
                       ).read(engine.find("tea"), frozenset({"mounts"}), 0.0, True)
    assert [one.target for one in view.mounts] == ["/"]
