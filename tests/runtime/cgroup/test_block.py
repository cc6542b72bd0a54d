"""blockIO by itself: scales, kernels that differ, and what is no weight."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.cgroup import block
from runtime.errors import Invalid, Unsupported

DISK = {"major": 8, "minor": 0}


def nothing(name: str) -> bool:
    return False


@pytest.mark.parametrize(("weight", "scaled"), [(10, 1), (1000, 10000), (500, 4950), (100, 910)])
def test_the_scale_of_v2(weight: int, scaled: int) -> None:
    assert block.scaled(weight) == scaled


def test_bfq_takes_the_weight_as_it_is() -> None:
    asked = {"weight": 300, "weightDevice": [{**DISK, "weight": 20}, DISK]}
    assert list(block.v2_writes(asked, "io.bfq.weight".__eq__)) == [
        ("io.bfq.weight", "300"), ("io.bfq.weight", "8:0 20")]
    assert list(block.v2_writes(asked, nothing)) == [
        ("io.weight", "default 2930"), ("io.weight", "8:0 102")]


def test_cfq_had_leaves() -> None:
    asked = {"weight": 300, "leafWeight": 10,
             "weightDevice": [{**DISK, "weight": 20, "leafWeight": 30}]}
    assert list(block.v1_writes(asked, "blkio.weight".__eq__)) == [
        ("blkio", "blkio.weight", "300"), ("blkio", "blkio.leaf_weight", "10"),
        ("blkio", "blkio.weight_device", "8:0 20"), ("blkio", "blkio.leaf_weight_device", "8:0 30")]
    for each in (asked, {"weightDevice": [{**DISK, "leafWeight": 30}]}):
        with pytest.raises(Unsupported, match="blockIO.leafWeight"):
            list(block.v2_writes(each, nothing))


@pytest.mark.parametrize("asked", [
    {"weight": 9}, {"weight": 1001}, {"weightDevice": [{**DISK, "weight": 5}]}])
def test_no_weight(asked: dict[str, Any]) -> None:
    for writes in (block.v1_writes, block.v2_writes):
        with pytest.raises(Invalid, match="is not from 10 to 1000"):
            list(writes(asked, nothing))  # type: ignore[operator]
