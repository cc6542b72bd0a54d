"""Finding the command: aliases, unknown words, what is not built, help, global options."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from runtime.client import commands


def test_container_is_a_second_way_to_say_it(lab: Callable[..., Any]) -> None:
    assert lab("container", "create", "--name", "tea", "lab/base").code == 0
    assert lab("container", "ls", "-a", "--format", "{{.Names}}") == (0, "tea\n", "")
    assert lab("container", "ls", "x").err.startswith(
        "docker: 'docker container ls' accepts no arguments\n\nUsage:  docker container ls")


@pytest.mark.parametrize(("typed", "says"), [
    (["nosuch"], "docker: unknown command: docker nosuch\n\n"
                 "Run 'docker --help' for more information\n"),
    (["container", "nosuch"], "docker: unknown command: docker container nosuch\n\n"
                              "Usage:  docker container\n\n"
                              "Run 'docker container --help' for more information\n"),
    (["help", "nosuch"], "unknown help topic: nosuch\n"),
    (["run"], "docker: 'docker run' requires at least 1 argument\n\n"
              "Usage:  docker run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\n"
              "See 'docker run --help' for more information\n"),
])
def test_unknown_words(lab: Callable[..., Any], typed: list[str], says: str) -> None:
    assert lab(*typed) == (1, "", says)


def test_a_wrong_flag_is_125_with_usage(lab: Callable[..., Any]) -> None:
    assert lab("logs", "--nosuch", "tea") == (
        125, "", "unknown flag: --nosuch\n\nUsage:  docker logs [OPTIONS] CONTAINER\n\n"
                 "Run 'docker logs --help' for more information\n")


@pytest.mark.parametrize("typed", [["build", "."], ["pull", "x"], ["volume", "ls"], ["cp"],
                                   ["container", "commit", "x"], ["system", "df"],
                                   ["image", "save", "x"]])
def test_commands_that_are_not_built(lab: Callable[..., Any], typed: list[str]) -> None:
    answer = lab(*typed)
    assert answer.code == 125 and answer.err.endswith("is not built yet\n")


def test_the_daemons_address_is_refused_by_name(lab: Callable[..., Any]) -> None:
    assert lab("-H", "unix:///x", "ps") == (125, "", "docker: --host is not built yet\n")


def test_every_word_of_docker_is_known_or_refused() -> None:
    """Nothing that docker lists is unknown here; the docker client is the oracle."""
    docker = _docker()
    listed = subprocess.run([docker, "--help"], capture_output=True, text=True).stdout
    words = set(re.findall(r"^  ([a-z]+) {2,}", listed, re.MULTILINE))
    assert words - set(commands.FAMILIES) - set(commands.GROUPS) - set(
        commands.LATER_COMMANDS) == set()


def _docker() -> str:
    docker = shutil.which("docker")
    if not docker or "ocker version" not in subprocess.run(
            [docker, "-v"], capture_output=True, text=True).stdout:
        pytest.skip("no docker client here to compare with")
    return docker


@pytest.mark.conformance
def test_no_flag_of_run_is_unknown() -> None:
    listed = subprocess.run([_docker(), "run", "--help"], capture_output=True, text=True).stdout
    theirs = set(re.findall(r"^  .{4}--([a-z0-9-]+)", listed, re.MULTILINE)) - {"help"}
    command = commands.find("run")
    assert command is not None
    assert theirs - {flag[0] for flag in command.flags} == set()


@pytest.mark.conformance
@pytest.mark.parametrize("name", ["stop", "kill", "rm", "logs", "exec", "ps", "inspect", "top",
                                  "pause", "unpause", "wait", "restart", "attach", "tag", "stats",
                                  "info", "events", "container prune", "container inspect"])
def test_help_is_dockers_word_for_word(lab: Callable[..., Any], name: str) -> None:
    theirs = subprocess.run([_docker(), *name.split(), "--help"], capture_output=True, text=True,
                            stdin=subprocess.DEVNULL)
    assert lab(*name.split(), "--help") == (0, theirs.stdout, "")


def test_run_says_that_its_network_differs(lab: Callable[..., Any]) -> None:
    told = " ".join(lab("run", "--help").out.split())
    assert 'default "none"; Docker\'s bridge is not built yet' in told
    assert "--gpus" in told


HEAVY = ("json", "dataclasses", "enum", "typing", "collections", "functools", "re", "signal",
         "socket", "pathlib", "subprocess", "shutil", "contextlib", "tempfile", "datetime",
         "threading", "logging", "argparse")


def test_the_path_of_run_is_light() -> None:
    """What `run` imports of the client, in a bare interpreter."""
    code = ("import sys; sys.path.insert(0, '.')\n"
            "from runtime.client import cli, commands, streams\n"
            "commands.find('run')\n"
            f"print([name for name in {HEAVY} if name in sys.modules])")
    found = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert found.stdout == "[]\n", found.stderr
