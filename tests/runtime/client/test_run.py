"""run and create: what the engine is told, what comes out, and with which code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import Invalid, LabError


def test_the_output_and_the_code_are_the_containers(lab: Callable[..., Any], engine: Any) -> None:
    engine.script = [("stdout", b"out\n"), ("stderr", b"err\n"), ("exit", b"42")]
    assert lab("run", "lab/base", "sh") == (42, "out\n", "err\n")


def test_detached_prints_the_id(lab: Callable[..., Any], engine: Any) -> None:
    answer = lab("run", "-d", "--name", "tea", "lab/base", "sleep", "9")
    assert answer == (0, engine.find("tea").id + "\n", "")
    assert engine.asked == [("start", "tea")]


def test_flags_become_dockers_body(body_of: Callable[..., dict[str, Any]]) -> None:
    body = body_of("-m", "48m", "--memory-swap", "64m", "--cpus", "0.5", "-c", "512",
                   "--pids-limit", "20", "--read-only", "--cap-drop", "ALL", "-u", "1000",
                   "-w", "/tmp", "-h", "box", "-l", "a=1", "-l", "b", "--tmpfs", "/t:size=1m",
                   "--security-opt", "no-new-privileges", "--entrypoint", "sh")
    assert body["HostConfig"] == {
        "Memory": 48 << 20, "MemorySwap": 64 << 20, "NanoCpus": 500_000_000, "CpuShares": 512,
        "PidsLimit": 20, "ReadonlyRootfs": True, "CapDrop": ["ALL"], "NetworkMode": "none",
        "Tmpfs": {"/t": "size=1m"}, "SecurityOpt": ["no-new-privileges"]}
    asked = ("User", "WorkingDir", "Hostname", "Labels", "Entrypoint")
    assert {key: body[key] for key in asked} == {
        "User": "1000", "WorkingDir": "/tmp", "Hostname": "box", "Labels": {"a": "1", "b": ""},
        "Entrypoint": ["sh"]}


def test_variables_come_from_files_then_flags_then_here(
        body_of: Callable[..., dict[str, Any]], tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "vars"
    file.write_text("# a comment\n\nA=file\nHERE\n")
    monkeypatch.setenv("HERE", "yes")
    monkeypatch.delenv("GONE", raising=False)
    body = body_of("-e", "A=flag", "-e", "GONE", "--env-file", str(file))
    assert body["Env"] == ["A=file", "HERE=yes", "A=flag"]


def test_relative_sources_of_binds_are_made_absolute(
        body_of: Callable[..., dict[str, Any]], tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert body_of("-v", "./data:/d:ro")["HostConfig"]["Binds"] == [f"{tmp_path}/data:/d:ro"]


@pytest.mark.parametrize(("flags", "says"), [
    (["--gpus", "all"], "docker: --gpus is not built yet"),
    (["-p", "80:80"], "docker: --publish is not built yet"),
    (["-v", "data:/d"], "docker: a volume by name (-v data:/d) is not built yet (a path of the "
                        "host is)"),
    (["-v", "/d"], "docker: an anonymous volume (-v /d) is not built yet"),
    (["--network", "bridge"], "docker: --network bridge is not built yet (none and host are)"),
    (["--pull", "always"], "docker: --pull always is not built yet"),
    (["--mount", "type=volume,dst=/d"], "docker: --mount type=volume is not built yet"),
])
def test_what_is_not_built_says_so(lab: Callable[..., Any], flags: list[str], says: str) -> None:
    assert lab("run", *flags, "lab/base") == (125, "", says + "\n")


@pytest.mark.parametrize(("flags", "says"), [
    (["-v", ":/x"], "invalid spec: :/x: empty section between colons"),
    (["-v", "/a:/b:bogus"], "Error response from daemon: invalid mode: bogus"),
    (["-v", "/a:/a", "-v", "/b:/a"], "Error response from daemon: Duplicate mount point: /a"),
    (["--tmpfs", "rel"], "Error response from daemon: invalid mount path: 'rel' mount path must be "
                         "absolute"),
    (["--security-opt", "bogus"], 'Invalid --security-opt: "bogus"'),
    (["--pull", "bogus"], "invalid pull option: 'bogus': must be one of \"always\", \"missing\" or "
                          '"never"'),
    (["-d", "-a", "stdout"], "conflicting options: cannot specify both --attach and --detach"),
    (["--pull", "never", "nosuch"], "Error response from daemon: No such image: nosuch:latest"),
])
def test_refusals(lab: Callable[..., Any], flags: list[str], says: str) -> None:
    answer = lab("run", *flags, "lab/base")
    assert answer == (125, "", f"docker: {says}\n\nRun 'docker run --help' for more information\n")


@pytest.mark.parametrize(("cause", "code"), [
    ('exec: "x": executable file not found in $PATH', 127),
    ('exec: "/etc": is a directory: permission denied', 126),
    ('exec: "/x": stat /x: no such file or directory', 127),
    ("unable to find user nosuch: no matching entries in passwd file", 125),
])
def test_codes_of_a_failed_start(lab: Callable[..., Any], engine: Any, cause: str,
                                 code: int) -> None:
    engine.start_error = LabError(f"OCI runtime create failed: {cause}")
    answer = lab("run", "--rm", "lab/base", "x")
    assert answer.code == code
    assert answer.err.startswith(f"docker: Error response from daemon: OCI runtime create failed: "
                                 f"{cause}\n\nRun 'docker run --help'")
    assert engine.made == [], "--rm also removes what never ran"


def test_an_image_that_is_not_here(lab: Callable[..., Any]) -> None:
    answer = lab("run", "nosuch")
    assert answer.code == 125
    assert answer.err.splitlines() == [
        "Unable to find image 'nosuch:latest' locally",
        "docker: pull is not built yet (bring it as a tar: docker import FILE nosuch:latest)"]


def test_a_terminal_is_asked_for_and_there_is_none(lab: Callable[..., Any], engine: Any) -> None:
    assert lab("run", "-it", "lab/base") == (1, "", "the input device is not a TTY\n")
    assert engine.made == []


def test_cidfile(lab: Callable[..., Any], engine: Any, tmp_path: Path) -> None:
    path = tmp_path / "id"
    assert lab("create", "--cidfile", str(path), "lab/base").code == 0
    assert path.read_text() == engine.made[0].id
    again = lab("run", "--cidfile", str(path), "lab/base")
    assert again.code == 125 and "container ID file found" in again.err


def test_no_file_is_left_of_a_container_that_was_not_made(
        lab: Callable[..., Any], engine: Any, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> str:
        raise Invalid("no command specified")

    monkeypatch.setattr(engine, "create", refuse)
    assert lab("run", "--cidfile", str(tmp_path / "id"), "lab/base").code == 125
    assert not (tmp_path / "id").exists()


def test_only_the_streams_asked_for(lab: Callable[..., Any], engine: Any) -> None:
    engine.script = [("stdout", b"out\n"), ("stderr", b"err\n"), ("exit", b"0")]
    assert lab("run", "-a", "stderr", "lab/base") == (0, "", "err\n")
