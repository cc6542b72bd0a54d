"""The choke point: what an observer is told of a call, and that without one nothing is paid."""

from __future__ import annotations

import errno
import os
import timeit

import pytest

from runtime.errors import Denied
from runtime.trace.operation import (
    Operation, caller, current_phase, observe, operation, phase, printable, set_phase,
)
from runtime.trace.recorder import Recorder, recording


@operation("frob(2)")
def frob(target: str, flags: int = 7, *, mode: int = 0o755) -> str:
    """Frob the target."""
    if target == "bad":
        raise OSError(errno.EBUSY, "busy")
    return f"{target} {flags}"


class Refusing(Recorder):
    def before(self, operation: Operation) -> None:
        raise Denied("not today")


def test_it_is_a_plain_call_without_an_observer() -> None:
    assert frob("x") == "x 7"
    assert frob.__name__ == "frob" and frob.__doc__ == "Frob the target."
    assert frob.call == "frob(2)"  # type: ignore[attr-defined]


def test_what_an_observer_is_told() -> None:
    with recording("init") as recorder, phase("root"):
        frob("x", mode=0o700)
    data = {**recorder.operations[0].to_data(), "by": recorder.by}
    assert data.pop("ns") >= 0 and data.pop("start_ns") > 0
    assert data == {
        "phase": "root", "name": "frob", "call": "frob(2)",
        "arguments": {"target": "x", "flags": 7, "mode": "0700"}, "pid": os.getpid(),
        "symbol": "tests/runtime/trace/test_operation.py:test_what_an_observer_is_told",
        "result": "x 7", "errno": 0, "by": "init"}


def test_a_failure_is_told_and_raised() -> None:
    with recording() as recorder, pytest.raises(OSError):
        frob("bad")
    assert recorder.operations[0].errno == errno.EBUSY
    assert recorder.operations[0].ns >= 0


def test_before_may_refuse_then_nothing_happens() -> None:
    done: list[str] = []

    @operation("touch(1)")
    def touch() -> None:
        done.append("touched")

    outer = observe(Refusing())
    try:
        with pytest.raises(Denied):
            touch()
    finally:
        observe(outer)
    assert done == []


def test_before_comes_before_and_after_after() -> None:
    story: list[str] = []

    class Telling(Recorder):
        def before(self, operation: Operation) -> None:
            story.append("before")

        def after(self, operation: Operation) -> None:
            story.append(f"after {operation.result}")

    @operation("act(2)")
    def act() -> int:
        story.append("act")
        return 3

    outer = observe(Telling())
    try:
        act()
    finally:
        observe(outer)
    assert story == ["before", "act", "after 3"]


def test_phases_nest_and_a_failure_keeps_its_phase() -> None:
    set_phase("prepare")
    with phase("isolate"):
        assert current_phase() == "isolate"
        with phase("root"):
            assert current_phase() == "root"
        assert current_phase() == "isolate"
    assert current_phase() == "prepare"
    with pytest.raises(ValueError), phase("drop"):
        raise ValueError
    assert current_phase() == "drop"
    set_phase("prepare")


def test_recording_nests() -> None:
    with recording() as outer:
        with recording() as inner:
            frob("x")
        frob("y")
    assert [each.arguments["target"] for each in inner.operations] == ["x"]
    assert [each.arguments["target"] for each in outer.operations] == ["y"]


class Shown(int):
    def __str__(self) -> str:
        return "MS_BIND"


@pytest.mark.parametrize(("value", "shown"), [
    (None, None), (True, True), (1.5, 1.5), ("x", "x"), (b"abc", "3 bytes"),
    (Shown(4096), "MS_BIND"),
    ([1, (2, b"x")], [1, [2, "1 bytes"]]), ({1: Shown(1)}, {"1": "MS_BIND"}), ({3}, "{3}")])
def test_printable(value: object, shown: object) -> None:
    assert printable(value) == shown


def test_the_caller_is_named_by_symbol() -> None:
    def inner() -> str:
        return caller(1)

    assert inner().endswith("test_the_caller_is_named_by_symbol.<locals>.inner")


def test_without_an_observer_it_costs_under_a_microsecond() -> None:
    @operation("noop(2)")
    def noop() -> None:
        return None

    plain = noop.__wrapped__  # type: ignore[attr-defined]
    # The best of many short rounds: what the machine does besides makes some of them longer.
    times = [min(timeit.repeat(call, number=1000, repeat=30)) / 1000 for call in (plain, noop)]
    assert times[1] - times[0] < 1e-6


def test_the_result_of_the_last_is_open() -> None:
    """execve never comes back to tell of itself: it is kept from before it happens."""
    with recording("init") as recorder:
        @operation("execve(2)")
        def execve() -> None:
            assert recorder.operations[-1].ns == -1
        execve()
