"""Plays a lesson through: types the author's solutions into a real shell, and checks every step.

    container-lab lesson run ID --solve

Proves that a lesson can be done on this host: before the solution the checks fail, after it they
pass, and every question has an answer in the kernel. Predictions and explanations are answered
rightly. Twin of `make test` for a book's exercises.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from lab.course.held import halting
from lab.course.result import Result
from lab.course.shell import Terminal
from lab.course.stepper import Stepper
from runtime.errors import LabError

Say = Callable[[str], None]
# What the kernel does after a command's end, such as a state file written, is over by then.
SETTLE_S = 5.0


class Unsolved(LabError):
    """A step that its own solution does not pass, or that passes without one."""


def solve(stepper: Stepper, terminal: Terminal, say: Say) -> None:
    """Go from the current step to the end of the lesson. Raises Unsolved."""
    # Where a student has begun, this step may be done already; a later one may not.
    begun = stepper.index
    while not stepper.finished:
        step = stepper.step
        say(f"step {stepper.index + 1} of {len(stepper.lesson.steps)}: {step.id} ({step.kind})")
        if step.kind in ("do", "watch") and not stepper.passed:
            _act(stepper, terminal, say, may_be_done=begun == stepper.index > 0)
        if step.kind == "predict" and not stepper.passed:
            stepper.predict(step.correct, "sure" if step.sure else "")
        if (step.equals or step.kind == "explain") and not stepper.explained():
            _answer(stepper, say)
        if not stepper.next() and not stepper.finished:
            raise Unsolved(f"step {step.id}: not passed")


def _act(stepper: Stepper, terminal: Terminal, say: Say, may_be_done: bool) -> None:
    step = stepper.step
    if all(result.passed for result in stepper.check()):
        if may_be_done:
            return
        raise Unsolved(f"step {step.id}: its checks pass before anything was done")
    for line in stepper.commands():
        line = halting(line, step.stops) if step.stops else line
        say(f"$ {line}")
        printed, status = terminal.type(line)
        for text in printed.splitlines():
            say(f"  {text}")
        if status:
            say(f"  (exit status {status})")
    results = wait(stepper)
    for result in results:
        say(f"{'pass' if result.passed else 'FAIL'}: {result.sentence} [{result.observed}]")
    if not all(result.passed for result in results):
        first = next(result for result in results if not result.passed)
        raise Unsolved(f"step {step.id}: {first.sentence}: {first.why}", stepper.say or "")


def wait(stepper: Stepper, settle_s: float = SETTLE_S) -> list[Result]:
    """Look until every check is met, at most as long as the step's checks may need."""
    deadline = time.monotonic() + max(settle_s, stepper.patience())
    while True:
        results = stepper.check()
        if all(result.passed for result in results) or time.monotonic() > deadline:
            return results
        time.sleep(0.1)


def _answer(stepper: Stepper, say: Say) -> None:
    step, answer = stepper.step, stepper.solution()
    if not answer:
        raise Unsolved(f"step {step.id}: the kernel has no answer to its question")
    result = stepper.answer(answer)
    say(f"answer: {answer} [{result.source_path}]")
    if not result.passed:
        raise Unsolved(f"step {step.id}: the answer {answer!r} is not accepted", result.why)
