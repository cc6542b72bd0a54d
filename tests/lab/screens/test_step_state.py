"""Which container a step is about, and what is kept of a line that ran."""

from __future__ import annotations

from types import SimpleNamespace

from lab.screens.step_state import StepState, clean, containers_of, named_in, shown_container
from lab.snapshot import Row


def stepper(*commands: str, container: str = ""):
    return SimpleNamespace(commands=lambda: list(commands), vars={"name": "ink", "limit": "48m"},
                           step=SimpleNamespace(container=container, kind="do"))


ROWS = [Row("2" * 64, "ink-hog"), Row("1" * 64, "ink"), Row("0" * 64, "other")]


def test_names_are_read_off_the_docker_lines():
    assert named_in(["docker run -d --name tea lab/base sh", "docker kill ink"]) == ["tea", "ink"]
    assert named_in(["docker stop -t 2 ink"]) == ["ink"]


def test_only_the_lessons_own_containers_are_shown():
    assert containers_of(stepper("docker run --name ink-hog lab/base hog"), ROWS) == [
        "ink-hog", "ink"]


def test_the_steps_own_container_comes_before_a_newer_one():
    assert shown_container(stepper("docker kill ink"), ROWS, "") == "ink"
    assert shown_container(stepper("docker kill ink"), ROWS, "ink-hog") == "ink"
    assert shown_container(stepper(), ROWS, "") == "ink"
    assert shown_container(stepper("docker run --name new lab/base true"), [], "") == "new"


def test_output_loses_its_control_sequences_and_its_beginning():
    state = StepState()
    state.began("docker logs x")
    state.printed("\x1b[31mred\x1b[0m\r\n" + "line\n" * 20)
    assert clean(state.output) == ["line"] * 8
    state.ended("docker logs x", 1)
    assert (state.running, state.exit_code) == ("", 1)
