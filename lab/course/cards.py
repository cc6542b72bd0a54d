"""What is shown beside a step: what was said against what it is, and a start by phases.

    Card("it is held back", "sure", "the process is killed", False, "oom_kill 0 → 1")
    Card("3: nearly full memory", "", "2: the counter", False, "", "it is")
    [Phase("prepare", ("mkdir", …), 517), Phase("?", ("clone3", "setsid"), 2690), …]

Pure: made from the attempt and the birth certificate, for the screen and the line mode alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from lab.course.attempt import Attempt
from lab.course.lesson import Lesson, Step, fill
from lab.course.predicates_start import PHASES


@dataclass(frozen=True, slots=True)
class Card:
    """What the student said beside what it is, in the options' wording; `label` says who says so.

    An explanation has the options' numbers before the words, and is the author's to judge.
    """

    said: str
    sure: str
    kernel: str
    right: bool
    evidence: str
    label: str = "the kernel said"


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a start: Phase("isolate", ("unshare", "write_control"), 412).

    What the shim does first is "prepare". The name of the others is "?" until the question about
    them is answered.
    """

    name: str
    operations: tuple[str, ...]
    microseconds: int


def card(lesson: Lesson, attempt: Attempt, here: Step) -> Card | None:
    """The card of the prediction or explanation that belongs to this step, once it is settled."""
    if here.kind == "explain":
        return _explained(attempt, here)
    for step in lesson.steps:
        said = attempt.record(step.id).prediction if step.kind == "predict" else ""
        runs = [one for one in lesson.steps if step.id in one.needs]
        if not said or here not in (step, *runs):
            continue
        if all(attempt.record(one.id).passed for one in runs):
            record = attempt.record(step.id)
            wording = {key: fill(words, attempt.vars) for key, words in step.options}
            evidence = attempt.record(runs[0].id).evidence if runs else ""
            return Card(wording[said], record.sure, wording[step.correct], record.right, evidence)
    return None


def _explained(attempt: Attempt, here: Step) -> Card | None:
    record = attempt.record(here.id)
    wording = {key: f"{at}: {fill(words, attempt.vars)}"
               for at, (key, words) in enumerate(here.options, 1)}
    if record.answer not in wording:
        return None
    return Card(wording[record.answer], "", wording[here.correct], record.right, "", "it is")


def phases(rows: Sequence[Mapping[str, Any]], hidden: bool) -> list[Phase]:
    """The operations of a start by phase, in order; `hidden` keeps the five names back."""
    return [Phase("?" if hidden and name in PHASES else name,
                  tuple(str(row.get("name")) for row in group),
                  sum(int(row.get("ns") or 0) for row in group) // 1000)
            for name, group in grouped(rows)]


def grouped(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """The operations in the order of the record, cut where the phase changes.

    As the hood pane shows them. What the shim does is its own: it prepares, and may still do so
    while the new process has begun.
    """
    return [(name, list(group)) for name, group in groupby(rows, key=_phase_of)]


def _phase_of(row: Mapping[str, Any]) -> str:
    # A record of an older start calls the shim's making of the group `limit`.
    name = str(row.get("phase") or "prepare")
    return "prepare" if row.get("by") == "shim" and name == "limit" else name
