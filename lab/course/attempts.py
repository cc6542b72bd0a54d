"""Begins an attempt at a lesson, goes on with one, and clears one step of it.

    resume(lesson, progress)            where the student stopped, or None
    begin(lesson, progress, world, 2)   the second attempt, with values of its own

The values are chosen so that no container's name and no other lesson's value is used again: what a
lesson gives a name to, its reset may remove. Written to progress at once.
"""

from __future__ import annotations

import time

from lab.course import leaves, undo, variables
from lab.course.attempt import Attempt, Record
from lab.course.evidence import World
from lab.course.lesson import Lesson
from lab.course.progress import Progress


def resume(lesson: Lesson, progress: Progress) -> Attempt | None:
    """The attempt as it was left; None when there is none, or when the lesson has changed."""
    attempt = progress.attempt(lesson.id)
    if attempt is None:
        return None
    # A lesson that was edited since may have fewer steps, or more variables.
    attempt.index = min(max(attempt.index, 0), len(lesson.steps) - 1)
    if set(attempt.vars) != set(lesson.variables):
        return None
    return attempt


def begin(lesson: Lesson, progress: Progress, world: World, number: int) -> Attempt:
    """A new attempt, the `number`-th."""
    seed = f"{progress.student}/{lesson.id}/{number}"
    taken = {one.name for one in world.containers()} | progress.values_elsewhere(lesson.id)
    chosen = variables.choose(lesson.variables, seed, undo.naming_variables(lesson), taken)
    for more in range(1, 20):
        # A file of that name that is there already would pass the check, or be in the way.
        if not leaves.found_before(lesson, chosen):
            break
        chosen = variables.choose(lesson.variables, f"{seed}/{more}",
                                  undo.naming_variables(lesson), taken)
    attempt = Attempt(lesson.id, number, time.time_ns(), chosen,
                      found=leaves.found_before(lesson, chosen))
    progress.tell(attempt, "", "began", vars=attempt.vars)
    return attempt


def again(record: Record) -> Record:
    """The record of a step that is reset: a locked prediction and the hints stay."""
    return Record(prediction=record.prediction, sure=record.sure, right=record.right,
                  passed=bool(record.prediction), hints=record.hints)
