"""Hooks by command line: what runc's own suite asks of create, run and delete (hooks.bats)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.oci.bundles import Bundle
from tests.runtime.oci.commandline import OURS, Runtime, runtime, written

pytestmark = pytest.mark.kernel
FAILING = [{"path": "/bin/true"}, {"path": "/bin/false"}]


@pytest.fixture
def ours() -> Iterator[Runtime]:
    yield from runtime(OURS)


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_create_fails_with_its_hook(bundle: Bundle, ours: Runtime, kind: str) -> None:
    bundle.spec["hooks"] = {kind: FAILING}
    said = ours("create", "--bundle", written(bundle, "/bin/echo", "Hello World"), "hooked")
    assert said.code != 0 and f"error running {kind} hook #1:" in said.err
    assert ours("list", "--quiet").out == "" and not bundle.cgroup().exists()


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer",
                                  "startContainer", "poststart"])
def test_run_fails_with_its_hook(bundle: Bundle, ours: Runtime, kind: str) -> None:
    bundle.spec["hooks"] = {kind: FAILING}
    said = ours("run", "--bundle", written(bundle, "/bin/sleep", "1000"), "hooked")
    assert said.code != 0 and f"error running {kind} hook #1:" in said.err
    assert ours("list", "--quiet").out == "" and not bundle.cgroup().exists()


def test_start_fails_with_its_hook(bundle: Bundle, ours: Runtime) -> None:
    bundle.spec["hooks"] = {"startContainer": FAILING}
    assert ours("create", "--bundle", written(bundle, "/bin/sleep", "9"), "hooked").code == 0
    said = ours("start", "hooked")
    assert said.code != 0 and "error running startContainer hook #1:" in said.err
    assert ours("delete", "--force", "hooked").code == 0


def test_the_states_along_a_life(bundle: Bundle, ours: Runtime, tmp_path: Path) -> None:
    """What each hook of the host's side reads on stdin, from create to delete."""
    kinds = ("prestart", "createRuntime", "createContainer", "poststart", "poststop")
    bundle.spec["hooks"] = {kind: [{"path": "/bin/sh", "args": [
        "sh", "-c", f"cat > {tmp_path}/{kind}"]}] for kind in kinds}
    bundle.spec["annotations"] = {"org.example": "x"}
    assert ours("create", "--bundle", written(bundle, "/bin/sleep", "1000"), "hooked").code == 0
    assert not (tmp_path / "poststart").exists()
    assert ours("start", "hooked").code == 0
    pid = json.loads(ours("state", "hooked").out)["pid"]
    assert ours("delete", "--force", "hooked").code == 0
    states = {kind: json.loads((tmp_path / kind).read_text()) for kind in kinds}
    assert [state["status"] for state in states.values()] == [
        "creating", "creating", "creating", "running", "stopped"]
    assert {state["id"] for state in states.values()} == {"hooked"}
    assert {state["bundle"] for state in states.values()} == {str(bundle.folder)}
    assert {states[kind]["pid"] for kind in kinds[:4]} == {pid}
    assert all(state["annotations"] == {"org.example": "x"} for state in states.values())


def test_after_delete_a_failing_hook_only_warns(
        bundle: Bundle, ours: Runtime, tmp_path: Path) -> None:
    bundle.spec["hooks"] = {"poststop": [{"path": "/bin/false"}, {"path": "/bin/sh", "args": [
        "sh", "-c", f"touch {tmp_path}/after"]}]}
    assert ours("run", "--detach", "--bundle", written(bundle, "/bin/sleep", "9"),
                "hooked").code == 0
    said = ours("delete", "--force", "hooked")
    assert said.code == 0 and "error running poststop hook #0" in said.err
    assert (tmp_path / "after").exists()
