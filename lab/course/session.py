"""What every command of the line mode works with: the course, the progress and, late, the engine.

    session = Session("/tmp/lab", as_json=False)
    session.stepper(session.lesson("copy-up"))      the student in that lesson
    session.out({"passed": True}, "Yes.")           the data with --json, else the lines

Runs in the process of the command. The engine is imported when a lesson is played, not for a list.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from lab.course.arguments import PROGRAM
from lab.course.lesson import Lesson
from lab.course.loader import Course
from lab.course.progress import Progress
from lab.course.stepper import Stepper
from runtime.errors import Invalid, Unsupported


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


def state(stepper: Stepper) -> dict[str, Any]:
    """Where a student is, for --json."""
    step = stepper.step
    return {"id": stepper.lesson.id, "step": step.id, "index": stepper.index, "kind": step.kind,
            "passed": stepper.passed, "finished": stepper.finished, "vars": stepper.vars,
            "options": [{"key": key, "text": words} for key, words in stepper.options()],
            "commands": stepper.commands()}


def agreed(doomed: list[str]) -> bool:
    """Whether the person at the terminal wants that removed."""
    for line in doomed:
        print(line, file=sys.stderr)
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    return input("Remove this? (y/N) ").strip().lower() in ("y", "yes")
