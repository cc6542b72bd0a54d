"""What a lesson's attempt made, and taking exactly that away again.

A container belongs to the attempt when the lesson gave it its name and it was made after the
attempt began; a process made by hand, when it has the command line that the lesson gave it and
began after the attempt. Everything else on the host is left alone, also other containers of ours:
a student who tries something beside the lesson keeps it.
"""

from __future__ import annotations

from typing import Any

from lab.course import by_hand
from lab.course.attempt import Attempt
from lab.course.by_hand import Made
from lab.course.evidence import Facts, World
from lab.course.lesson import Check, Lesson, Step, fill
from lab.course.prose import variables_in

# The word of each predicate that holds a container's name.
NAMED = ("container", "ns", "proc", "cgroup", "mount", "overlay", "net", "operations", "gone", "in")


def names(lesson: Lesson, attempt: Attempt) -> set[str]:
    """Every container name that the lesson fixes: in its checks and in its solutions."""
    found = {fill(name, attempt.vars) for name in _templates(lesson)}
    return {name for name in found if not by_hand.is_command(name)} - {"host", "self", ""}


def command_lines(lesson: Lesson, attempt: Attempt) -> set[str]:
    """Every command line by which the lesson finds a process: {"sleep 3607"}."""
    found = {fill(name, attempt.vars) for name in _templates(lesson)}
    return {name for name in found if by_hand.is_command(name)}


def naming_variables(lesson: Lesson) -> set[str]:
    """The variables whose values are containers' names: {"name", "twin"}."""
    return {variable for template in _templates(lesson) if not by_hand.is_command(template)
            for variable in variables_in(template)}


def _templates(lesson: Lesson) -> set[str]:
    found: set[str] = set()
    for step in lesson.steps:
        found |= _in_step(step)
    return found


def names_made(step: Step) -> set[str]:
    """The names that a step's solution gives to containers, with their variables."""
    found = set()
    for line in step.solve:
        words = line.split()
        found |= {after for word, after in zip(words, words[1:], strict=False) if word == "--name"}
        found |= {word.partition("=")[2] for word in words if word.startswith("--name=")}
    return found


def subjects(step: Step) -> list[str]:
    """What the checks and the question of a step are about, in the author's order."""
    questions = [step.equals] if step.equals else []
    return [str(part.words[word]) for check in (*step.checks, *questions)
            for part in check.walk() for word in NAMED if word in part.words]


def _in_step(step: Step) -> set[str]:
    found = {step.container} | names_made(step)
    for check in (*step.checks, *(fail.when for fail in step.fails)):
        for part in check.walk():
            found |= _in_check(part)
    return found


def _in_check(check: Check) -> set[str]:
    found = {str(check.words[word]) for word in NAMED if word in check.words}
    if check.subject == "event":
        found |= {item.split()[1] for item in check.words["event"]["sequence"]}
    return found


def made(lesson: Lesson, attempt: Attempt, world: World, since_ns: int = 0) -> list[Facts]:
    """The containers of this attempt that are there now, made after `since_ns`, newest first."""
    mine = names(lesson, attempt)
    begun = max(attempt.started_ns, since_ns)
    return [one for one in world.containers() if one.name in mine and one.created_ns >= begun]


def made_by_hand(lesson: Lesson, attempt: Attempt, world: World, since_ns: int = 0) -> list[Made]:
    """The processes with a command line of this attempt that began after `since_ns`."""
    begun = max(attempt.started_ns, since_ns)
    return [one for command in sorted(command_lines(lesson, attempt))
            for one in by_hand.find(world.source, command, begun)]


def describe_by_hand(made: Made) -> str:
    """What ending a process by hand means, in one line."""
    return f"process {made.pid} (`{made.command}`): it is killed"


def end(world: World, processes: list[Made]) -> list[str]:
    """Kill what is left of them, once the containers are gone; returns what was done."""
    return [f"killed process {one.pid} (`{one.command}`)" for one in processes
            if by_hand.end(world.source, one)]


def describe(facts: Facts) -> str:
    """What removing a container destroys, in one line."""
    if facts.pid:
        return (f"container {facts.name} ({facts.status}): its process {facts.pid} is killed, "
                "its own files are lost")
    return f"container {facts.name} ({facts.status}): its own files are lost"


def remove(engine: Any, containers: list[Facts]) -> list[str]:
    """Remove them by id, as `docker rm -f` would; returns what was done."""
    done = []
    for facts in containers:
        engine.remove(facts.id, force=True)
        done.append(f"removed container {facts.name}")
    return done
