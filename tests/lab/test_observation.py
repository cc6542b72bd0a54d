"""The eyes on one container: what is read of it, when, and what of the one before is forgotten."""

from __future__ import annotations

import json
import os

from lab.observation import HOLDERS_S, MEMBERS_S, Observation, filter_of
from runtime.inspect.source import Live, Recording
from tests.lab.test_sampler import ALL, container


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


def test_a_recording_stands_in_for_a_host(engine, tmp_path):
    engine.made.append(container(tmp_path, pid=7))
    view = Observation(engine, Recording({"/proc/7/mountinfo": "1 0 0:1 / / rw - tmpfs t rw\n"})
                       ).read(engine.find("tea"), frozenset({"mounts"}), 0.0, True)
    assert [one.target for one in view.mounts] == ["/"]


SECURITY, NAMESPACES = frozenset({"security"}), frozenset({"namespaces"})


def test_rights_and_the_filter_are_read_when_their_pane_is_seen(engine, tmp_path):
    it = container(tmp_path, pid=os.getpid())
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []}
    with open(f"{it.directory}/config.json", "w", encoding="utf-8") as file:
        json.dump({"linux": {"seccomp": profile}}, file)
    view = Observation(engine, Live()).read(it, SECURITY, 0.0, True)
    assert view.security.pid == os.getpid() and view.filter == profile
    assert view.bundle == it.directory and not view.namespaces
    unseen = Observation(engine, Live()).read(it, frozenset({"mounts"}), 0.0, True)
    assert unseen.security is None and unseen.filter is None


def test_a_container_without_a_filter_has_an_empty_one(tmp_path):
    it = container(tmp_path)
    assert filter_of(it) == {}, "no config.json"
    with open(f"{it.directory}/config.json", "w", encoding="utf-8") as file:
        file.write('{"linux": {}}')
    assert filter_of(it) == {}


def test_the_dear_passes_over_the_host_are_rare(engine, tmp_path):
    class Counting(Recording):
        passes = fds = 0

        def listdir(self, path):
            Counting.passes += path == "/proc"
            Counting.fds += path.endswith("/fd")
            return super().listdir(path)

    there = Counting({"/proc": ["7"], "/proc/7/ns/net": {"link": "net:[20]"}, "/proc/7/fd": ["3"],
                      "/proc/7/fd/3": {"link": "net:[20]"}, "/proc/1/ns/net": {"link": "net:[1]"},
                      "/proc/7/gid_map": "0 0 1\n"})
    it = container(tmp_path, pid=7)
    engine.made.append(it)
    seen = Observation(engine, there)
    for at in range(20):
        view = seen.read(it, NAMESPACES, at * 0.5, at == 0)
    assert view.namespaces[0].held_by == (7,) and view.gid_map
    assert view.neighbours == (("tea", {"net": 20}),)
    seconds = 19 * 0.5
    assert Counting.fds == 1 + int(seconds / HOLDERS_S)
    # One pass for the members each time, and one more where descriptors are looked for.
    assert Counting.passes <= 1 + seconds / MEMBERS_S + Counting.fds + 1
