"""Which container a step is about, and what is kept of a line that ran."""

from __future__ import annotations

from types import SimpleNamespace

from lab.course.loader import Course
from lab.screens.step_state import (
    StepState,
    clean,
    containers_of,
    named_in,
    processes_of,
    shown_container,
)
from lab.snapshot import Row


def stepper(*commands: str, container: str = ""):
    return SimpleNamespace(commands=lambda: list(commands), vars={"name": "ink", "limit": "48m"},
                           step=SimpleNamespace(container=container, kind="do"),
                           lesson=SimpleNamespace(steps=[]), index=0)


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


def test_the_panes_follow_the_process_that_is_made_by_hand():
    lesson = Course.load().lesson("net")
    steps = [step.id for step in lesson.steps]

    def at(step_id):
        step = lesson.step(step_id)
        variables = {"name": "tea", "open": "tea-open", "seconds": "4321"}
        return SimpleNamespace(
            lesson=lesson, step=step, index=steps.index(step_id), vars=variables,
            commands=lambda: [line.replace("$name", "tea").replace("$open", "tea-open")
                              for line in step.solve])

    tea, opened = Row("1", "tea"), Row("2", "tea-open")
    assert processes_of(at("start")) == {}
    assert shown_container(at("start"), [tea], "") == "tea"
    assert shown_container(at("bare"), [tea], "") == "sleep 4321"
    assert shown_container(at("bare"), [tea], "tea") == "tea", "the student's choice comes first"
    assert shown_container(at("who"), [tea], "") == "tea"
    assert shown_container(at("up"), [tea], "") == "sleep 4321"
    assert shown_container(at("open"), [opened, tea], "") == "tea-open"
    assert shown_container(at("explain"), [], "") == "sleep 4321"
