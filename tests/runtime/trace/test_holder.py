"""The holder: hears before, lets go or refuses, knows who asks, and is gone when it is gone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.errors import Conflict, Denied
from runtime.trace.holder import Event, Holder
from runtime.trace.operation import observe, operation
from runtime.trace.wire import Wire


@operation("step(2)")
def step(n: int) -> int:
    return n


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Holder]:
    made = Holder(str(tmp_path / "run"))
    yield made
    made.close()


def held(path: str, *numbers: int) -> int:
    """A child that is held at the gate; it ends with 7 for a refusal, 8 for a holder gone."""
    child = os.fork()
    if child == 0:
        code = 9
        try:
            observe(Wire(path))
            for n in numbers:
                step(n)
            code = 0
        except Denied as error:
            code = 7 if "given up" in str(error) else 6
        except Conflict:
            code = 8
        finally:
            os._exit(code)
    return child


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def hear(holder: Holder, kind: str) -> Event:
    event = holder.hear(10)
    assert event is not None and event.kind == kind, event and event.kind
    return event


def test_a_process_is_heard_and_let_go(holder: Holder) -> None:
    child = held(holder.path, 5)
    line = hear(holder, "opened").line
    assert (line.pid, line.by) == (child, "shim"), "the kernel says who it is"
    before = hear(holder, "before")
    assert before.operation["arguments"] == {"n": 5} and before.operation["ns"] == -1
    assert os.waitpid(child, os.WNOHANG) == (0, 0), "it waits"
    before.line.go()
    after = hear(holder, "after")
    assert after.operation["result"] == 5 and after.operation["ns"] >= 0
    hear(holder, "ended")
    assert ended(child) == 0 and not holder.lines


def test_two_wait_at_a_time_and_the_second_is_init(holder: Holder) -> None:
    first = held(holder.path, 1)
    line = hear(holder, "opened").line
    hear(holder, "before")
    second = held(holder.path, 2)
    other = hear(holder, "opened").line
    assert (other.pid, other.by) == (second, "init")
    assert hear(holder, "before").line is other
    other.go()
    line.go()
    assert {ended(first), ended(second)} == {0}


def test_refused(holder: Holder) -> None:
    child = held(holder.path, 1)
    hear(holder, "opened")
    hear(holder, "before").line.refuse("given\nup")
    assert ended(child) == 7


def test_a_holder_that_goes_takes_the_start_with_it(holder: Holder) -> None:
    child = held(holder.path, 1)
    hear(holder, "opened")
    hear(holder, "before")
    holder.close()
    assert ended(child) == 8
    assert not os.path.exists(holder.path)


def test_nothing_within_the_time_and_woken(holder: Holder) -> None:
    assert holder.hear(0.01) is None
    reader, writer = os.pipe()
    os.write(writer, b".")
    assert holder.hear(None, reader) is None
    os.close(reader)
    os.close(writer)


def test_a_path_that_is_longer_than_a_sockets_name(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)
    holder = Holder(str(folder))
    try:
        assert len(holder.path) > 107
        child = held(holder.path, 3)
        hear(holder, "opened")
        hear(holder, "before").line.go()
        hear(holder, "after")
        assert ended(child) == 0
    finally:
        holder.close()
    assert not folder.joinpath("gate").exists()


def test_one_who_was_killed_left_a_socket_behind(tmp_path: Path) -> None:
    first = Holder(str(tmp_path))
    first._listener.close()
    second = Holder(str(tmp_path))
    child = held(second.path, 1)
    hear(second, "opened")
    hear(second, "before").line.go()
    assert ended(child) == 0
    second.close()
