"""Every kind of operation says what it does, why there, its manual page and its shell line."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.engine import Engine
from runtime.inspect.shell_lines import has_shell_line, shell_line
from runtime.trace import meanings

HERE = Path(__file__).resolve().parents[3]


def decorated() -> dict[str, str]:
    """{name: its manual page} of every function that is decorated with @operation."""
    found = {}
    for path in (HERE / "runtime").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "operation":
                        page = mark.args[0]
                        assert isinstance(page, ast.Constant)
                        found[node.name] = str(page.value)
    return found


OPERATIONS = decorated()


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_kind_has_its_sentences_and_its_shell_line(name: str) -> None:
    assert name in meanings.ALL, f"say in runtime/trace/meanings/ what {name} does, and why there"
    assert meanings.ALL[name][-1].when is None, "the last case fits whatever the arguments are"
    assert has_shell_line(name), f"say in runtime/inspect/shell_lines.py how a shell spells {name}"
    assert OPERATIONS[name].rstrip(")").rpartition("(")[2] in ("2", "3", "5", "7"), "a manual page"


def test_no_sentence_is_about_an_operation_that_is_gone() -> None:
    assert set(meanings.ALL) <= set(OPERATIONS)


@pytest.mark.parametrize("case", [case for cases in meanings.ALL.values() for case in cases],
                         ids=lambda case: case.what[:30])
def test_they_are_sentences(case: meanings.Meaning) -> None:
    for text in filter(None, (case.what, case.why, case.instead)):
        assert text[0].isupper() and text.rstrip(")")[-1] in ".?", text
        assert len(text) < 240 and "  " not in text.replace("?  ", "? "), text
    assert not case.instead or case.instead.startswith("Why not ") and "?  " in case.instead


@pytest.mark.parametrize(("operation", "words"), [
    ({"name": "mount", "arguments": {"kind": "proc", "target": "/proc"}}, "procfs"),
    ({"name": "mount", "arguments": {"target": "/", "flags": "MS_REC|MS_PRIVATE"}}, "Cuts the tie"),
    ({"name": "mount", "arguments": {"target": "/x", "flags": "MS_BIND|MS_REC"}}, "second place"),
    ({"name": "fsmount", "arguments": {"kind": "tmpfs"}}, "lives in memory"),
    ({"name": "open_tree", "arguments": {"source": "/dev/null"}}, "null device"),
    ({"name": "write_control", "arguments": {"path": "/proc/7/uid_map", "text": "0 0 1"}}, "users"),
    ({"name": "write_control", "arguments": {"path": "/proc/sys/net/x", "text": "1"}}, "parameter"),
    ({"name": "write_open_control", "arguments": {"path": "/sys/fs/cgroup/cpu/a/tasks",
                                                  "text": "0"}}, "Puts this process"),
    ({"name": "mkdir", "arguments": {"path": "/sys/fs/cgroup/cpu/a"}}, "control group"),
    ({"name": "mkdir_at", "arguments": {"name": "pts"}}, "container's root"),
    ({"name": "umount2", "arguments": {"target": "."}}, "old root"),
    ({"name": "setresuid", "phase": "isolate", "arguments": {"real": 0}}, "no rights outside"),
    ({"name": "setresuid", "phase": "drop", "arguments": {"real": 0}}, "user of the program"),
    ({"name": "mount", "arguments": {}}, "Cuts the tie"),
])
def test_the_arguments_choose_the_sentence(operation: dict[str, Any], words: str) -> None:
    meaning = meanings.of(operation)
    assert meaning is not None and words in meaning.what


def test_what_nobody_knows() -> None:
    assert meanings.of({"name": "reboot", "arguments": {}}) is None


@pytest.mark.kernel
def test_every_operation_of_a_real_start(engine: Engine, started: Callable[..., str],
                                         eventually: Callable[..., Any]) -> None:
    ident = started("sleep", "60", name="tea", User="1000", Tty=True, host={
        "Memory": 64 << 20, "NanoCpus": 500_000_000, "PidsLimit": 50, "Binds": ["/tmp:/srv:ro"],
        "Ulimits": [{"Name": "nofile", "Soft": 64, "Hard": 128}], "CapAdd": ["SYS_TIME"]})
    film = eventually(lambda: engine.operations(ident))
    assert len(film) > 60
    for operation in film:
        assert meanings.of(operation) is not None, operation
        assert operation["call"].endswith(")"), operation
        line = shell_line(operation)
        assert line and not line.startswith(f"{operation['name']}("), f"{line} of {operation}"
