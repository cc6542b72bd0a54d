"""container-lab lesson run, check, hint, reset: what plays a lesson, or takes it back.

    run copy-up            read, predict, do: line by line
    run copy-up --solve    the author's solutions typed into a shell, every step checked
    check copy-up          exit code 0: met, 1: not yet

Each takes the session and the parsed arguments, and returns the exit code.
"""

from __future__ import annotations

import argparse
import json
import sys

from lab.course.arguments import PROGRAM
from lab.course.session import Session, agreed, state
from lab.course.stepper import Stepper
from runtime.errors import Invalid


def run(session: Session, arguments: argparse.Namespace) -> int:
    """Play the lesson line by line, or type its solutions (--solve)."""
    lesson = session.lesson(arguments.lesson)
    if sys.stdin is None and not arguments.solve:
        raise Invalid(f"play {lesson.id}: standard input is closed, and the lesson reads it",
                      f"{PROGRAM} check goes on without")
    session.need(lesson)
    stepper = session.stepper(lesson)
    if stepper.finished:
        _begin_again(stepper, ask=not arguments.solve)
    if arguments.solve:
        return _solve(session, stepper)
    from lab.course.line import Line

    finished = Line(stepper, session.root, input, lambda text: print(text, flush=True)).run()
    return 0 if finished else 1


def _begin_again(stepper: Stepper, ask: bool) -> None:
    """A lesson that was finished starts anew, and what it left behind goes first."""
    doomed = stepper.preview_reset()
    if doomed and ask and not agreed(doomed):
        raise Invalid("nothing was removed", f"{PROGRAM} reset {stepper.lesson.id} first")
    for line in stepper.reset():
        print(line, file=sys.stderr)


def _solve(session: Session, stepper: Stepper) -> int:
    from lab.course.shell import Terminal
    from lab.course.solve import solve

    told: list[str] = []

    def say(text: str) -> None:
        told.append(text)
        if not session.as_json:
            print(text, flush=True)

    with Terminal(session.root) as terminal:
        solve(stepper, terminal, say)
    if session.as_json:
        print(json.dumps({"id": stepper.lesson.id, "passed": True, "told": told},
                         ensure_ascii=False, indent=1))
    else:
        print(f"{stepper.lesson.id}: every step passed")
    return 0


def check(session: Session, arguments: argparse.Namespace) -> int:
    """Look once, take an answer, and go on when the step is passed."""
    from lab.course.checks import as_json
    from lab.course.line import sentence, speak, spoken_card, the_end, verdict
    from lab.course.solve import wait

    stepper = session.stepper(session.lesson(arguments.lesson))
    results = wait(stepper, 0.0)
    # What may not be read is the same for every check, and is said once.
    lines = list(dict.fromkeys(sentence(result) for result in results))
    if arguments.answer is not None:
        if stepper.step.kind == "predict":
            stepper.predict(arguments.answer, arguments.sure)
            lines.append("Locked. The kernel answers in the step that finds out.")
        else:
            given = stepper.answer(arguments.answer)
            results, card = [*results, given], stepper.card()
            lines.append(spoken_card(card) if card else verdict(given))
    if not stepper.passed:
        lines += [speak(stepper.say)] if stepper.say else []
        if not results or all(result.passed for result in results):
            lines.append("not yet: this step waits for your answer: "
                         f"{PROGRAM} check {stepper.lesson.id} ANSWER")
    data = state(stepper) | {"results": as_json(results), "say": stepper.say}
    passed, reveal = stepper.passed, stepper.reveal_text()
    if passed:
        stepper.next()
        lines += ["", speak(reveal)] if reveal else []
        lines += ["", the_end(stepper) if stepper.finished else
                  f"Next: step {stepper.index + 1} of {len(stepper.lesson.steps)}, "
                  f"{PROGRAM} show {stepper.lesson.id}"]
    session.out(data | {"reveal": reveal if passed else "", "next": stepper.step.id,
                        "finished": stepper.finished}, *lines)
    return 0 if passed else 1


def hint(session: Session, arguments: argparse.Namespace) -> int:
    """The next hint."""
    from lab.course.line import no_hint, speak

    stepper = session.stepper(session.lesson(arguments.lesson))
    hint = stepper.hint()
    count = len(stepper.step.hints)
    shown = len(stepper.hints_shown())
    session.out({"id": stepper.lesson.id, "step": stepper.step.id, "hint": hint,
                 "number": shown, "of": count},
                f"hint {shown} of {count}: {speak(hint)}" if hint else
                no_hint(stepper.step))
    return 0 if hint else 1


def reset(session: Session, arguments: argparse.Namespace) -> int:
    """Take back what a lesson, a step or all of them made."""
    if arguments.all:
        begun = [lesson for lesson in session.course.lessons()
                 if session.progress.attempt(lesson.id)]
    else:
        begun = [session.lesson(arguments.lesson)]
    steppers = [session.stepper(lesson) for lesson in begun]
    scope = "step" if arguments.step else "lesson"
    doomed = [line for stepper in steppers for line in stepper.preview_reset(scope)]
    if doomed and session.as_json and not arguments.yes:
        # A program is not asked: it reads what would go, and says --yes.
        session.out({"reset": [], "scope": scope, "removed": [], "would_remove": doomed})
        return 1
    if doomed and not arguments.yes and not agreed(doomed):
        raise Invalid("nothing was removed", "say yes, or give --yes")
    done = [line for stepper in steppers for line in stepper.reset(scope)]
    names = ", ".join(lesson.id for lesson in begun)
    session.out({"reset": [lesson.id for lesson in begun], "scope": scope, "removed": done},
                *done, f"{names or 'nothing'}: the {scope} begins again")
    return 0
