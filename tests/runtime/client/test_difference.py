"""`operations A --diff B` on the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.client.difference import lines, summary, words
from runtime.engine.engine import Engine
from runtime.trace.difference import pairs
from tests.runtime.trace.test_difference import DEV, PROC, STUDENT, USER

RUNC = Path(__file__).parents[1] / "inspect" / "recordings" / "runc.strace"


def test_two_columns_and_the_count() -> None:
    rows = pairs([PROC, DEV, USER], [PROC, STUDENT])
    shown = lines(rows, "ink", "tea", 80)
    assert shown[0].split() == ["ink", "tea"]
    assert any("mount tmpfs on /dev" in line and line.endswith("<") for line in shown)
    assert "setresuid 0 0 0                        | setresuid 1000 1000 1000" in shown
    assert shown[-1] == "1 the same, 1 with other arguments (|), 1 only ink (<)"
    assert max(map(len, shown)) <= 80


def test_what_has_no_room_is_cut() -> None:
    assert words(PROC, 10) == "mount pro…" and words(None, 10) == ""
    assert summary([], "a", "b") == ""


@pytest.fixture
def engine(root: str) -> Engine:
    """A real one, in place of the fake of the other tests here."""
    return Engine(root)


@pytest.mark.kernel
def test_a_start_beside_one_with_user(engine: Engine, run: Callable[..., Any],
                                      typed: Callable[..., Any],
                                      eventually: Callable[..., Any]) -> None:
    run("true", name="ink")
    run("true", name="tea", User="1000")
    eventually(lambda: engine.operations("tea"))
    done = typed("operations", "ink", "--diff", "tea")
    assert done.returncode == 0, done.stderr
    assert "| setresuid 1000 1000 1000" in done.stdout
    assert "> keep_capabilities yes" in done.stdout
    assert "only ink" not in done.stdout, "all that root does the other does as well"
    rows = json.loads(typed("operations", "ink", "--diff", "tea", "--json").stdout)
    assert {row["sign"] for row in rows} == {" ", "|", ">"}


@pytest.mark.kernel
def test_beside_a_trace_of_runc(engine: Engine, run: Callable[..., Any],
                                typed: Callable[..., Any], tmp_path: Path,
                                eventually: Callable[..., Any]) -> None:
    run("true", name="ink")
    eventually(lambda: engine.operations("ink"))
    trace = tmp_path / "runc.strace"
    shutil.copy(RUNC, trace)
    done = typed("operations", "ink", "--diff", str(trace))
    assert done.returncode == 0, done.stderr
    assert "the same" in done.stdout and "only runc.strace (>)" in done.stdout
    for wrong, said in (("nobody", "No such container: nobody"),
                        (str(tmp_path / "none"), "no such file or directory"),
                        ("/etc/passwd", "there is no system call in it")):
        done = typed("operations", "ink", "--diff", wrong)
        assert done.returncode == 1 and said in done.stderr
