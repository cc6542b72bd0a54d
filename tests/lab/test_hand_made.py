"""A process that a student made without Docker, in the panes: found, looked at, remembered."""

from __future__ import annotations

import os
import random
import subprocess
import time
from types import SimpleNamespace

import pytest

from lab.hand_made import HandMade
from lab.sampler import Sampler
from lab.snapshot import Host, View
from lab.widgets import cgroups, hood, lifecycle, security
from runtime.inspect.source import Live

EVERYTHING = frozenset({"processes", "namespaces", "mounts", "security", "usage", "effects"})
ENGINE = SimpleNamespace(root="/nowhere", containers=list)


@pytest.fixture
def sleeper():
    """Start `sleep N` with a number of its own; gives the command line and the process."""
    running = []

    def start(*before: str) -> tuple[str, subprocess.Popen]:
        command = f"sleep {random.randint(700000, 799999)}"
        running.append(subprocess.Popen([*before, *command.split()]))
        return command, running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


def until(look):
    deadline = time.monotonic() + 10
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert found
    return found


def text(rows) -> str:
    return "\n".join(row.text for row in rows)


def test_what_does_not_run_is_nothing():
    assert HandMade(ENGINE, Live()).look("sleep 799998.5", EVERYTHING, 1.0) is None


def test_it_is_found_by_its_command_line_and_read_as_a_container_is(sleeper):
    command, process = sleeper()
    seen = HandMade(ENGINE, Live())
    view = until(lambda: seen.look(command, EVERYTHING, time.monotonic()))
    assert (view.row.name, view.row.pid, view.row.alive) == (command, process.pid, True)
    assert view.row.by_hand and abs(view.row.started_s - time.time()) < 15
    assert view.security.seccomp == 0 and view.filter == {}
    assert {one.kind for one in view.namespaces} >= {"pid", "mnt", "net"} and view.mounts
    assert [leaf.part for leaf in view.processes] == ["init"]


def test_after_its_end_it_stands_as_it_was_and_another_one_is_another_life(sleeper):
    command, process = sleeper()
    seen = HandMade(ENGINE, Live())
    until(lambda: seen.look(command, EVERYTHING, time.monotonic()))
    process.kill()
    process.wait()
    gone = seen.look(command, EVERYTHING, time.monotonic() + 1)
    assert gone.remembered and not gone.row.alive and gone.namespaces
    again = subprocess.Popen(command.split())
    try:
        view = until(lambda: (found := seen.look(command, EVERYTHING, time.monotonic() + 9))
                     and found.row.alive and found)
        assert view.row.pid == again.pid and not view.remembered
    finally:
        again.kill()
        again.wait()


@pytest.mark.kernel
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_sampler_shows_it_by_its_own_namespaces(sleeper):
    command, process = sleeper("unshare", "--net", "--uts")
    sampler = Sampler(ENGINE, Live(), lambda snapshot: None)
    sampler.look(command, EVERYTHING)

    def look():
        sampler.wake()
        snapshot = sampler.take()
        return snapshot and snapshot.shown

    view = until(look)
    private = {one.kind for one in view.namespaces if one.private}
    assert view.row.pid == process.pid and private == {"net", "uts"}


def test_the_panes_say_what_nobody_kept(sleeper):
    command, _ = sleeper()
    seen = HandMade(ENGINE, Live())
    view = until(lambda: seen.look(command, EVERYTHING, time.monotonic()))
    assert isinstance(view, View)
    assert "nobody wrote down" in text(hood.lines(view, Host(), 80, 20))
    assert "the group of whoever made it" in text(cgroups.lines(view, Host(), 80, 20))
    assert "it runs, and nobody keeps a state" in text(lifecycle.machine(view))
    assert "there is no filter" in text(security.lines(view, Host(), 80, 20))
