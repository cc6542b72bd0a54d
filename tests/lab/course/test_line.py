"""The course read aloud: what is said, what the keys do, and that nothing has to be drawn."""

from __future__ import annotations

import pytest

from lab.course.line import Line, counted, sentence, speak
from lab.course.loader import Course
from lab.course.progress import Progress
from lab.course.result import Result
from lab.course.stepper import Stepper


@pytest.fixture
def play(world, engine, tmp_path):
    """Play a lesson with these lines; what was said, and the stepper."""
    def make(*lines, lesson="throttled-and-killed", before=lambda stepper: None):
        stepper = Stepper(Course.load().lesson(lesson), engine, world.source,
                          Progress.load(str(tmp_path)), world)
        before(stepper)
        said, waiting = [], list(lines)

        def ask(prompt):
            said.append(prompt)
            if not waiting:
                raise EOFError
            return waiting.pop(0)

        Line(stepper, str(tmp_path), ask, said.append).run()
        return "\n".join(said), stepper
    return make


def ahead(step_id):
    def skip(stepper):
        while stepper.step.id != step_id:
            stepper.skip()
    return skip


def test_the_first_step_is_read_and_enter_goes_on(play):
    said, stepper = play("")
    assert said.startswith("3·1 Throttled, and killed. About 12 minutes.")
    assert "Step 1 of 12." in said
    assert "A cgroup is a directory" in said
    assert stepper.step.id == "guess-cpu"
    assert "Go on with: container-lab lesson run throttled-and-killed" in said


def test_a_prediction_is_asked_until_it_is_one(play):
    said, stepper = play("", "", "fast", "3", "su")
    assert "no such option: fast" in said
    assert "Locked." in said
    assert (stepper._attempt.record("guess-cpu").prediction,
            stepper._attempt.record("guess-cpu").sure) == ("stopgo", "sure")


def test_hint_back_skip_and_quit(play):
    said, stepper = play("h", "", "s", "h", "b", "q")
    assert "This step has no hints." in said
    assert "Docker's flag counts in CPUs" in said
    assert stepper.step.id == "guess-cpu"
    assert "Kept at step 2." in said


def test_enter_looks_and_says_what_is_missing(play, world):
    said, _ = play("", before=ahead("signal"))
    assert "Your answer" in said
    said, _ = play("12", "9", before=ahead("signal"))
    assert "Not that: you said 12; look again." in said
    assert "Yes." in said
    assert "somebody sent signal 9" in said


def test_a_do_step_says_each_check_and_the_foreseen_mistake(play, world):
    def mistaken(stepper):
        ahead("guess-memory")(stepper)
        stepper.predict("killed", "guess")
        stepper.next()
        world.die(stepper.vars["eater"], 0)

    said, _ = play("", before=mistaken)
    assert "not yet: memory.max is" in said
    assert "It got all its 200 MB" in said


def test_other_lines_run_in_the_students_shell(play, capfd):
    said, _ = play("echo I am $((6 * 7)) && command -v docker", "q",
                   before=lambda stepper: (ahead("guess-memory")(stepper),
                                           stepper.predict("fine", ""), stepper.next()))
    printed = capfd.readouterr().out
    assert "I am 42" in printed
    assert "/progress/shell/docker" in printed


def test_a_question_may_be_looked_up_before_it_is_answered(play, capfd):
    said, _ = play("!echo looked", "ls /proc/self/ns", "9", before=ahead("signal"))
    printed = capfd.readouterr().out
    assert "looked" in printed
    assert "pid_for_children" in printed
    assert "Yes." in said


def test_nothing_is_said_with_marks_or_boxes(play):
    said, _ = play(*[""] * 3, "s", "s", before=lambda stepper: None)
    for mark in ("**", "`", "│", "✔", "○", "\x1b"):
        assert mark not in said


@pytest.mark.parametrize(("markdown", "spoken"), [
    ("a `docker run` of **two** *things*", "a docker run of two things"),
    ("    echo `date` *", "    echo `date` *"),
    ("2 * 3 * 4", "2 * 3 * 4"), ("> quoted", "quoted"),
])
def test_speak(markdown, spoken):
    assert speak(markdown) == spoken


def test_where_to_read_the_right_answer_is_said(play):
    said, _ = play("5", before=lambda stepper: ahead("yours")(stepper), lesson="just-a-process")
    assert "Not that: you said 5; read it at /proc/self/ns/pid." in said


def test_an_explanation_is_followed_by_the_right_one_once(play):
    said, stepper = play("1", before=ahead("explain"))
    assert "You said: 1: 137 means out of memory. It is: 2: the group's" in said
    assert "Another" not in said
    said, _ = play("", before=lambda stepper: stepper.back())
    assert "Your answer" not in said


def test_the_end_says_what_was_skipped(play):
    said, _ = play("", before=ahead("debrief"))
    assert "The end of Throttled, and killed. 10 of its 12 steps were skipped." in said


def test_sentences():
    assert sentence(Result(True, "48m", "memory.max 50331648", "", "memory.max is 48m")) == (
        "done: memory.max is 48m (memory.max 50331648)")
    assert counted(("mount", "chdir", "mount")) == "mount 2 times, chdir"
