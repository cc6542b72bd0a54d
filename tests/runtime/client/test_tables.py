"""Columns padded as Docker pads them."""

from __future__ import annotations

from runtime.client import tables


def test_columns_are_ten_wide_at_least() -> None:
    assert tables.render([["NAMES", "STATE"], ["second", "created"], ["first", "exited"]]) == (
        "NAMES     STATE\nsecond    created\nfirst     exited")


def test_a_long_cell_makes_room_and_three_spaces() -> None:
    assert tables.render([["ID", "X"], ["0123456789ab", ""]]) == (
        "ID             X\n0123456789ab   ")
