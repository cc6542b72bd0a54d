"""container-lab lesson list|show|run|check|hint|reset|lint: the course without a screen.

    container-lab lesson list --json      [{"id": "copy-up", "track": "layers", "state": "new", …}]
    container-lab lesson run copy-up      read, predict, do: line by line, for a screen reader
    container-lab lesson run copy-up --solve
    container-lab lesson check copy-up    exit code 0: met, 1: not yet

Runs in the process of the command. Exit codes: 0 good, 1 not met or not possible (one line says
why), 2 a wrong command line, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from lab.course.arguments import PROGRAM, parser
from lab.course.lesson import Lesson
from lab.course.loader import Course
from lab.course.progress import Progress, verify
from lab.course.stepper import Stepper
from runtime.errors import Invalid, LabError, Unsupported


def main(argv: list[str], root: str | None = None) -> int:
    """Do what the arguments say; returns the exit code."""
    try:
        arguments = parser().parse_args(argv)
        session = Session(arguments.root or root, bool(getattr(arguments, "json", False)))
        code: int = COMMANDS[arguments.command](session, arguments)
        session.tell_notice()
        return code
    except LabError as error:
        print(f"container-lab: {error}", file=sys.stderr)
        return error.exit_code
    except SystemExit as leaving:  # argparse's --help
        return int(leaving.code or 0)
    except KeyboardInterrupt:
        print()
        return 130
    except BrokenPipeError:
        return 141
    except OSError as error:
        print(f"container-lab: {_unusable(error)}", file=sys.stderr)
        return 1


def _unusable(error: OSError) -> str:
    """What of the lab's state could not be read or written, in one line."""
    what = f"use {error.filename}" if error.filename else "use the lab's state"
    denied = isinstance(error, PermissionError)
    hint = " (sudo, or --root DIR for a lab of your own)" if denied else ""
    return f"{what}: {(error.strerror or str(error)).lower()}{hint}"


class Session:
    """The course, the progress and, when a command needs it, the engine."""

    def __init__(self, root: str | None, as_json: bool) -> None:
        self.root, self.as_json = root, as_json
        self.course = Course.load()
        self.progress = Progress.load(root)
        self.tell_notice()

    def tell_notice(self) -> None:
        """Say what is wrong with the kept progress, once."""
        if self.progress.notice:
            print(f"container-lab: {self.progress.notice}", file=sys.stderr)
            self.progress.notice = ""

    def lesson(self, wanted: str | None) -> Lesson:
        """The lesson asked for, or the one touched last. Raises NotFound, Invalid."""
        name = wanted or self.progress.last()
        if not name:
            raise Invalid("which lesson?", f"{PROGRAM} list shows them", exit_code=2)
        return self.course.lesson(name)

    def stepper(self, lesson: Lesson) -> Stepper:
        """The student in that lesson."""
        from runtime.engine.engine import Engine
        from runtime.inspect.source import Live

        return Stepper(lesson, Engine(self.root), Live(), self.progress)

    def need(self, lesson: Lesson) -> None:
        """Raises Unsupported when this host cannot play the lesson."""
        from runtime.inspect.host import doctor
        from runtime.inspect.source import Live

        for slug, reason, command in lesson.unmet(doctor(Live(), self.root)):
            raise Unsupported(f"play {lesson.id}: this host lacks {slug}: {reason}", command)

    def out(self, data: Any, *lines: str) -> None:
        """The data with --json, else the lines."""
        print(json.dumps(data, ensure_ascii=False, indent=1) if self.as_json else "\n".join(lines))


def _list(session: Session, arguments: argparse.Namespace) -> int:
    rows, lines = [], [session.course.note] if session.course.note else []
    for track in session.course.tracks:
        lines.append(f"{track.number} {track.title}")
        for lesson in track.lessons:
            row = _row(session, lesson)
            rows.append(row)
            step = {"open": f", step {row['step']} of {row['steps']}",
                    "seen": f", {row['skipped']} skipped"}.get(row["state"], "")
            lines.append(f"  {lesson.number} {lesson.id}: {lesson.title} "
                         f"({lesson.minutes} min, {lesson.level}, {row['state']}{step})")
    session.out(rows, *lines)
    return 0


def _row(session: Session, lesson: Lesson) -> dict[str, Any]:
    return {"id": lesson.id, "number": lesson.number, "title": lesson.title,
            "track": lesson.track, "level": lesson.level, "minutes": lesson.minutes,
            "state": session.progress.state(lesson.id),
            "step": session.progress.step(lesson.id) + 1, "steps": len(lesson.steps),
            "skipped": session.progress.skipped(lesson.id),
            "teaches": list(lesson.teaches), "needs": list(lesson.needs),
            "requires": list(lesson.requires)}


def _show(session: Session, arguments: argparse.Namespace) -> int:
    from lab.course.line import speak

    lesson = session.lesson(arguments.lesson)
    stepper = session.stepper(lesson)
    if arguments.step:
        index = _index(lesson, arguments.step)
        step = lesson.steps[index]
        body = step.text(stepper.vars)
        data = {"id": lesson.id, "step": step.id, "index": index, "kind": step.kind, "text": body}
        session.out(data, f"{lesson.number} {lesson.title}, step {index + 1}: {step.id}", "",
                    speak(body))
        return 0
    numbered = [f"{number}: {speak(words)}" for number, (_, words)
                in enumerate(stepper.options(), 1)]
    session.out(_state(stepper) | {"text": stepper.text()},
                f"{lesson.number} {lesson.title}, step {stepper.index + 1} of "
                f"{len(lesson.steps)}: {stepper.step.id} ({stepper.step.kind})", "",
                speak(stepper.text()), *(["", *numbered] if numbered else []))
    return 0


def _index(lesson: Lesson, wanted: str) -> int:
    for index, step in enumerate(lesson.steps):
        if wanted in (step.id, str(index + 1)):
            return index
    known = ", ".join(step.id for step in lesson.steps)
    raise Invalid(f"no such step in {lesson.id}: {wanted}", f"known: {known}")


def _state(stepper: Stepper) -> dict[str, Any]:
    step = stepper.step
    return {"id": stepper.lesson.id, "step": step.id, "index": stepper.index, "kind": step.kind,
            "passed": stepper.passed, "finished": stepper.finished, "vars": stepper.vars,
            "options": [{"key": key, "text": words} for key, words in stepper.options()],
            "commands": stepper.commands()}


def _run(session: Session, arguments: argparse.Namespace) -> int:
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
    if doomed and ask and not _agreed(doomed):
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


def _check(session: Session, arguments: argparse.Namespace) -> int:
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
    data = _state(stepper) | {"results": as_json(results), "say": stepper.say}
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


def _hint(session: Session, arguments: argparse.Namespace) -> int:
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


def _reset(session: Session, arguments: argparse.Namespace) -> int:
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
    if doomed and not arguments.yes and not _agreed(doomed):
        raise Invalid("nothing was removed", "say yes, or give --yes")
    done = [line for stepper in steppers for line in stepper.reset(scope)]
    names = ", ".join(lesson.id for lesson in begun)
    session.out({"reset": [lesson.id for lesson in begun], "scope": scope, "removed": done},
                *done, f"{names or 'nothing'}: the {scope} begins again")
    return 0


def _agreed(doomed: list[str]) -> bool:
    for line in doomed:
        print(line, file=sys.stderr)
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    return input("Remove this? (y/N) ").strip().lower() in ("y", "yes")


def _lint(session: Session, arguments: argparse.Namespace) -> int:
    from lab.course.lint import lint

    findings = lint(arguments.folder) + verify(session.progress.directory)
    session.out(findings, *(findings or ["the course reads well"]))
    return 1 if findings else 0


COMMANDS = {"list": _list, "show": _show, "run": _run, "check": _check, "hint": _hint,
            "reset": _reset, "lint": _lint}
