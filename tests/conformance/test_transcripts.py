"""610 recorded commands of a real Docker, typed into our program: the same words, the same codes.

Each scenario starts from an engine that holds lab/base and nothing else. Needs root and the static
busybox that the transcripts were recorded with (Debian: busybox-static).
"""

from __future__ import annotations

import difflib
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = [pytest.mark.kernel, pytest.mark.conformance]
HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
# With the interpreter alone, as the launcher starts it: no site, no PYTHON* variables.
COMMAND = [sys.executable, "-I", "-S", str(REPOSITORY / "lab" / "start.py")]


def _beside(name: str) -> ModuleType:
    """A module of this folder, whatever way pytest imports tests."""
    if f"conformance_{name}" not in sys.modules:
        spec = importlib.util.spec_from_file_location(f"conformance_{name}", HERE / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[f"conformance_{name}"]


replay, newer, differences = _beside("replay"), _beside("newer"), _beside("differences")
SCENARIOS = replay.scenarios()


@pytest.fixture(scope="module")
def program() -> Iterator[Any]:
    """Our program, with a root that holds the recorded lab/base."""
    busybox = shutil.which("busybox")
    if busybox is None or b"/ld-linux" in Path(busybox).read_bytes()[:4096]:
        pytest.skip("no static busybox here (Debian: busybox-static)")
    folder = Path(tempfile.mkdtemp(prefix="lab-"))
    program = replay.Program(COMMAND, folder / "root")
    try:
        replay.make_base(folder / "base.tar", busybox)
        out, err, code = program("import", "-c", 'CMD ["sh"]', str(folder / "base.tar"),
                                 "lab/base:latest")
        assert code == 0, err
        yield program
    finally:
        program.wipe()
        program("clean")
        shutil.rmtree(folder)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Any, program: Any, tmp_path: Path,
                  record_property: Callable[[str, object], None]) -> None:
    for step in scenario.steps:
        step.update(newer.expected(step))
    try:
        answers = replay.play(program, scenario, tmp_path)
    finally:
        program.wipe()
    differ = [answer for answer in answers if answer.wrong]
    not_built = [answer for answer in differ if answer.not_built]
    listed = [answer for answer in differ if not answer.not_built
              and differences.row_for(scenario.name, answer.argv)]
    wrong = [answer for answer in differ if answer not in not_built and answer not in listed]
    counts = {"scenarios": 1, "commands": len(answers), "same": len(answers) - len(differ),
              "not built": len(not_built), "differ": len(listed), "wrong": len(wrong)}
    for name, value in counts.items():
        record_property(name, value)
    assert not wrong, "\n".join(_story(answer) for answer in wrong)
    used = {differences.row_for(scenario.name, answer.argv) for answer in listed}
    stale = [row for row in differences.rows_of(scenario.name) if row not in used]
    assert not stale, "nothing needs these any more: take them out of differences.py"


def _story(answer: Any) -> str:
    """The command and what was wrong with its answer, as a diff."""
    lines = [f"\n$ docker {answer.argv}"]
    for stream in answer.wrong:
        old, new = str(answer.expected[stream]), str(answer.got[stream])
        lines += difflib.unified_diff(old.splitlines(), new.splitlines(), f"{stream} of Docker",
                                      f"{stream} of ours", "", "", 1, "")
    return "\n".join(lines[:40])


def test_the_transcripts_are_whole() -> None:
    assert (len(SCENARIOS), sum(len(scenario.steps) for scenario in SCENARIOS)) == (51, 610)
