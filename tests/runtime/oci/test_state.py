"""The state of container-lab-oci on disk: whole or not there, locked, and never about another."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import Conflict, Invalid, NotFound
from runtime.kernel import processes
from runtime.oci import state
from runtime.oci.commands import ending
from tests.runtime.oci.commandline import eventually


@pytest.fixture
def sleeper() -> Iterator[int]:
    program = subprocess.Popen(["sleep", "1000"])
    yield program.pid
    program.kill()
    program.wait()


@pytest.fixture
def container(tmp_path: Path) -> state.Container:
    made = state.claim(str(tmp_path / "root"), "tea", {
        "bundle": "/b", "rootfs": "/b/rootfs", "annotations": {}, "cgroup": "/nowhere/tea"})
    made.save()
    return made


def root_of(container: state.Container) -> str:
    return os.path.dirname(container.directory)


@pytest.mark.parametrize("ident", ["", ".", "..", "a/b", "a b", "ä", "a\n", "@seccomp", "a:b"])
def test_ids_that_cannot_be(ident: str) -> None:
    with pytest.raises(Invalid, match="invalid container ID format"):
        state.check_id(ident)


@pytest.mark.parametrize("ident", ["a", "A_b-c.d+e", "0" * 64, "-x"])
def test_ids(ident: str) -> None:
    assert state.check_id(ident) == ident


def test_an_id_is_taken_once(container: state.Container) -> None:
    with pytest.raises(Conflict, match="container with given ID already exists"):
        state.claim(root_of(container), "tea", {})
    assert [each.id for each in state.every(root_of(container))] == ["tea"]


def test_what_is_saved_is_loaded(container: state.Container) -> None:
    container.save(pid=5, stage="created")
    again = state.load(root_of(container), "tea")
    assert again.document == container.document and again.pid == 5
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", again.document["created"])


def test_a_directory_without_a_state_is_no_container(container: state.Container) -> None:
    os.unlink(f"{container.directory}/state.json")
    with pytest.raises(NotFound, match="container does not exist"):
        state.load(root_of(container), "tea")
    assert state.every(root_of(container)) == []


def test_a_reader_never_sees_half(container: state.Container) -> None:
    """Written again and again beside a reader: always a whole document."""
    seen: set[int] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(state.load(root_of(container), "tea").document["pid"])

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(300):
        container.save(pid=number)
    done.set()
    reader.join(10)
    assert seen <= set(range(300)) and len(seen) > 1
    assert os.listdir(container.directory) == ["state.json"]


def test_a_pid_that_was_given_again_is_not_its_process(
        container: state.Container, sleeper: int) -> None:
    ticks = processes.start_ticks(sleeper)
    container.save(stage="started", pid=sleeper, pidStart=ticks)
    assert container.alive() and container.status() == "running"
    container.save(pidStart=ticks - 1)
    assert not container.alive() and container.status() == "stopped"
    ending.signal_init(container, 9)  # the number is another's: nobody is hit
    assert processes.alive(sleeper, ticks)


def test_a_zombie_has_ended(container: state.Container) -> None:
    program = subprocess.Popen(["true"])
    ticks = processes.start_ticks(program.pid)
    container.save(stage="started", pid=program.pid, pidStart=ticks)
    eventually(lambda: not container.alive(), "the end")
    assert os.path.exists(f"/proc/{program.pid}") and container.status() == "stopped"
    assert container.report()["pid"] == 0
    program.wait()


def test_creating_ends_with_its_maker(container: state.Container) -> None:
    assert container.status() == "creating"
    container.save(makerStart=1)
    assert container.status() == "stopped"


HOLD = """
import sys, time
sys.path.insert(0, {root!r})
from runtime.oci import state
container = state.load(sys.argv[1], "tea")
with state.Lock(container):
    print("held", flush=True)
    time.sleep(1000)
"""


def test_the_lock_ends_with_its_holder(
        container: state.Container, monkeypatch: pytest.MonkeyPatch) -> None:
    text = HOLD.format(root=str(Path(state.__file__).parents[2]))
    holder = subprocess.Popen([sys.executable, "-c", text, root_of(container)],
                              stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    monkeypatch.setattr(state, "LOCK_PATIENCE_S", 0.05)
    with pytest.raises(Conflict, match="tea is busy"), state.Lock(container):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with state.Lock(container):
        pass


def test_who_waited_for_one_that_was_deleted_finds_none(container: state.Container) -> None:
    found: list[Any] = []

    def wait() -> None:
        try:
            with state.Lock(state.load(root_of(container), "tea")):
                found.append("held")
        except NotFound as error:
            found.append(str(error))

    with state.Lock(container):
        waiter = threading.Thread(target=wait)
        waiter.start()
        time.sleep(0.05)
        container.remove()
    waiter.join(10)
    assert found == ["container does not exist"]


def test_the_state_goes_last(container: state.Container, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("config.json", "zzz"):
        Path(container.directory, name).write_text("{}")
    gone: list[str] = []
    unlink = os.unlink
    monkeypatch.setattr(os, "unlink", lambda path: (gone.append(os.path.basename(path)),
                                                    unlink(path)))
    container.remove()
    assert sorted(gone[:2]) == ["config.json", "zzz"] and gone[2:] == ["state.json"]
    assert not os.path.exists(container.directory)


def test_default_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert state.default_root() == "/run/container-lab-oci"
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert state.default_root() == "/run/user/1000/container-lab-oci"
