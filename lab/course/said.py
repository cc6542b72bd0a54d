"""Keeps what a student says in the step's record: a prediction once, an answer until it is right.

    lock(step, record, options, "2", "sure")     record.prediction "killed", and it stays
    give(step, options, "9", context)            record.answer "9", record.right True

What an answer is worth is judged in `answers.py`. Called by the stepper alone, which writes the
record down.
"""

from __future__ import annotations

from lab.course import answers
from lab.course.answers import Options
from lab.course.attempt import Record
from lab.course.lesson import Step
from lab.course.result import Context, Result
from runtime.errors import Conflict, Invalid

SURE = ("", "guess", "fairly", "sure")


def lock(step: Step, record: Record, options: Options, option: str, sure: str) -> None:
    """Lock in a prediction. Raises Conflict when there is one, Invalid for no such option."""
    if step.kind != "predict":
        raise Conflict(f"step {step.id} asks for no prediction")
    if record.prediction:
        raise Conflict("your prediction is locked")
    key = answers.option(options, option)
    if sure not in SURE:
        raise Invalid(f"how sure: {sure} (guess, fairly or sure)")
    record.prediction, record.sure = key, sure
    record.right, record.passed = key == step.correct, True


def give(step: Step, options: Options, text: str, context: Context) -> Result:
    """Answer a question; an explanation passes whatever it is. Raises Conflict, Invalid."""
    record, explains = context.record, step.kind == "explain"
    if step.equals is None and not explains:
        raise Conflict(f"step {step.id} asks no question")
    if explains and record.answer:
        raise Conflict("your answer is locked")
    result = answers.explained(step, options, text) if explains \
        else answers.judged(step, options, text, context)
    record.answer = answers.option(options, text) if explains else text
    record.right = result.passed
    record.passed = record.passed or result.passed or explains
    return result
