"""The recorder: everything in order, handed out once, and told to the next as well."""

from __future__ import annotations

import os
import time

import pytest

from runtime.errors import Denied
from runtime.trace.operation import Operation, observe, operation
from runtime.trace.recorder import Recorder, in_order, read_film, recording


@operation("step(2)")
def step(n: int) -> int:
    return n


class Gate(Recorder):
    """Lets two go and refuses the third."""

    def before(self, operation: Operation) -> None:
        if len(self.operations) == 2:
            raise Denied("enough")
        super().before(operation)


def test_each_is_flushed_once_and_read_back() -> None:
    fd = os.memfd_create("film")
    recorder = Recorder("shim", None, fd)
    outer = observe(recorder)
    try:
        step(1), step(2)
        recorder.flush()
        assert [each["result"] for each in read_film(fd)] == [1, 2]
        step(3)
        recorder.flush()
        recorder.flush()
    finally:
        observe(outer)
    assert [each["result"] for each in read_film(fd)] == [1, 2, 3]
    assert {(each["name"], each["by"]) for each in read_film(fd)} == {("step", "shim")}
    os.close(fd)


def test_two_recorders_in_the_order_of_time() -> None:
    fd = os.memfd_create("film")
    film = []
    for by, times in (("shim", (1, 4)), ("init", (2, 3))):
        recorder = Recorder(by, None, fd)
        for start_ns in times:
            made = Operation("step", "step(2)", {}, "here")
            made.start_ns, made.ns = start_ns, -1 if start_ns == 3 else 5
            recorder.operations.append(made)
        recorder.flush()
    film = in_order(read_film(fd), started=True)
    os.close(fd)
    assert [(each["n"], each["by"], each["ns"]) for each in film] == [
        (1, "shim", 5), (2, "init", 5), (3, "init", None), (4, "shim", 5)]


def test_what_the_next_refuses_is_not_recorded() -> None:
    recorder = Recorder("init", Gate())
    outer = observe(recorder)
    try:
        step(1), step(2)
        with pytest.raises(Denied):
            step(3)
    finally:
        observe(outer)
    assert [each.result for each in recorder.operations] == [1, 2]


def test_a_film_cut_short_is_read_as_far_as_it_goes() -> None:
    """Its writer may be killed in the middle of writing, at any byte."""
    fd = os.memfd_create("film")
    recorder = Recorder("init", None, fd)
    outer = observe(recorder)
    try:
        step(1)
        recorder.flush()
        whole = os.fstat(fd).st_size
        step(2)
        recorder.flush()
    finally:
        observe(outer)
    data = os.pread(fd, 1 << 16, 0)
    for length in range(len(data) - 1, whole - 1, -1):
        os.ftruncate(fd, length)
        assert [each["result"] for each in read_film(fd)] == [1]
    os.close(fd)


def test_a_recorders_own_operations_as_data() -> None:
    with recording("shim") as recorder:
        step(1)
    assert [(each["name"], each["by"], each["result"]) for each in recorder.data()] == [
        ("step", "shim", 1)]


def test_one_that_was_held_says_how_long() -> None:
    class Slow:
        def before(self, operation: Operation) -> None:
            time.sleep(0.01)

        def after(self, operation: Operation) -> None:
            pass

    held, free = Recorder("init", Slow()), Recorder("init")
    for recorder in (held, free):
        made = Operation("mount", "mount(2)", {}, "x.py:f")
        recorder.before(made)
        recorder.after(made)
    assert held.data()[0]["held_ns"] >= 10_000_000
    assert "held_ns" not in free.data()[0]
