"""Probes: real attempts inside real containers, beside the same attempts typed into a shell."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess

import pytest

from runtime.engine import ablation, probes
from runtime.errors import Conflict, Unsupported
from runtime.oci import attempts

NAMES = [name for name, *_ in probes.PROBES]


def test_each_probe_has_its_attempt_and_each_attempt_its_question():
    assert sorted(NAMES) == sorted(attempts.ATTEMPTS) and len(set(NAMES)) == len(NAMES)
    assert all(set(parts) <= set(ablation.PARTS) for _, _, _, parts, _ in probes.PROBES)


def test_a_probe_that_did_not_answer_says_so():
    told = probes.described(probes.PROBES[0], None, {"pid": 9})
    assert (told["yes"], told["said"], told["line"]) == (False, "no answer", "cat /proc/9/comm")


def test_an_attempt_that_fails_is_an_answer():
    def refused(host):
        raise PermissionError(1, "")

    def mistaken(host):
        raise KeyError("port")

    assert attempts.outcome(refused, {}) == (False, 1, "")
    assert attempts.outcome(mistaken, {})[2] == "KeyError: 'port'"


# ------------------------------------------------------------------ on the kernel

# What turns from no to yes when a part is left out; the other probes stay as they are.
TURNS = {
    (): set(), ("pid",): {"processes", "signal"}, ("mount",): {"root"}, ("pivot",): {"root"},
    ("net",): {"links", "loopback"}, ("ipc",): {"memory"}, ("uts",): {"name"},
    ("cgroup",): {"cgroup"}, ("seccomp",): {"userns", "keys"}, ("caps",): {"priority"},
    ("masks",): {"masked", "settings"},
    ("caps", "seccomp"): {"priority", "userns", "keys", "mount"},
    ("uts", "caps", "seccomp"): {"priority", "userns", "keys", "mount", "name", "hostname"},
}


@pytest.fixture
def answers(engine, started):
    """answers("pid"): {name: answer} of a container without it."""

    def ask(*parts):
        host = {"ContainerLab": {"Without": list(parts), "Unsafe": True}} if parts else {}
        return {one["name"]: one for one in engine.probe(started("sleep", "60", host=host))}

    return ask


@pytest.mark.kernel
@pytest.mark.parametrize("parts", TURNS, ids="+".join)
def test_a_part_holds_back_what_it_is_said_to_hold_back(answers, parts):
    found = answers(*parts)
    assert list(found) == NAMES
    # Whether a user namespace can be made at all is this host's own affair.
    expected = TURNS[parts] - ({"userns"} if not users_allowed() else set())
    assert {name for name, one in found.items() if one["yes"]} - {"node"} == expected
    assert found["node"]["yes"], "making a node is allowed; opening it is what counts"
    assert found["disk"]["errno"] in ("EPERM", "ENODEV")


def users_allowed() -> bool:
    return subprocess.run(["unshare", "-U", "true"], capture_output=True,
                          check=False).returncode == 0


@pytest.mark.kernel
def test_the_errno_is_the_kernels(answers):
    found = {name: one["errno"] for name, one in answers().items()}
    assert found["signal"] == "ESRCH" and found["processes"] == "ENOENT"
    assert found["mount"] == found["hostname"] == found["keys"] == "EPERM"
    assert found["priority"] == "EACCES" and found["settings"] == "EROFS"
    assert found["loopback"] == "ECONNREFUSED" and found["memory"] == "ENOENT"


@pytest.mark.kernel
@pytest.mark.parametrize("parts", [(), ("pid",), ("masks",), ("net",), ("caps", "seccomp")],
                         ids="+".join)
def test_a_shell_inside_comes_to_the_same(engine, started, inside, parts):
    """By the line that each probe names; those that ask for what is there need no yes or no."""
    host = {"ContainerLab": {"Without": list(parts), "Unsafe": True}} if parts else {}
    container = started("sleep", "60", host=host)
    for one in engine.probe(container):
        if one["name"] in ("processes", "signal", "mount", "settings", "userns", "priority",
                           "hostname", "node"):
            done = inside(container, "sh", "-c", one["line"])
            by_hand = done.code == 0
            # One may always set the name of a UTS namespace of one's own, given the right to.
            expected = one["yes"] or one["name"] == "hostname" and one["said"].endswith("its own")
            assert by_hand == expected, (one["name"], done.err)


@pytest.mark.kernel
def test_nothing_is_left_behind(engine, started):
    container = engine.find(started("sleep", "60", host={
        "ContainerLab": {"Without": ["caps", "seccomp", "pivot", "pid"], "Unsafe": True}}))
    name = socket.gethostname()
    before = what_is_there(container.pid)
    engine.probe(container.id)
    assert socket.gethostname() == name and not our_segments()
    assert what_is_there(container.pid) == before


def our_segments() -> list[str]:
    """Those that this process has made; the fifth column of the table is the maker's pid."""
    with open("/proc/sysvipc/shm", encoding="ascii") as file:
        return [line for line in file if line.split()[4] == str(os.getpid())]


def what_is_there(pid: int) -> tuple[str, list[str]]:
    """A container's mounts and the names in the directories that the attempts use."""
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8") as file:
        table = file.read()
    return table, [sorted(os.listdir(f"/proc/{pid}/root{place}"))  # type: ignore[list-item]
                   for place in attempts.PLACES]


@pytest.mark.kernel
def test_as_an_ordinary_user_inside(engine, started):
    found = {one["name"]: one for one in engine.probe(started("sleep", "60", User="student"))}
    assert list(found) == NAMES and not found["node"]["yes"]
    assert found["node"]["errno"] == "EPERM"


@pytest.mark.kernel
def test_a_container_that_does_not_run_cannot_be_asked(engine, make):
    container = make("sleep", "60")
    with pytest.raises(Conflict, match="is not running"):
        engine.probe(container)
    engine.start(container)
    engine.pause(container)
    with pytest.raises(Conflict, match="is paused, unpause"):
        engine.probe(container)
    engine.unpause(container)
    assert engine.probe(container)


@pytest.mark.kernel
@pytest.mark.skipif(shutil.which("runc") is None, reason="no runc here")
def test_another_runtimes_container_cannot_be_asked(engine, started):
    with pytest.raises(Unsupported, match="--runtime runc"):
        engine.probe(started("sleep", "60", host={"Runtime": "runc"}))


@pytest.mark.kernel
def test_asking_is_an_exec_in_the_events(engine, started):
    container = started("sleep", "60")
    engine.probe(container)
    told = [event["Action"] for event in engine.events() if event["Actor"]["ID"] == container]
    assert told[-3:] == ["exec_create: container-lab-probe", "exec_start: container-lab-probe",
                         "exec_die"]


@pytest.mark.kernel
def test_the_board_says_what_turned_red_and_leaves_no_container(engine):
    found = engine.compare(["pid"], unsafe=True)
    assert {row["what"] for row in found["panes"] if row["red"]} == {"pid"}
    assert {row["name"] for row in found["probes"] if row["red"]} == {"processes", "signal"}
    assert engine.containers() == []
    for part, what in (("caps", "capabilities"), ("seccomp", "seccomp"), ("pivot", "root")):
        panes = engine.compare([part], unsafe=True)["panes"]
        assert [row["what"] for row in panes if row["red"]] == [what]


@pytest.mark.kernel
def test_a_refused_board_leaves_nothing(engine):
    with pytest.raises(Exception, match="could harm this host"):
        engine.compare(["pid"], unsafe=False)
    assert engine.containers() == []
