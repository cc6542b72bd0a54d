"""The watch step: a start that is stepped through, and the proof that somebody did."""

from __future__ import annotations

import pytest

from lab.course.lint import lint
from lab.course.loader import Course
from lab.course.progress import Progress
from lab.course.stepper import Stepper
from runtime.errors import Conflict, Invalid

LESSON = "lessons/{}/just-a-process/lesson.toml"
FULL = [("shim", "prepare", "mkdir"), ("init", "isolate", "setsid"), ("init", "root", "mount"),
        ("init", "exec", "execve")]


def rows(held: int) -> list[dict]:
    """A birth certificate whose first `held` calls were held; of execve nobody can tell."""
    return [{"by": by, "phase": phase, "name": name, "ns": 1500,
             **({"held_ns": 5} if at < held else {})}
            for at, (by, phase, name) in enumerate(FULL)]


@pytest.fixture
def stopped(course_copy):
    """Change the course's own watch step; returns a way to load it."""
    (path,) = course_copy.glob("*/just-a-process/lesson.toml")

    def change(old: str, new: str):
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        return course_copy

    change('container = "$name"', 'container = "$name"\nstops = ["isolate", "pivot_root"]')
    return change


def without_question(stopped):
    stopped('options = [\n  "limit-isolate-root-drop-exec",\n  "isolate-root-limit-drop-exec",\n'
            '  "isolate-drop-root-limit-exec",\n]\n', "")
    folder = stopped('equals = { operations = "$name", phases = true }\n', "")
    (text,) = folder.glob("*/just-a-process/text.en.md")
    words = text.read_text().splitlines()
    text.write_text("\n".join(one for one in words if not one.startswith(
        ("- limit-isolate", "- isolate-root", "- isolate-drop"))) + "\n")
    return folder


def at_the_start(folder, world, engine, tmp_path) -> Stepper:
    lesson = Course.load(folder=str(folder)).lesson("just-a-process")
    stepper = Stepper(lesson, engine, world.source, Progress.load(str(tmp_path)), world)
    while stepper.step.id != "guess":
        stepper.skip()
    stepper.predict("ordinary", "sure")
    stepper.next()
    world.put(stepper.vars["name"])
    return stepper


def test_only_a_start_that_was_held_to_its_end_passes(stopped, world, engine, tmp_path):
    stepper = at_the_start(without_question(stopped), world, engine, tmp_path)
    name = stepper.vars["name"]
    assert stepper.step.stops == ("isolate", "pivot_root")
    for held, observed in ((0, "0 of 3"), (2, "2 of 3")):
        world.certificate[name] = rows(held)
        (result,) = (one for one in stepper.check() if not one.passed)
        assert result.observed.startswith(observed), result
        assert not stepper.passed
    world.certificate[name] = rows(3)[:3]  # given up before execve
    assert not all(result.passed for result in stepper.check())
    world.certificate[name] = rows(3)
    assert all(result.passed for result in stepper.check())
    assert stepper.passed
    assert [phase.name for phase in stepper.phases()] == ["prepare", "isolate", "root", "exec"]
    with pytest.raises(Conflict, match="asks no question"):
        stepper.answer("1")


def test_with_a_question_it_is_answered_as_well(stopped, world, engine, tmp_path):
    stepper = at_the_start(stopped("[[step]]", "[[step]]"), world, engine, tmp_path)
    world.certificate[stepper.vars["name"]] = rows(3)
    assert all(result.passed for result in stepper.check())
    assert not stepper.passed
    assert stepper.phases()[1].name == "?"


@pytest.mark.parametrize(("old", "new", "words"), [
    ('stops = ["isolate", "pivot_root"]', 'stop = ["isolate"]', 'unknown key "stop"'),
    ('stops = ["isolate", "pivot_root"]', 'stops = "isolate"', "should be a list of texts"),
    ('equals = { operations = "$name", phases = true }\n', "", "options and equals go together"),
    ('solve     = ["docker run', 'solve     = ["true", "docker run', "one line that starts it"),
])
def test_a_wrong_watch_step_is_one_clear_line(stopped, old, new, words):
    with pytest.raises(Invalid, match=words):
        Course.load(folder=str(stopped(old, new)))


def test_a_stop_that_is_no_call_of_a_start_is_found_by_the_linter(stopped):
    folder = stopped('"pivot_root"]', '"pivotroot"]')
    (found,) = (line for line in lint(str(folder)) if "pivotroot" in line)
    assert found.endswith('stop "pivotroot" (did you mean "pivot_root"?)')
