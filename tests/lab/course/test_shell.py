"""The student's shell: `docker` is this program there and nowhere else; typing into it."""

from __future__ import annotations

import os

import pytest

from lab.course.shell import Terminal, environment, provide_docker, whole_environment
from runtime.errors import LabError


def test_docker_is_first_on_path_and_the_root_goes_along(tmp_path):
    words = environment(str(tmp_path))
    first = words["PATH"].split(":")[0]
    assert os.access(f"{first}/docker", os.X_OK)
    assert os.listdir(first) == ["docker"]
    assert words["CONTAINER_LAB_ROOT"] == str(tmp_path)
    assert first not in os.environ["PATH"]


def test_making_it_twice_is_once(tmp_path):
    first = os.stat(provide_docker(tmp_path) / "docker").st_ino
    assert os.stat(provide_docker(tmp_path) / "docker").st_ino == first


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="not a directory"):
        provide_docker(tmp_path / "file" / "shell")


def test_a_real_clients_settings_stay_outside(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere")
    assert "DOCKER_HOST" not in whole_environment(str(tmp_path))


def test_typing(tmp_path):
    with Terminal(str(tmp_path), timeout_s=20) as terminal:
        assert terminal.type("echo one; echo two") == ("one\ntwo\n", 0)
        assert terminal.type("false") == ("", 1)
        assert terminal.type("cd /tmp") == ("", 0)
        assert terminal.type("pwd")[0] == "/tmp\n"
        assert terminal.type("command -v docker")[0].endswith("/shell/docker\n")
        long = "x" * 500
        assert terminal.type(f"echo {long}") == (f"{long}\n", 0)


def test_a_command_that_does_not_end_is_given_up(tmp_path):
    with Terminal(str(tmp_path), timeout_s=0.5) as terminal, \
            pytest.raises(LabError, match="no prompt after"):
        terminal.type("sleep 5")


def test_a_shell_that_ends_is_said(tmp_path):
    with Terminal(str(tmp_path), timeout_s=20) as terminal, \
            pytest.raises(LabError, match="the shell has ended"):
        terminal.type("exit")
