"""Places, states and the lock."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from runtime.engine import store
from runtime.engine.store import Places
from runtime.errors import KernelError, NotFound


def test_the_default_places(monkeypatch):
    monkeypatch.delenv("CONTAINER_LAB_ROOT", raising=False)
    places = Places()
    assert (places.root, places.run, places.group) == (
        "/var/lib/container-lab", "/run/container-lab", "/container-lab")
    assert Places("/var/lib/container-lab/").run == "/run/container-lab"


def test_places_of_another_root(monkeypatch, tmp_path):
    monkeypatch.setenv("CONTAINER_LAB_ROOT", "/srv/lab")
    places = Places()
    digest = hashlib.sha256(b"/srv/lab").hexdigest()[:8]
    assert (places.root, places.run, places.group) == (
        "/srv/lab", "/srv/lab/run", f"/container-lab-{digest}")
    assert Places("/other").root == "/other", "--root is stronger"
    monkeypatch.chdir(tmp_path)
    assert Places("lab").root == f"{tmp_path}/lab"


def test_one_lab_by_whatever_way(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "lab")
    assert Places(f"{tmp_path}/link").group == Places(f"{tmp_path}/lab").group


def test_a_root_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KernelError, match="make the state directory .*/file: .*choose another"):
        Places(f"{tmp_path}/file").make()


def test_a_state_from_elsewhere_has_every_field(tmp_path):
    (tmp_path / "state.json").write_text('{"Status":"exited","ExitCode":3}')
    state = store.read_state(str(tmp_path))
    assert (state["Status"], state["ExitCode"], state["Pid"]) == ("exited", 3, 0)
    assert set(state) == set(store.first_state())


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"Status":', "\xff"])
def test_a_state_that_is_none(tmp_path, text):
    (tmp_path / "state.json").write_bytes(text.encode("latin-1"))
    state = store.read_state(str(tmp_path))
    assert state["Status"] == "dead" and state["Error"] and "\n" not in state["Error"]


def test_no_state(tmp_path):
    assert store.read_state(str(tmp_path / "never"))["Error"].endswith("no such file")


def test_lost(tmp_path):
    from runtime.kernel import processes

    mine = {"ShimPid": os.getpid(), "ShimStart": processes.start_ticks(os.getpid())}
    assert not store.lost({"Status": "running", **mine})
    assert store.lost({"Status": "running", **mine, "ShimStart": 1})
    assert not store.lost({"Status": "exited", "ShimPid": 0, "ShimStart": 0})


def test_one_at_a_time(tmp_path):
    inside = []

    def enter() -> None:
        with store.Lock(str(tmp_path)):
            inside.append(1)
            assert len(inside) == 1
            inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(RuntimeError), store.Lock(str(tmp_path)):
        raise RuntimeError
    enter()


def test_a_lock_on_what_was_removed_meanwhile(tmp_path):
    """Who waited for the lock must not go on with a directory that nobody sees any more."""
    directory = tmp_path / "c"
    directory.mkdir()
    first, found = store.Lock(str(directory)), []
    waiting = threading.Event()

    def second() -> None:
        waiting.set()
        try:
            with store.Lock(str(directory)):
                found.append("locked")
        except NotFound as error:
            found.append(str(error))

    with first:
        thread = threading.Thread(target=second)
        thread.start()
        waiting.wait()
        directory.rmdir()
    thread.join()
    assert found == ["No such container: c"]
    with pytest.raises(NotFound):
        store.Lock(str(directory)).__enter__()


def test_the_name_of_one_that_cannot_tell_it(tmp_path):
    places = Places(str(tmp_path))
    assert store.name_of(places, "4f" * 32) == "4f" * 6
    places.make()
    Path(tmp_path, "names/tea").write_text("4f" * 32)
    assert store.name_of(places, "4f" * 32) == "tea"
