"""The kill matrix: SIGKILL at every operation of create, start, exec and delete.

The list of operations comes from the gate itself: a command is run once with leave for everything,
then again and again, killed a step further each time. After the next command (`delete --force`)
nothing is left: no process, group, mount, directory; and until then the state can be read.
CONTAINER_LAB_KILLS=all (make soak) takes every operation; else the first of each kind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.cgroup import cgroup
from runtime.oci import state
from tests.runtime.oci.bundles import Bundle
from tests.runtime.oci.commandline import Runtime, eventually, written
from tests.runtime.oci.killer import Killer, Moment

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(240)]
EVERY = os.environ.get("CONTAINER_LAB_KILLS") == "all"


@pytest.fixture
def killer(ours: Runtime) -> Iterator[Killer]:
    with Killer(ours.folder / "gate") as made:
        yield made


def moments(seen: list[Moment], few: int = 20) -> list[Moment]:
    """All, if they are few or all are asked for, or the first of each kind."""
    return [each for each in seen if EVERY or len(seen) <= few or each[2] == 1]


def held(runtime: Runtime, killer: Killer, *words: str) -> int:
    return runtime(*words, env={"CONTAINER_LAB_GATE": killer.path}).code


def readable(runtime: Runtime) -> None:
    """What is there says what it is."""
    for container in state.every(str(runtime.root)):
        assert container.report()["status"] in ("creating", "created", "running", "stopped")


def gone(runtime: Runtime, bundle: Bundle, killer: Killer) -> None:
    """delete --force takes all away, whatever there is."""
    readable(runtime)
    said = runtime("delete", "--force", "tea")
    assert said.code == 0, (killer.moment, said)
    nothing(runtime, bundle, killer)


def nothing(runtime: Runtime, bundle: Bundle, killer: Killer) -> None:
    left = [name for name in os.listdir(runtime.root) if name != "@seccomp"]
    assert not left, (killer.moment, left)
    group = cgroup.open_group(bundle.group)
    assert not [each for each in group.directories() if os.path.exists(each)], killer.moment
    assert str(bundle.folder) not in Path("/proc/self/mountinfo").read_text(), killer.moment

    def alive() -> list[int]:
        return [pid for pid in killer.pids if lives(pid)]

    eventually(lambda: not alive(), f"the end of {alive()} after {killer.moment}")


def lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def matrix(ours: Runtime, killer: Killer, bundle: Bundle, victim: str,
           *words: str) -> Iterator[Moment]:
    """Kill `words` at each of its moments in turn; the caller sets the stage and clears it."""
    killer.arm(None)
    assert held(ours, killer, *words) == 0
    every = moments(killer.seen)
    assert len(every) > 2
    yield ("command", "", 0)
    if victim == "other" and not EVERY:
        every = every[::3]
    for moment in every:
        killer.pids.clear()
        killer.arm(moment, victim)
        code = held(ours, killer, *words)
        if killer.killed and victim == "asker":
            assert code != 0 or moment[0] != "command", f"killed at {moment}, and all was well"
        yield moment


@pytest.mark.parametrize("victim", ["asker", "other"])
def test_create(ours: Runtime, killer: Killer, bundle: Bundle, victim: str) -> None:
    bundle.spec["linux"]["resources"]["memory"] = {"limit": 1 << 26}
    folder = written(bundle, "/bin/sleep", "1000")
    done = 0
    for _ in matrix(ours, killer, bundle, victim, "create", "-b", folder, "tea"):
        gone(ours, bundle, killer)
        done += 1
    assert done > 10


def test_start(ours: Runtime, killer: Killer, bundle: Bundle) -> None:
    folder = written(bundle, "/bin/sleep", "1000")

    def create() -> None:
        killer.arm(None)
        assert held(ours, killer, "create", "-b", folder, "tea") == 0

    create()
    killer.arm(None)
    assert held(ours, killer, "start", "tea") == 0
    every = moments(killer.seen)
    assert {who for who, _, _ in every} == {"command", "init"}
    for moment in every:
        gone(ours, bundle, killer)
        create()
        killer.arm(moment)
        code = held(ours, killer, "start", "tea")
        readable(ours)
        container = state.load(str(ours.root), "tea")
        if moment[0] == "init":
            assert code == 1
            eventually(lambda each=container: each.status() == "stopped", f"the end at {moment}")
        elif container.status() == "created":  # the word was not said: it may be said again
            assert ours("start", "tea").code == 0
    gone(ours, bundle, killer)


@pytest.mark.parametrize("victim", ["asker", "other"])
def test_exec(ours: Runtime, killer: Killer, bundle: Bundle, victim: str) -> None:
    folder = written(bundle, "/bin/sleep", "1000")
    assert ours("run", "-d", "-b", folder, "tea").code == 0
    container = state.load(str(ours.root), "tea")
    for moment in matrix(ours, killer, bundle, victim, "exec", "tea", "true"):
        assert container.status() == "running", moment
        eventually(lambda: container.group().processes() == [container.pid],
                   f"the end of what exec began, killed at {moment}")
    gone(ours, bundle, killer)


@pytest.mark.parametrize("words", [("delete", "tea"), ("delete", "--force", "tea")])
def test_delete(ours: Runtime, killer: Killer, bundle: Bundle, words: tuple[str, ...]) -> None:
    folder = written(bundle, "/bin/sleep", "1000")

    def again() -> None:
        killer.arm(None)
        assert ours("create" if words == ("delete", "tea") else "run", *(
            () if words == ("delete", "tea") else ("-d",)), "-b", folder, "tea").code == 0

    again()
    for _ in matrix(ours, killer, bundle, "asker", *words):
        gone(ours, bundle, killer)
        again()
    gone(ours, bundle, killer)
