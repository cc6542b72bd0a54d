"""The program: found as execve will find it, with its environment, and refused in runc's words."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import Denied, NotFound
from runtime.oci import program


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, mode in (("run", 0o755), ("data", 0o644)):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(mode)
    (tmp_path / "later").mkdir()
    (tmp_path / "later/data").write_text("")
    (tmp_path / "later/data").chmod(0o755)
    (tmp_path / "run-link").symlink_to("run")
    (tmp_path / "dangling").symlink_to("none")
    return tmp_path


def test_found_in_the_path(folder: Path) -> None:
    path = f"/none:{folder}:{folder}/later"
    assert program.find("run", path) == f"{folder}/run"
    assert program.find("run-link", path) == f"{folder}/run-link"
    assert program.find("data", path) == f"{folder}/later/data", "the first that can be run"
    assert program.find(f"{folder}/run", "") == f"{folder}/run"


@pytest.mark.parametrize(("name", "kind", "code", "words"), [
    ("none", NotFound, 127, 'exec: "none": executable file not found in $PATH'),
    ("/no/such", NotFound, 127, 'exec: "/no/such": stat /no/such: no such file or directory'),
    ("/etc/passwd/x", NotFound, 127, 'exec: "/etc/passwd/x": stat /etc/passwd/x: no such file'),
    ("/etc", Denied, 126, 'exec: "/etc": is a directory'),
    ("/etc/passwd", Denied, 126, 'exec: "/etc/passwd": permission denied'),
    ("data", Denied, 126, 'exec: "data": permission denied'),
    ("later", NotFound, 127, 'exec: "later": executable file not found in $PATH'),
    ("dangling", NotFound, 127, 'exec: "dangling": executable file not found in $PATH')])
def test_refused(folder: Path, name: str, kind: type[Exception], code: int, words: str) -> None:
    with pytest.raises(kind) as caught:
        program.find(name, str(folder))
    assert str(caught.value).startswith(words)
    assert caught.value.exit_code == code  # type: ignore[attr-defined]


@pytest.mark.parametrize(("process", "wanted"), [
    ({"env": ["A=1", "B=x=y", "C="]}, {"A": "1", "B": "x=y", "C": "", "HOME": "/root"}),
    ({"env": ["HOME=/x", "A=1", "A=2"]}, {"HOME": "/x", "A": "2"}),
    ({"user": {"uid": 54321}}, {"HOME": "/"}), ({}, {"HOME": "/root"})])
def test_the_environment(process: dict[str, Any], wanted: dict[str, str],
                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program.files, "read_in_root",
                        lambda root, path: "root:x:0:0:root:/root:/bin/sh\nodd\n")
    assert program.environment(process) == wanted


def test_signals_are_as_new() -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGHUP})
        program.reset_signals()
        status = Path("/proc/self/status").read_text()
        sets = {line.split(":")[0]: int(line.split()[1], 16) for line in status.splitlines()
                if line.startswith(("SigBlk", "SigIgn", "SigCgt"))}
        sets["SigIgn"] &= ~0x180000000  # 32 and 33, the C library's own: as runc, left as they come
        os.write(writer, f"{sets['SigBlk']:x} {sets['SigIgn']:x}".encode())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(reader, 100) == b"0 0"
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(("process", "own", "wanted"), [
    ({}, True, []),
    ({"apparmorProfile": "docker-default"}, True,
     [("/proc/self/attr/apparmor/exec", "exec docker-default")]),
    ({"apparmorProfile": "docker-default"}, False,
     [("/proc/self/attr/exec", "exec docker-default")]),
    ({"apparmorProfile": "unconfined"}, True,
     [("/proc/self/attr/apparmor/exec", "exec unconfined")]),
    ({"apparmorProfile": "unconfined"}, False, []),
    ({"selinuxLabel": "system_u:system_r:container_t:s0:c1,c2"}, False,
     [("/proc/self/attr/exec", "system_u:system_r:container_t:s0:c1,c2")])])
def test_the_labels_of_security_modules(
        process: dict[str, Any], own: bool, wanted: list[tuple[str, str]],
        monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, str]] = []
    monkeypatch.setattr(program.files, "write_control",
                        lambda path, text: written.append((path, text)))
    monkeypatch.setattr(program.os.path, "exists", lambda path: own)
    program.set_labels(process)
    assert written == wanted


def test_what_would_cut_us_short_is_set_last(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[Any, ...]] = []
    monkeypatch.setattr(program.limits, "setrlimit", lambda *limit: told.append(("set", *limit)))
    monkeypatch.setattr(program.limits, "prlimit", lambda *limit: told.append(("raise", *limit)))
    monkeypatch.setattr(program.limits, "getrlimit", lambda pid, kind: (5, 50))
    monkeypatch.setattr(program._signal, "signal", lambda *args: None)
    process = {"rlimits": [{"type": "RLIMIT_FSIZE", "soft": 0, "hard": 70},
                           {"type": "RLIMIT_NOFILE", "soft": 3, "hard": 3},
                           {"type": "RLIMIT_AS", "soft": 1, "hard": 40}]}
    program.set_rlimits(process)
    assert told == [("raise", 0, "RLIMIT_FSIZE", 5, 70), ("set", "RLIMIT_NOFILE", 3, 3)]
    told.clear()
    program.set_last_rlimits(process)
    assert told == [("set", "RLIMIT_FSIZE", 0, 70), ("set", "RLIMIT_AS", 1, 40)]
