"""What a student is doing in a step, before and after the Stepper knows of it; and its containers.

Belongs to the lesson screen, one for each visit of a step; no Textual in it. The Stepper keeps what
was said and passed; here is what it does not keep: the option under the cursor, how sure, the
output of the line that ran, the last notice. `view` puts both together for the panel.
  StepState(choice=1, sure=2, ran="docker run …", exit_code=137)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from lab.course import undo
from lab.course.by_hand import is_command
from lab.course.lesson import fill
from lab.snapshot import Row
from lab.widgets.lesson import LessonView

_NAMED = re.compile(r"--name[ =](\S+)")
_TOUCHED = re.compile(r"^(?:docker|container-lab) "
                      r"(?:start|stop|kill|pause|unpause|rm|exec|logs|wait)\b.*?\s(\S+)$")
MOST_KEPT = 8192


@dataclass(slots=True)
class StepState:
    """One visit of one step."""

    choice: int = 0
    sure: int = 1
    answer: Any = None
    explained: str | None = None
    running: str = ""
    ran: str = ""
    exit_code: int | None = None
    output: str = ""
    notice: tuple[str, ...] = ()
    asking_reset: bool = False
    asking_skip: bool = False
    results: tuple[Any, ...] = ()

    def asks(self, step: Any) -> bool:
        """Whether the step's question stands: that of a watch step comes after the start."""
        if step.kind == "watch":
            return bool(self.results) and all(result.passed for result in self.results)
        return True

    def locked(self, stepper: Any) -> str | None:
        """The option that was locked, or None."""
        found = stepper.predicted() if stepper.step.kind == "predict" else \
            self.explained or stepper.explained()
        return str(found) if found else None

    def choosing(self, stepper: Any) -> bool:
        """Whether the digits and the arrows belong to a question."""
        return bool(stepper.options()) and self.asks(stepper.step) and not self.locked(stepper)

    def view(self, stepper: Any, kept_notice: str = "", hindrance: str = "") -> LessonView:
        """The step as the panel shows it."""
        step = stepper.step
        return LessonView(
            kind=step.kind, text=stepper.text(), commands=tuple(stepper.commands()),
            options=tuple(stepper.options()) if self.asks(step) else (), choice=self.choice,
            locked=self.locked(stepper), asks_sure=step.sure and step.kind == "predict",
            sure=self.sure, results=self.results, say=stepper.say,
            hints=tuple(stepper.hints_shown()), hint_count=max(step.hint_count, len(step.hints)),
            reveal=stepper.reveal_text(),
            card=stepper.card(),
            phases=tuple(stepper.phases()) if step.kind == "watch" else (), answer=self.answer,
            passed=stepper.passed, held=bool(step.stops), running=self.running, ran=self.ran,
            exit_code=self.exit_code, output=tuple(clean(self.output)), hindrance=hindrance,
            notice=self.notice or ((kept_notice,) if kept_notice else ()),
        )

    def began(self, line: str) -> None:
        """The line runs."""
        self.running, self.ran, self.exit_code = line, "", None
        self.output, self.notice = "", ()

    def printed(self, text: str) -> None:
        """The line printed something; only its end is kept."""
        self.output = (self.output + text)[-MOST_KEPT:]

    def ended(self, line: str, exit_code: int) -> None:
        """The line has ended."""
        self.running, self.ran, self.exit_code = "", line, exit_code

    def missing(self, step: Any) -> str:
        """What the step still waits for."""
        if step.kind in ("predict", "explain") or (step.option_keys and self.asks(step)):
            return "choose with the digits, then enter"
        if step.kind == "ask":
            return "type your answer"
        return "the checks above are not met yet; h gives a hint"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A check that could not be read, in the shape of a result."""

    sentence: str
    passed: bool = False
    expected: str = ""
    observed: str = "could not be read"
    source_path: str = ""


def clean(output: str, most: int = 8) -> list[str]:
    """The last lines a command printed, without control sequences."""
    return [Text.from_ansi(row).plain.replace("\t", "    ").rstrip("\r")
            for row in output.splitlines() if row.strip()][-most:]


def named_in(commands: Sequence[str]) -> list[str]:
    """The containers that these docker lines make or touch."""
    found = [name for line in commands for name in _NAMED.findall(line)]
    return found + [name for line in commands for name in _TOUCHED.findall(line)]


def containers_of(stepper: Any, rows: Sequence[Row]) -> list[str]:
    """The lesson's containers that exist, the newest first."""
    step = stepper.step
    values = stepper.vars
    known = {*named_in(stepper.commands()), *values.values()}
    if step.container:
        known.add(values.get(step.container.lstrip("$"), step.container))
    return [row.name for row in rows if row.name in known]


def shown_container(stepper: Any, rows: Sequence[Row], chosen: str) -> str | None:
    """Which one the panes show: the chosen one, else this step's own, else the newest."""
    there = containers_of(stepper, rows)
    if chosen in there:
        return chosen
    mine, by_hand = named_in(stepper.commands()), processes_of(stepper)
    if not mine and stepper.step in by_hand.values():
        return next(name for name, step in by_hand.items() if step == stepper.step)
    fresh = next((name for name in there if name in mine), None)
    return fresh or next(iter([*there, *mine, *by_hand]), None)


def processes_of(stepper: Any) -> dict[str, Any]:
    """The command lines of the lesson's processes by hand, up to this step, the latest first.

    Of each the last step that is about it.
    """
    found: dict[str, Any] = {}
    for step in stepper.lesson.steps[:stepper.index + 1]:
        for name in undo.subjects(step):
            command = fill(name, stepper.vars)
            if is_command(command):
                found.pop(command, None)
                found[command] = step
    return dict(reversed(found.items()))
