"""Hooks: in order, with the state on stdin, and what becomes of one that fails."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.seccomp_profile import default_profile
from runtime.errors import LabError
from runtime.oci import hooks
from tests.runtime.oci.bundles import Bundle, peer

SPEC = {"ociVersion": "1.0.2", "annotations": {"org.example": "x"}}
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


def at(bundle: Bundle, kind: str, script: str, **more: Any) -> None:
    """Have the bundle run a script at this point; $OUT is a directory of the host's."""
    bundle.spec.setdefault("hooks", {}).setdefault(kind, []).append(
        shell(script, env=[f"OUT={bundle.folder}"], **more))


ORDER = ("prestart", "createRuntime", "createContainer", "startContainer")


@pytest.mark.kernel
def test_each_in_its_place_and_in_its_namespaces(bundle: Bundle) -> None:
    for kind in ORDER[:3]:
        at(bundle, kind, f"echo {kind} $(readlink /proc/self/ns/mnt) >> $OUT/order; "
                         f"cat > $OUT/{kind}.state; pwd > $OUT/{kind}.place")
    at(bundle, "startContainer", "echo startContainer $(readlink /proc/self/ns/mnt) >> /order; "
                                 "cat > /startContainer.state; hostname >> /order")
    started = bundle.start(stop_at_created=True)
    inside = os.readlink(f"/proc/{started.pid}/ns/mnt")
    host = os.readlink("/proc/self/ns/mnt")
    lines = (bundle.folder / "order").read_text().splitlines()
    assert lines == [f"prestart {host}", f"createRuntime {host}", f"createContainer {inside}"]
    assert not (bundle.rootfs / "order").exists(), "not before start"
    started.ask(start=1)
    started.run()
    assert (bundle.rootfs / "order").read_text() == f"startContainer {inside}\ntea\n"
    states = [json.loads((bundle.folder / f"{kind}.state").read_text()) for kind in ORDER[:3]]
    states.append(json.loads((bundle.rootfs / "startContainer.state").read_text()))
    assert [state["status"] for state in states] == ["creating"] * 3 + ["created"]
    assert {(state["pid"], state["id"], state["bundle"]) for state in states} == {
        (started.pid, "bundle", str(bundle.folder))}


@pytest.mark.kernel
@pytest.mark.parametrize("kind", ORDER)
def test_one_that_fails_takes_the_container_with_it(bundle: Bundle, kind: str) -> None:
    bundle.spec["hooks"] = {kind: [{"path": "/bin/true"}, {"path": "/bin/false"}]}
    error = bundle.refused()
    assert str(error) == f"error running {kind} hook #1: exit status 1, stdout: , stderr: "
    assert bundle.read("init.out") == ""


@pytest.mark.kernel
def test_what_is_mounted_by_a_hook_is_there(bundle: Bundle) -> None:
    """createContainer is made for this: the host's programs, in the container's mounts."""
    (bundle.folder / "gift").write_text("for you\n")
    (bundle.rootfs / "gift").write_text("")
    at(bundle, "createContainer", "mount --bind $OUT/gift gift")
    assert bundle.run("cat /gift") == (0, "for you\n", "")
    assert str(bundle.folder) not in Path("/proc/self/mountinfo").read_text()


@pytest.mark.kernel
def test_a_program_of_the_image_runs_under_the_images_rules(bundle: Bundle) -> None:
    """startContainer's: same user, same capabilities, same filter, no descriptor of ours."""
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.linux["seccomp"] = default_profile([])
    at(bundle, "startContainer", "id -u; grep -E '^(Seccomp|NoNewPrivs|CapEff)' /proc/self/status; "
                                 "ls /proc/self/fd; false")
    said = str(bundle.refused())
    assert "stdout: 1000 CapEff: 0000000000000000 NoNewPrivs: 1 Seccomp: 2" in said
    assert " 0 1 2 3, stderr" in said  # 3 is ls's own


@pytest.mark.kernel
@pytest.mark.parametrize("kind", ["prestart", "startContainer"])
def test_one_that_takes_too_long(bundle: Bundle, kind: str) -> None:
    at(bundle, kind, "sleep 60", timeout=1)
    assert "hook ran past specified timeout of 1.0s" in str(bundle.refused())


@pytest.mark.kernel
def test_the_words_are_runcs(bundle: Bundle) -> None:
    """Of its newest version, which also says which kind of hook it was; 1.1 says the rest."""
    bundle.spec["hooks"] = {"createRuntime": [{"path": "/bin/true"}, {"path": "/bin/false"}]}
    ours = str(bundle.refused())
    code, _, theirs = peer("runc", bundle, "true")
    assert code != 0 and "#1: " in theirs and ours.partition("#1: ")[2] in theirs
