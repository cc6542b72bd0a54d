"""The recorder: everything in order, handed out once, and told to the next as well."""

from __future__ import annotations

import pytest

from runtime.errors import Denied
from runtime.trace.operation import Operation, observe, operation
from runtime.trace.recorder import Recorder


@operation("step(2)")
def step(n: int) -> int:
    return n


class Gate(Recorder):
    """Lets two go and refuses the third."""

    def before(self, operation: Operation) -> None:
        if len(self.operations) == 2:
            raise Denied("enough")
        super().before(operation)


def test_unsent_hands_out_each_once() -> None:
    recorder = Recorder("shim")
    outer = observe(recorder)
    try:
        step(1), step(2)
        assert [each["result"] for each in recorder.unsent()] == [1, 2]
        step(3)
        assert [each["result"] for each in recorder.unsent()] == [3]
        assert recorder.unsent() == []
    finally:
        observe(outer)
    assert {each.to_data()["name"] for each in recorder.operations} == {"step"}


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
