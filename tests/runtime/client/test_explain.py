"""The card of a death, and the birth certificate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


def test_the_card_fits_eighty_columns(lab: Callable[..., Any], engine: Any) -> None:
    lab("create", "--name", "ink", "lab/base", "hog", "200M")
    engine.find("ink").state.update(Status="exited", ExitCode=137)
    engine.card = [
        ("the kernel", "killed hog: its cgroup had no page left", "memory.events oom_kill 1"),
        ("not", "docker kill, which is also 137 " + "and so on " * 6, "oom_kill would be 0")]
    lines = lab("why", "ink").out.splitlines()
    assert lines[0] == " ink is dead. Why?" + "exit 137 = 128 + 9".rjust(62)
    assert lines[1].startswith(" the kernel   killed hog: its cgroup had no page left")
    assert lines[1].endswith("memory.events oom_kill 1")
    assert all(len(line) <= 80 for line in lines)
    assert lines[-1].endswith("oom_kill would be 0")


@pytest.mark.parametrize(("status", "title"), [
    ("running", " tea is not dead."), ("created", " tea has not lived yet.")])
def test_what_has_not_died(lab: Callable[..., Any], engine: Any, status: str, title: str) -> None:
    lab("create", "--name", "tea", "lab/base")
    engine.find("tea").state["Status"] = status
    assert lab("why", "tea").out.startswith(title)


def test_operations(lab: Callable[..., Any]) -> None:
    lab("create", "--name", "tea", "lab/base")
    head, row = lab("operations", "tea").out.splitlines()
    assert head.split() == ["N", "PHASE", "BY", "CALL", "RESULT", "TIME", "SYMBOL"]
    assert "pivot_root(new_root=., put_old=.)" in row and "41 µs" in row
    assert '"name": "pivot_root"' in lab("operations", "tea", "--json").out


def test_an_operation_of_which_nobody_could_say_how_long_it_took(lab: Callable[..., Any],
                                                                 engine: Any) -> None:
    """The filter that judges our own calls: after it init may not be able to tell."""
    lab("create", "--name", "tea", "lab/base")
    engine.operations = lambda ref: [{"n": 1, "phase": "exec", "name": "set_filter", "errno": 0,
                                      "call": "seccomp(2)", "arguments": {}, "ns": None,
                                      "result": 0, "symbol": "runtime/oci/init.py:run"}]
    row = lab("operations", "tea").out.splitlines()[1]
    assert "set_filter()" in row and " ok " in row and "µs" not in row
