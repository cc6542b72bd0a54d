"""container-lab lesson list, show, lint: what only reads the course.

    list --json      [{"id": "copy-up", "track": "layers", "state": "new", …}]
    show copy-up     the step one is at, its options and its lines

Each takes the session and the parsed arguments, and returns the exit code.
"""

from __future__ import annotations

import argparse
from typing import Any

from lab.course.lesson import Lesson
from lab.course.progress import verify
from lab.course.session import Session, state
from runtime.errors import Invalid


def list_(session: Session, arguments: argparse.Namespace) -> int:
    """Every track and its lessons, with how far one is."""
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


def show(session: Session, arguments: argparse.Namespace) -> int:
    """The step one is at, or the one asked for."""
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
    session.out(state(stepper) | {"text": stepper.text()},
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


def lint(session: Session, arguments: argparse.Namespace) -> int:
    """What the proof-reader finds; also in the kept progress."""
    from lab.course import lint as reader

    findings = reader.lint(arguments.folder) + verify(session.progress.directory)
    session.out(findings, *(findings or ["the course reads well"]))
    return 1 if findings else 0
