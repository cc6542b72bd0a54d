"""Sizes and durations in Docker's words; the cases are go-units' own tests."""

from __future__ import annotations

import pytest

from runtime.client import units

HOUR, DAY = 3600, 86400


@pytest.mark.parametrize(("seconds", "words"), [
    (0.45, "Less than a second"), (1, "1 second"), (45, "45 seconds"), (60, "About a minute"),
    (46 * 60, "46 minutes"), (59 * 60, "59 minutes"), (HOUR, "About an hour"),
    (45 * HOUR, "45 hours"), (2 * DAY, "2 days"), (14 * DAY, "2 weeks"), (35 * DAY, "5 weeks"),
    (60 * DAY, "2 months"), (13 * 30 * DAY, "13 months"), (2 * 365 * DAY, "2 years"),
])
def test_durations(seconds: float, words: str) -> None:
    assert units.duration(seconds) == words


@pytest.mark.parametrize(("count", "text"), [
    (0, "0B"), (1000, "1kB"), (1024, "1.024kB"), (1_000_000, "1MB"), (7_990_000, "7.99MB"),
    (3.42 * 1000 ** 3, "3.42GB"),
])
def test_sizes(count: float, text: str) -> None:
    assert units.size(count) == text


def test_binary_sizes() -> None:
    assert [units.binary_size(count) for count in (0, 1024, 48 << 20, 3 << 29)] == [
        "0B", "1KiB", "48MiB", "1.5GiB"]
