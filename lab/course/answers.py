"""Judges what a student says: a value against the kernel, an explanation against the author's.

    judged(step, options, "5", context)  ->  Result(False, …, "not that: you said 5; read it at …")
    explained(step, options, "3")        ->  Result(False, …, "you said 3; it is 2: the group's …")

Knows no attempt: what was said is kept by `stepper.py`. `options` are (key, wording), values filled
in. The right value of a question stays out of the result: the student is to read it at its source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lab.course import checks
from lab.course.lesson import Step
from lab.course.result import Context, Result
from runtime.errors import Invalid

Options = Sequence[tuple[str, str]]


def option(options: Options, text: str) -> str:
    """The option's key, of its key, its number or its wording. Raises Invalid."""
    for number, (key, words) in enumerate(options, 1):
        if text.strip().lower() in (key.lower(), str(number), words.strip().lower()):
            return key
    known = ", ".join(key for key, _ in options)
    raise Invalid(f"no such option: {text} (known: {known})")


def judged(step: Step, options: Options, text: str, context: Context) -> Result:
    """An answer to an ask or watch step against the kernel. Raises Invalid for no such option."""
    assert step.equals is not None
    given = option(options, text).replace("-", " ") if options else text
    result = checks.judge(step.equals, given, context)
    if result.passed or result.observed.startswith("nothing to compare"):
        return result
    return replace(result, expected="what the kernel says", observed=f"you said {text}")


def explained(step: Step, options: Options, text: str) -> Result:
    """An answer to an explain step against the author's. Raises Invalid for no such option."""
    key, right, wording = option(options, text), step.correct, dict(options)
    numbers = {one: number for number, one in enumerate(wording, 1)}
    sentence = "that is it" if key == right else \
        f"you said {numbers[key]}; it is {numbers[right]}: {wording[right]}"
    return Result(key == right, wording[right], wording[key], "", sentence)


def solution(step: Step, context: Context) -> str:
    """The right answer to the step's question, read off the kernel; "" when it has none."""
    if step.equals is None:
        return step.correct
    value = checks.truth(step.equals, context)
    if value is None or not step.option_keys:
        return value.value if value else ""
    return next((key for key in step.option_keys if key.replace("-", " ") == value.value), "")
