"""Values of flags: sizes, CPUs, numbers, as Go's libraries read them."""

from __future__ import annotations

import pytest

from runtime.client import values
from runtime.errors import Invalid


@pytest.mark.parametrize(("text", "count"), [
    ("48m", 48 << 20), ("48M", 48 << 20), ("48mb", 48 << 20), ("48MiB", 48 << 20), ("1.5k", 1536),
    ("7", 7), ("7b", 7), ("2 g", 2 << 30), ("1t", 1 << 40),
])
def test_sizes(text: str, count: int) -> None:
    assert values.size(text) == count


@pytest.mark.parametrize(("text", "message"), [
    ("", "invalid size: ''"), ("lab/base", "invalid size: 'lab/base'"),
    ("-1m", "invalid size: '-1m'"), ("1mm", "invalid suffix: 'mm'"), ("1x", "invalid suffix: 'x'"),
    ("1bb", "invalid suffix: 'bb'"),
])
def test_bad_sizes(text: str, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        values.size(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(("text", "billionths"), [
    ("0.5", 500_000_000), ("2", 2_000_000_000), ("1.000000001", 1_000_000_001),
    ("1/4", 250_000_000), (".25", 250_000_000), ("1e-1", 100_000_000),
])
def test_cpus(text: str, billionths: int) -> None:
    assert values.cpus(text) == billionths


def test_cpus_have_nine_digits() -> None:
    with pytest.raises(Invalid, match="value is too precise"):
        values.cpus("0.0000000001")


@pytest.mark.parametrize(("text", "number"), [("7", 7), ("-7", -7), ("0x1f", 31), ("017", 15)])
def test_integers_in_gos_bases(text: str, number: int) -> None:
    assert values.integer(text) == number


def test_a_mount_is_read_field_by_field() -> None:
    assert values.mount("type=bind,src=/srv,dst=/data,readonly") == {
        "Type": "bind", "Source": "/srv", "Target": "/data", "ReadOnly": True}
