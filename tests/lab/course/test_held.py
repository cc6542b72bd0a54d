"""The line of a watch step with --step in it, and with somebody at its prompt."""

from __future__ import annotations

import subprocess

import pytest

from lab.course.held import halting, held, instructions
from lab.course.loader import Course

LINE = "docker run -d --name ink lab/base sleep 3600"


@pytest.mark.parametrize(("line", "stepped"), [
    (LINE, "docker run --step -d --name ink lab/base sleep 3600"),
    ("docker start ink", "docker start --step ink"),
    ("container-lab run lab/base sh -c 'docker run x'",
     "container-lab run --step lab/base sh -c 'docker run x'"),
    ("docker ps", "docker ps"),
])
def test_only_the_first_start_of_a_line_is_held(line, stepped):
    assert held(line) == stepped


def test_at_the_prompt_the_halts_are_set_before_it_goes_on():
    typed = halting(LINE, ("clone3", "execve")).replace(held(LINE), "head -n 4")
    said = subprocess.run(["/bin/sh", "-c", typed], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == ["b clone3", "b execve", "c", "c"]
    assert said.stderr == ""


def test_a_student_is_told_what_to_type():
    assert "Type b clone3, b execve to halt there" in instructions(("clone3", "execve"))


def test_every_watched_line_of_the_course_can_be_held():
    steps = [step for lesson in Course.load().lessons() for step in lesson.steps if step.stops]
    assert len(steps) >= 5
    for step in steps:
        assert " --step " in held(step.solve[0]), step.id
