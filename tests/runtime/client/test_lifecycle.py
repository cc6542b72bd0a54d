"""start, stop, kill, pause, rm, wait, prune: a name for what went well, a sentence for what not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

NONE = "Error response from daemon: No such container: nosuch\n"


@pytest.fixture
def tea(lab: Callable[..., Any], engine: Any) -> Any:
    lab("run", "-d", "--name", "tea", "lab/base", "sleep", "9")
    engine.asked.clear()
    return engine.find("tea")


@pytest.mark.parametrize("verb", ["stop", "kill", "pause", "unpause", "restart"])
def test_one_is_there_and_one_is_not(lab: Callable[..., Any], tea: Any, verb: str) -> None:
    assert lab(verb, "tea", "nosuch") == (1, "tea\n", NONE)


def test_start_counts_what_failed(lab: Callable[..., Any], tea: Any) -> None:
    assert lab("start", "tea", "nosuch") == (
        1, "tea\n", NONE + "Error: failed to start containers: nosuch\n")


def test_start_attached_is_the_container(lab: Callable[..., Any], engine: Any) -> None:
    lab("create", "--name", "tea", "lab/base", "sh")
    engine.script = [("stdout", b"1\n"), ("exit", b"3")]
    assert lab("start", "-a", "tea") == (3, "1\n", "")


def test_stop_and_kill_pass_time_and_signal(lab: Callable[..., Any], engine: Any,
                                            tea: Any) -> None:
    lab("stop", "-t", "1", "tea")
    lab("kill", "-s", "HUP", "tea")
    assert engine.asked == [("stop", "tea", 1), ("kill", "tea", "HUP")]


def test_rm_of_a_running_one(lab: Callable[..., Any], tea: Any) -> None:
    refused = lab("rm", "tea")
    assert refused.code == 1 and "container is running" in refused.err
    assert lab("rm", "-f", "tea", "nosuch") == (0, "tea\n", NONE)


def test_wait_prints_the_code(lab: Callable[..., Any], tea: Any) -> None:
    tea.state["ExitCode"] = 137
    assert lab("wait", "tea") == (0, "137\n", "")


def test_prune_names_what_it_removed(lab: Callable[..., Any], engine: Any) -> None:
    lab("create", "--name", "tea", "lab/base")
    ident = engine.find("tea").id
    assert lab("container", "prune", "-f").out == (
        f"Deleted Containers:\n{ident}\n\nTotal reclaimed space: 1.234kB\n")


def test_attach_to_a_stopped_one(lab: Callable[..., Any]) -> None:
    lab("create", "--name", "tea", "lab/base")
    assert lab("attach", "tea") == (
        1, "", "You cannot attach to a stopped container, start it first\n")
