"""A student's way through a real lesson on a made-up world, without root."""

from __future__ import annotations

import threading

import pytest

from lab.course.loader import Course
from lab.course.progress import Progress, folder, verify
from lab.course.stepper import Stepper
from runtime.errors import Conflict, Invalid


@pytest.fixture
def begin(world, engine, tmp_path):
    """A stepper on a lesson, with progress in the test's own folder; again: the next program."""
    def make(lesson_id="throttled-and-killed") -> Stepper:
        return Stepper(Course.load().lesson(lesson_id), engine, world.source,
                       Progress.load(str(tmp_path)), world)
    return make


def at(stepper, step_id) -> Stepper:
    """Skip ahead to a step."""
    while stepper.step.id != step_id:
        stepper.skip()
    return stepper


def throttle(world, name, count=0):
    world.put(name)
    world.write(name, "cpu.max", "50000 100000")
    world.write(name, "cpu.stat", f"nr_throttled {count}\n")


def oom(world, stepper):
    world.die(stepper.vars["eater"], 137, oom=True)
    world.write(stepper.vars["eater"], "memory.max", stepper.vars["limit"], alive=False)
    world.write(stepper.vars["eater"], "memory.events", "max 231\noom_kill 1\n", alive=False)


def test_reading_passes_and_the_next_step_waits_for_a_prediction(begin):
    stepper = begin()
    assert (stepper.index, stepper.step.kind, stepper.passed) == (0, "read", True)
    assert stepper.next()
    assert not stepper.next()
    assert stepper.step.id == "guess-cpu"
    assert [key for key, _ in stepper.options()] == ["killed", "slow", "stopgo", "whole"]


def test_a_prediction_is_locked_and_the_kernel_answers_after_the_run(begin, world):
    stepper = at(begin(), "guess-cpu")
    with pytest.raises(Invalid, match="no such option: fast"):
        stepper.predict("fast")
    with pytest.raises(Invalid, match="how sure"):
        stepper.predict("slow", "very")
    stepper.predict("2", "sure")
    assert stepper.predicted() == "slow"
    with pytest.raises(Conflict, match="locked"):
        stepper.predict("stopgo")
    assert stepper.card() is None
    assert stepper.reveal_text() == ""
    stepper.next()
    name = stepper.vars["name"]
    throttle(world, name)
    assert [result.passed for result in stepper.check()] == [True, True, False]
    throttle(world, name, 12)
    assert all(result.passed for result in stepper.check())
    card = stepper.card()
    assert (card.said[:10], card.sure, card.right) == ("it runs al", "sure", False)
    assert card.kernel.startswith("it runs at full speed")
    assert "nr_throttled 0 → 12" in card.evidence
    assert "50000 100000" in stepper.reveal_text()


def test_a_step_that_needs_a_prediction_waits_for_it(begin, world):
    stepper = begin()
    stepper.next()
    stepper.skip()
    throttle(world, stepper.vars["name"], 12)
    (result,) = stepper.check()
    assert not result.passed
    assert result.sentence == "first comes the step guess-cpu"


def test_the_first_foreseen_mistake_is_said_with_the_values_filled_in(begin, world):
    stepper = at(begin(), "guess-memory")
    stepper.predict("killed", "guess")
    stepper.next()
    stepper.check()
    assert stepper.say is None
    eater = stepper.vars["eater"]
    world.die(eater, 0)
    stepper.check()
    assert stepper.say.startswith("It got all its 200 MB")
    assert f"docker rm {eater}" in stepper.say
    world.die(eater, 137)
    world.write(eater, "memory.max", "max")
    stepper.check()
    assert "says `max`" in stepper.say
    world.write(eater, "memory.max", "16m")
    stepper.check()
    assert f"it is not {stepper.vars['limit']}" in stepper.say


def killed_by_docker(begin, world):
    """At the step where the shell's own kill is asked for, and docker kill was used."""
    stepper = at(begin("just-a-process"), "guess-again")
    stepper.predict("dies", "sure")
    stepper.next()
    name = stepper.vars["name"]
    world.die(name, 137)
    world.tell("kill", name, signal="9")
    world.tell("die", name, exitCode="137")
    assert not all(result.passed for result in stepper.check())
    assert stepper.say.startswith("It is dead, but Docker sent the signal")
    return stepper, name


def test_docker_kill_instead_of_kill_is_no_dead_end(begin, world):
    stepper, name = killed_by_docker(begin, world)
    world.tell("start", name)
    world.put(name)
    assert not all(result.passed for result in stepper.check())
    assert stepper.say is None
    world.die(name, 137)
    world.tell("die", name, exitCode="137")
    assert all(result.passed for result in stepper.check())
    assert stepper.check()[2].sentence == "it was not Docker that sent the signal"


def test_a_step_that_was_reset_forgets_what_happened(begin, world):
    stepper, name = killed_by_docker(begin, world)
    world.put(name, "exited", exit_code=137, created_ns=1)  # made by the step before
    stepper.reset("step")
    assert [result.passed for result in stepper.check()] == [True, False, True]
    assert stepper.say is None
    world.tell("die", name, exitCode="137")
    assert all(result.passed for result in stepper.check())


def test_a_wrong_answer_does_not_give_the_pid_away_by_its_path(begin, world):
    stepper = at(begin("just-a-process"), "host-pid")
    name = stepper.vars["name"]
    result = stepper.answer("5")
    assert result.sentence == f"nothing to compare with: no container is called {name}"
    world.put(name)
    result = stepper.answer("5")
    assert (result.sentence, result.source_path) == ("not that: you said 5; look again", "")
    world.die(name, 0)
    assert stepper.answer("4213").sentence == (
        f"nothing to compare with: {name} is exited (docker start {name} starts it again)")
    world.put(name)
    assert stepper.answer("4213").passed


def test_other_containers_do_not_matter(begin, world):
    stepper = at(begin(), "guess-memory")
    stepper.predict("killed", "guess")
    stepper.next()
    world.put("bold_fox")
    world.die("sad_cow", 1)
    oom(world, stepper)
    assert all(result.passed for result in stepper.check())


def test_a_passed_step_stays_passed_when_its_container_goes(begin, world):
    stepper = at(begin(), "guess-memory")
    stepper.predict("killed", "guess")
    stepper.next()
    oom(world, stepper)
    assert all(result.passed for result in stepper.check())
    world.here.clear()
    assert all(result.passed for result in stepper.check())
    stepper.next()
    assert stepper.step.id == "counter"
    wrong = stepper.answer("230")
    assert not wrong.passed
    assert "231" not in wrong.why
    assert not stepper.passed
    assert stepper.answer("231").passed
    assert stepper.passed
    assert "went looking for pages" in stepper.reveal_text()


def test_an_explanation_passes_in_any_case_and_shows_the_model(begin):
    stepper = at(begin(), "explain")
    result = stepper.answer("number")
    assert not result.passed
    assert result.expected.startswith("the group's `oom_kill` counter")
    assert result.sentence.startswith("you said 1; it is 2: the group's")
    assert stepper.passed
    card = stepper.card()
    assert (card.said, card.label) == ("1: 137 means out of memory", "it is")
    assert card.kernel.startswith("2: the group's")
    assert stepper.explained() == "number"
    with pytest.raises(Conflict, match="locked"):
        stepper.answer("counter")


def test_the_wrong_question_is_refused(begin):
    stepper = begin()
    with pytest.raises(Conflict, match="asks no question"):
        stepper.answer("9")
    with pytest.raises(Conflict, match="asks for no prediction"):
        stepper.predict("killed")


def test_hints_come_one_at_a_time_and_end(begin):
    stepper = at(begin(), "run")
    hints = [stepper.hint() for _ in range(4)]
    assert [bool(hint) for hint in hints] == [True, True, True, False]
    assert stepper.vars["limit"] in hints[2]
    assert stepper.hints_shown() == hints[:3]


def test_the_next_program_goes_on_where_this_one_was(begin, world):
    stepper = at(begin(), "guess-memory")
    stepper.predict("slow", "fairly")
    stepper.next()
    stepper.hint()
    oom(world, stepper)
    stepper.check()
    again = begin()
    assert (again.step.id, again.vars, again.passed) == ("run", stepper.vars, True)
    assert again.hints_shown() == stepper.hints_shown()
    assert again.card().said == "it is held back, like `burn`"
    assert [result.observed for result in again.check()] == [
        result.observed for result in stepper.check()]


def test_back_and_on_again(begin):
    stepper = begin()
    assert not stepper.back()
    stepper.next()
    stepper.predict("killed", "")
    assert stepper.back()
    assert stepper.next()
    assert stepper.predicted() == "killed"


def test_the_end_of_the_lesson_is_done_in_progress(begin, tmp_path):
    stepper = at(begin(), "debrief")
    assert not stepper.finished
    assert not stepper.next()
    assert stepper.finished
    # Every step that asks for something was skipped.
    assert Progress.load(str(tmp_path)).state("throttled-and-killed") == "seen"
    assert (stepper.skipped, len(stepper.lesson.steps)) == (10, 12)
    assert verify(folder(str(tmp_path))) == []


def test_reset_removes_what_this_attempt_made_and_nothing_else(begin, world):
    world.put("old", created_ns=1)
    stepper = begin()
    name, eater = stepper.vars["name"], stepper.vars["eater"]
    throttle(world, name)
    world.put("bold_fox")
    oom(world, stepper)
    preview = stepper.preview_reset()
    assert sorted(line.split()[1] for line in preview) == sorted([name, eater])
    assert any("its process 4213 is killed" in line for line in preview)
    assert sorted(stepper.reset()) == sorted(f"removed container {one}" for one in (name, eater))
    assert sorted(world.here) == ["bold_fox", "old"]
    assert (stepper.index, stepper.predicted()) == (0, None)


def test_a_container_older_than_the_attempt_is_never_removed(begin, world):
    stepper = begin()
    world.put(stepper.vars["name"], created_ns=5)
    assert stepper.preview_reset() == []
    assert stepper.reset() == []
    assert world.removed == []


def test_names_that_are_taken_are_not_used(begin, world):
    for name in ("tea", "ink", "elm"):
        world.put(name)
    assert begin().vars["name"] == "oak"


def test_two_lessons_use_different_names(begin):
    lessons = ("throttled-and-killed", "copy-up", "states-and-signals", "just-a-process")
    used = [begin(lesson).vars["name"] for lesson in lessons]
    assert len(set(used)) == 4


def test_reset_of_a_step_keeps_the_prediction_and_the_rest(begin, world):
    stepper = at(begin(), "guess-cpu")
    stepper.predict("slow", "sure")
    stepper.next()
    throttle(world, stepper.vars["name"], 12)
    stepper.check()
    assert stepper.passed
    assert stepper.reset("step") == [f"removed container {stepper.vars['name']}"]
    assert not stepper.passed
    assert stepper.step.id == "throttle"
    assert not any(result.passed for result in stepper.check())
    assert stepper.back()
    assert stepper.predicted() == "slow"
    with pytest.raises(Invalid, match="reset everything"):
        stepper.reset("everything")


def test_watching_hides_the_names_until_they_are_given(begin, world):
    stepper = at(begin("just-a-process"), "guess")
    stepper.predict("ordinary", "sure")
    stepper.next()
    assert stepper.phases() == []
    with pytest.raises(Conflict, match="start the container first"):
        stepper.answer("1")
    name = stepper.vars["name"]
    world.put(name)
    rows = [("shim", "prepare", "mkdir"), ("shim", "isolate", "clone3"),
            ("shim", "prepare", "eventfd"), ("init", "isolate", "setsid"),
            ("init", "root", "mount"), ("init", "limit", "write_control"),
            ("init", "drop", "capset"), ("init", "exec", "execve")]
    world.certificate[name] = [{"by": by, "phase": phase, "name": operation, "ns": 1500}
                               for by, phase, operation in rows]
    assert all(result.passed for result in stepper.check())
    assert not stepper.passed
    assert [(phase.name, phase.operations) for phase in stepper.phases()] == [
        ("prepare", ("mkdir",)), ("?", ("clone3",)), ("prepare", ("eventfd",)),
        ("?", ("setsid",)), ("?", ("mount",)),
        ("?", ("write_control",)), ("?", ("capset",)), ("?", ("execve",))]
    assert not stepper.answer("1").passed
    assert stepper.answer("isolate-root-limit-drop-exec").passed
    assert [phase.name for phase in stepper.phases()] == [
        "prepare", "isolate", "prepare", "isolate", "root", "limit", "drop", "exec"]


def test_a_lesson_that_was_edited_since_begins_anew(begin, tmp_path):
    stepper = at(begin(), "debrief")
    progress = Progress.load(str(tmp_path))
    attempt = progress.attempt(stepper.lesson.id)
    attempt.index = 99
    progress.keep(attempt)
    assert begin().step.id == "debrief"
    attempt.vars = {"other": "x"}
    progress.keep(attempt)
    assert begin().index == 0


def test_checking_from_a_thread_while_keys_are_pressed(begin, world):
    stepper = at(begin(), "guess-cpu")
    stop, failures = threading.Event(), []

    def look():
        while not stop.is_set():
            try:
                stepper.check()
            except Exception as error:  # noqa: BLE001 - whatever it is fails the test
                failures.append(error)
                return

    watcher = threading.Thread(target=look)
    watcher.start()
    for _ in range(30):
        stepper.hint()
        stepper.skip()
        stepper.back()
    stop.set()
    watcher.join()
    assert failures == []


def test_a_machine_too_busy_to_throttle_on_is_said(begin, world):
    stepper = at(begin(), "guess-cpu")
    stepper.predict("stopgo", "")
    stepper.next()
    name = stepper.vars["name"]
    throttle(world, name)
    world.write(name, "cpu.stat", "nr_periods 60\nnr_throttled 0\n")
    assert not all(result.passed for result in stepper.check())
    assert stepper.say.startswith("Forty periods")
