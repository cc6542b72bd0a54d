"""When two spellings mean the same value."""

from __future__ import annotations

import pytest

from lab.course.measure import number, same


@pytest.mark.parametrize(("expected", "observed"), [
    ("48m", "50331648"), ("48M", 50331648), ("48MiB", "50331648"), ("0.5", "0.5"), (0.5, "0.50"),
    ("9", "SIGKILL"), ("KILL", "9"), ("1248", "1,248"), ("1248", "1 248"), ("max", "max"),
    ("0, 0", "0,0"), ("0, 0", "0:0"), ("0, 0", "0 0"), ("4213 1", "4213\t1"), ("4213 1", "4213, 1"),
    ("0000000000000000", "0"), (True, "true"), ("isolate root", " Isolate  Root "),
])
def test_the_same(expected, observed):
    assert same(expected, observed)


@pytest.mark.parametrize(("expected", "observed"), [
    ("48m", "48"), ("max", "0"), ("9", "TERM"), ("4213 1", "1 4213"), (0.5, "1"), (True, "false"),
    ("1", "one"), ("", "0"),
])
def test_not_the_same(expected, observed):
    assert not same(expected, observed)


def test_a_tolerance_is_in_per_cent_of_the_expected_value():
    assert same("100", "104", 5)
    assert not same("100", "106", 5)


def test_words_are_no_numbers():
    assert number("max") is None
    assert number("nan") is None
    assert number("1e3") == 1000
