"""The list of verbs: cheap to have, without state of its own, the same for whoever looks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.engine.engine import Engine

HERE = Path(__file__).resolve().parents[3]


def test_an_engine_touches_nothing(tmp_path):
    engine = Engine(f"{tmp_path}/lab")
    assert engine.containers() == [] and engine.events() == [] and engine.prune() == ([], 0)
    assert engine.run_dir == f"{engine.root}/run"
    assert os.listdir(tmp_path) == []


def test_having_one_is_cheap():
    """The light modules alone: what a verb needs comes with the verb."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, sys.argv[1])\n"
         "from runtime.engine.engine import Engine\n"
         "Engine('/nowhere').containers()\n"
         "print(*sorted(name for name in sys.modules if name.startswith('runtime.engine.')))",
         str(HERE)], capture_output=True, text=True, check=True)
    loaded = {name.rpartition(".")[2] for name in done.stdout.split()}
    assert not loaded & {"describe", "usage", "why", "logs", "execution", "repair", "clean",
                         "seccomp_profile"}


@pytest.mark.kernel
def test_another_process_sees_the_same(engine, started, typed):
    ident = started("sleep", "1000", name="tea")
    other = Engine(engine.root)
    assert other.find("tea").id == ident and other.find("tea").pid == engine.find("tea").pid
    assert typed("ps", "-q", "--no-trunc").stdout.strip() == ident
    assert typed("kill", "tea").returncode == 0
    assert engine.wait("tea") == 137


@pytest.mark.kernel
def test_what_was_made_by_the_command_line(engine, typed):
    done = typed("run", "--name", "tea", "lab/base", "sh", "-c", "echo hi; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, "hi\n", "")
    assert engine.find("tea").exit_code == 3
    assert [line["log"] for line in engine.logs("tea")] == ["hi\n"]
    assert engine.operations("tea")[-1]["name"] == "execve"
    assert {each["phase"] for each in engine.operations("tea")} >= {
        "isolate", "root", "limit", "drop", "exec"}


@pytest.mark.kernel
@pytest.mark.parametrize("words, code, said", [
    (["--memory", "1k", "lab/base", "true"], 125, "Minimum memory limit allowed is 6MB"),
    (["no/such-image", "true"], 125, "Unable to find image 'no/such-image:latest' locally"),
    (["lab/base", "/etc/passwd"], 126, "permission denied"),
    (["lab/base", "no-such-program"], 127, "executable file not found in $PATH"),
    (["--memory", "32m", "--memory-swap", "32m", "lab/base", "hog", "200M"], 137, ""),
    (["lab/base", "sh", "-c", "exit 42"], 42, ""),
])
def test_exit_codes_of_run(engine, typed, words, code, said):
    """And with --rm nothing stays, whatever became of it."""
    done = typed("run", "--rm", *words)
    assert done.returncode == code, done.stderr
    assert said in done.stderr and "Traceback" not in done.stderr
    assert engine.containers() == []
