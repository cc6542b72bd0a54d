"""What a student says is kept once: predictions are locked, explanations too."""

from __future__ import annotations

import pytest

from lab.course import said
from lab.course.attempt import Record
from lab.course.lesson import Prose, Step
from runtime.errors import Conflict, Invalid

OPTIONS = [("slow", "it is slow"), ("killed", "it is killed")]


def guess() -> Step:
    return Step("guess", "predict", Prose("…"), option_keys=("slow", "killed"), correct="killed")


def test_a_prediction_is_locked_by_number_or_word_and_passes_either_way():
    for option, right in (("2", True), ("killed", True), ("It is slow", False)):
        record = Record()
        said.lock(guess(), record, OPTIONS, option, "sure")
        assert (record.right, record.passed, record.sure) == (right, True, "sure")
        with pytest.raises(Conflict, match="locked"):
            said.lock(guess(), record, OPTIONS, "1", "")


def test_what_is_no_prediction_is_refused_and_nothing_is_kept():
    record = Record()
    with pytest.raises(Invalid, match="no such option"):
        said.lock(guess(), record, OPTIONS, "3", "")
    with pytest.raises(Invalid, match="how sure"):
        said.lock(guess(), record, OPTIONS, "1", "very")
    with pytest.raises(Conflict, match="asks for no prediction"):
        said.lock(Step("run", "do", Prose("…")), record, [], "1", "")
    assert record == Record()
