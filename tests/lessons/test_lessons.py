"""Every lesson on the live kernel: fails before, solved passes, mistakes are named, reset leaves
nothing. The program is started as a student starts it, and typed into through a pty."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time

import pytest

from lab.course import undo
from lab.course.loader import Course
from lab.course.solve import wait

pytestmark = [pytest.mark.kernel, pytest.mark.lesson,
              pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

LESSONS = [lesson.id for lesson in Course.load().lessons()]


@pytest.mark.parametrize("lesson", LESSONS)
def test_checks_fail_before_the_solution_passes_and_reset_leaves_the_host_as_it_was(lab, lesson):
    before = lab.left()
    assert_nothing_passes_by_itself(lab, lesson)
    lab.stepper(lesson).reset()

    solved = lab.run("lesson", "run", lesson, "--solve")
    assert solved.returncode == 0, solved.stdout + solved.stderr
    assert f"{lesson}: every step passed" in solved.stdout
    assert "FAIL" not in solved.stdout
    rows = json.loads(lab.run("lesson", "list", "--json").stdout)
    assert {row["id"]: row["state"] for row in rows}[lesson] == "done"
    # Of what is made by hand nothing is left: it goes with the terminal that has typed it.
    if undo.naming_variables(Course.load().lesson(lesson)):
        assert lab.left()["files"] != before["files"]

    reset = lab.run("lesson", "reset", lesson, "--yes")
    assert reset.returncode == 0, reset.stderr
    settled(lab, before)
    assert_nothing_passes_by_itself(lab, lesson)


def assert_nothing_passes_by_itself(lab, lesson):
    stepper = lab.stepper(lesson)
    while not stepper.finished:
        if stepper.step.kind == "predict":
            stepper.predict(stepper.step.correct, "guess")
        if stepper.step.checks:
            assert not all(result.passed for result in stepper.check()), stepper.step.id
        stepper.skip()
    stepper.reset()


def settled(lab, before):
    """The last process of a container may need a moment to leave its group."""
    deadline = time.monotonic() + 10
    while lab.left() != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert lab.left() == before


def test_solved_twice_in_a_row(lab):
    for _ in range(2):
        solved = lab.run("lesson", "run", "copy-up", "--solve")
        assert solved.returncode == 0, solved.stdout + solved.stderr
        assert lab.run("lesson", "reset", "copy-up", "--yes").returncode == 0


def test_an_unrelated_container_is_in_nobodys_way_and_survives_the_reset(lab):
    made = lab.run("run", "-d", "--name", "bystander", "--memory", "32m", "lab/base", "sleep",
                   "600")
    assert made.returncode == 0, made.stderr
    for lesson in ("just-a-process", "states-and-signals"):
        solved = lab.run("lesson", "run", lesson, "--solve")
        assert solved.returncode == 0, solved.stdout + solved.stderr
    lab.run("lesson", "reset", "--all", "--yes")
    assert [one.name for one in lab.engine.containers()] == ["bystander"]
    assert lab.engine.find("bystander").status == "running"


# What a student gets wrong, and the sentence that the lesson has for it.
MISTAKES = [
    ("just-a-process", "start", ["docker run -d --name $name lab/base slep 3600"],
     "nothing of that name was found"),
    ("just-a-process", "start", ["docker create --name $name lab/base sleep 600"],
     "not started"),
    ("throttled-and-killed", "throttle", ["docker run -d --name $name lab/base burn"],
     "no limit"),
    ("throttled-and-killed", "throttle", ["docker run -d --name $name --cpus 0.2 lab/base burn"],
     "another share"),
    ("throttled-and-killed", "throttle", ["docker run -d --name $name --cpus 0.5 lab/base brn"],
     "nothing called that"),
    ("throttled-and-killed", "run", ["docker run --name $eater lab/base hog 20M"],
     "no limit stood in its way"),
    ("throttled-and-killed", "run", ["docker run --name $eater --memory 16m lab/base hog 200M"],
     "and it is not"),
    ("throttled-and-killed", "run", ["docker run --rm --name $eater --memory $limit lab/base "
                                     "hog 200M"], "--rm"),
    ("states-and-signals", "create", ["docker run -d --name $name lab/base sleep 600"],
     "creates *and* starts"),
    ("states-and-signals", "stop", ["docker run -d --name $name lab/base sleep 600",
                                    "docker kill $name"], "signal 9 straight away"),
    ("states-and-signals", "trap", ["docker run -d --name $polite lab/base sleep 600"],
     "is `sleep` itself"),
    ("states-and-signals", "trap", ["docker run -d --name $polite lab/base "
                                    "sh -c 'sleep 600 & wait'"], "does not catch TERM"),
    ("states-and-signals", "trap", ["docker run -d --name $polite lab/base sh -c 'sleep 0'"],
     "ended already"),
    ("copy-up", "open", ["docker run -d --name $name lab/base sleep 600",
                         "docker exec $name rm /etc/passwd"], "two steps ahead"),
    ("copy-up", "delete", ["docker run -d --name $name lab/base sleep 600",
                           "docker exec $name chmod 700 /bin/chatter"], "it is still there"),
    ("copy-up", "twin", ["docker run --name $twin lab/base chater 3"], "Nothing by that name"),
]


@pytest.mark.parametrize(("lesson", "step", "lines", "words"), MISTAKES)
def test_a_mistake_does_not_pass_and_is_named(lab, lesson, step, lines, words):
    stepper = lab.at(lesson, step)
    lab.type(stepper, *lines)
    deadline = time.monotonic() + 10
    while not stepper.say and time.monotonic() < deadline:
        results = stepper.check()
        assert not all(result.passed for result in results)
        time.sleep(0.1)
    assert words in " ".join((stepper.say or "nothing").split()), [one.why for one in results]


def test_who_used_docker_kill_starts_it_again_and_uses_the_right_one(lab):
    stepper = lab.at("just-a-process", "start")
    lab.type(stepper, "docker run -d --name $name lab/base sleep 600")
    while stepper.step.id != "guess-again":
        stepper.skip()
    stepper.predict("dies", "sure")
    stepper.next()
    lab.type(stepper, "docker kill $name")
    assert not all(result.passed for result in wait(stepper, 0.5))
    assert stepper.say.startswith("It is dead, but Docker sent the signal for you.")
    lab.type(stepper, "docker start $name", *stepper.commands())
    results = wait(stepper)
    assert all(result.passed for result in results), [result.why for result in results]


# The same effect by other words passes: checks look at the kernel.
SPELLINGS = [
    ("throttled-and-killed", "throttle",
     ["docker create --name=$name --cpus=.5 lab/base burn", "docker start $name"]),
    ("throttled-and-killed", "throttle",
     ["docker run --cpus 0.50 -d --name $name --memory 64m lab/base sh -c 'while :; do :; done'"]),
    ("states-and-signals", "trap",
     ["docker run -d --name $polite lab/base sh -c "
      "'quit() { exit $code; }; trap quit TERM INT; while :; do sleep 1; done'"]),
    ("copy-up", "open",
     ["docker run -d --name $name lab/base sleep 600",
      "docker exec $name chmod 640 /etc/passwd"]),
    ("copy-up", "delete",
     ["docker run -d --name $name lab/base sleep 600",
      "docker exec $name mv /bin/chatter /bin/talker"]),
]


@pytest.mark.parametrize(("lesson", "step", "lines"), SPELLINGS)
def test_any_spelling_with_the_same_effect_passes(lab, lesson, step, lines):
    stepper = lab.at(lesson, step)
    lab.type(stepper, *lines)
    results = wait(stepper)
    assert all(result.passed for result in results), [result.why for result in results]


def test_answers_are_what_other_tools_say(lab):
    """The live value of a question, read here by readlink, grep and stat instead."""
    stepper = lab.at("just-a-process", "start")
    lab.type(stepper, "docker run -d --name $name lab/base sleep 600")
    wait(stepper)
    (pid,) = (one for one in lab.processes()
              if open(f"/proc/{one}/comm").read() == "sleep\n")
    status = subprocess.run(["grep", "NSpid", f"/proc/{pid}/status"], capture_output=True,
                            text=True).stdout
    link = subprocess.run(["readlink", "/proc/self/ns/pid"], capture_output=True,
                          text=True).stdout
    listed = subprocess.run(["lsns", "-rno", "TYPE,NS", "-p", pid], capture_output=True,
                            text=True).stdout.splitlines()
    mine = subprocess.run(["lsns", "-rno", "TYPE,NS", "-p", str(os.getpid())],
                          capture_output=True, text=True).stdout.splitlines()
    answers = {"yours": re.findall(r"\d+", link)[0], "host-pid": pid,
               "both": status.split(":")[1], "own": str(len(set(listed) - set(mine)))}
    for step_id, answer in answers.items():
        asked = lab.stepper("just-a-process")
        while asked.step.id != step_id:
            asked.back() if asked.index > index_of(asked, step_id) else asked.skip()
        assert asked.answer(answer).passed, (step_id, answer)


def index_of(stepper, step_id):
    return [step.id for step in stepper.lesson.steps].index(step_id)
