"""Completion answers from the tables of parsing, and with names from the engine."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(("words", "expected"), [
    (["st"], ["start", "stats", "stop"]),
    (["container", "pr"], ["prune"]),
    (["run", "--me"], ["--memory", "--memory-reservation", "--memory-swap", "--memory-swappiness"]),
    (["run", "--network", ""], ["none", "host"]),
    (["run", "--without", "p"], ["pid", "pivot"]), (["probe", ""], ["second"]),
    (["run", "la"], ["lab/base"]),
    (["stop", ""], ["second"]),
    (["start", ""], ["first"]),
    (["rm", "f"], ["first"]),
    (["completion", "z"], ["zsh"]),
    (["build", ""], []),
])
def test_candidates(lab: Callable[..., Any], words: list[str], expected: list[str]) -> None:
    lab("create", "--name", "first", "lab/base")
    lab("run", "-d", "--name", "second", "lab/base")
    lines = lab("__complete", "--", *words).out.splitlines()
    assert [line.split("\t")[0] for line in lines[:-1]] == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_good_in_its_shell(lab: Callable[..., Any], shell: str,
                                         tmp_path: Path) -> None:
    program = shutil.which(shell)
    script = lab("completion", shell).out
    assert "__complete" in script and "docker" in script
    if program is None:
        pytest.skip(f"no {shell} here to read it")
    (tmp_path / "script").write_text(script)
    subprocess.run([program, "-n", str(tmp_path / "script")], check=True)


def test_bash_really_completes(lab: Callable[..., Any], tmp_path: Path) -> None:
    """The script in a bash, with a program of the right name that answers as __complete does."""
    program = tmp_path / "docker"
    program.write_text(f"#!/bin/sh\necho \"$*\" > {tmp_path}/asked\n"
                       "printf 'start\\tStart it\\nstop\\tStop it\\n:4\\n'\n")
    program.chmod(0o755)
    (tmp_path / "script").write_text(lab("completion", "bash").out)
    asked = (f"source {tmp_path}/script; COMP_WORDS=({program} container st); COMP_CWORD=2; "
             "_docker_complete; echo ${COMPREPLY[*]}")
    answer = subprocess.run(["bash", "-c", asked], capture_output=True, text=True)
    assert answer.stdout == "start stop\n", answer.stderr
    assert (tmp_path / "asked").read_text() == "__complete -- container st\n"
