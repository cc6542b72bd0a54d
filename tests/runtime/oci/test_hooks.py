"""Hooks: in order, with the state on stdin, and what becomes of one that fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import LabError
from runtime.oci import hooks

SPEC = {"ociVersion": "1.2.0", "annotations": {"org.example": "x"}}
STATE = hooks.state(SPEC, "tea", "/b", "creating", 4213)


def shell(script: str, **more: Any) -> dict[str, Any]:
    return {"path": "/bin/sh", "args": ["sh", "-c", script], **more}


def test_the_state() -> None:
    assert STATE == {"ociVersion": "1.2.0", "id": "tea", "status": "creating", "pid": 4213,
                     "bundle": "/b", "annotations": {"org.example": "x"}}
    assert "pid" not in hooks.state(SPEC, "tea", "/b", "stopped", 4213)


def test_none_is_nothing() -> None:
    for none in (None, {}, {"prestart": None}, {"prestart": []}, {"poststop": [{"path": "/x"}]}):
        assert hooks.run("prestart", none, STATE) == []


def test_in_order_with_the_state_on_stdin(tmp_path: Path) -> None:
    found = [shell("cat > first"), shell("test -e first && pwd > second; echo $A >> second",
                                         env=["A=b"])]
    assert hooks.run("createRuntime", {"createRuntime": found}, STATE, str(tmp_path)) == []
    assert json.loads((tmp_path / "first").read_text()) == STATE
    assert (tmp_path / "second").read_text() == f"{tmp_path}\nb\n"


@pytest.mark.parametrize(("hook", "words"), [
    ({"path": "/bin/false"}, "exit status 1, stdout: , stderr: "),
    ({"path": "/no/such"}, "fork/exec /no/such: no such file or directory"),
    (shell("echo a; echo b >&2; exit 2"), "exit status 2, stdout: a, stderr: b"),
    (shell("kill -9 $$"), "signal: killed, stdout: , stderr: "),
    (shell("sleep 60", timeout=1), "hook ran past specified timeout of 1.0s")])
def test_one_that_fails_ends_it(tmp_path: Path, hook: dict[str, Any], words: str) -> None:
    found = [{"path": "/bin/true"}, hook, shell("touch never")]
    with pytest.raises(LabError) as caught:
        hooks.run("poststart", {"poststart": found}, STATE, str(tmp_path))
    assert str(caught.value) == f"error running poststart hook #1: {words}"
    assert not (tmp_path / "never").exists()


def test_after_the_end_they_only_warn(tmp_path: Path) -> None:
    found = [{"path": "/bin/false"}, shell("touch after")]
    said = hooks.run("poststop", {"poststop": found}, STATE, str(tmp_path))
    assert said == ["error running poststop hook #0: exit status 1, stdout: , stderr: "]
    assert (tmp_path / "after").exists()
