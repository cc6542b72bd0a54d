"""What is shown beside a step: the prediction against the kernel's answer, and a start by phases.

    Card("it is held back", "sure", "the process is killed", False, "oom_kill 0 → 1")
    [Phase("prepare", ("mkdir", …), 517), Phase("?", ("clone3", "setsid"), 2690), …]

Pure: made from the attempt and the birth certificate, for the screen and the line mode alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.course.attempt import Attempt
from lab.course.lesson import Lesson, Step, fill
from lab.course.predicates import PHASES


@dataclass(frozen=True, slots=True)
class Card:
    """The student's prediction beside the kernel's answer, in the options' wording."""

    said: str
    sure: str
    kernel: str
    right: bool
    evidence: str


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
    """The card of the prediction that belongs to this step, once the kernel has answered."""
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


def phases(rows: Sequence[Mapping[str, Any]], hidden: bool) -> list[Phase]:
    """The operations of a start by phase, in order; `hidden` keeps the five names back."""
    return [Phase("?" if hidden and name in PHASES else name,
                  tuple(str(row.get("name")) for row in group),
                  sum(int(row.get("ns") or 0) for row in group) // 1000)
            for name, group in grouped(rows).items()]


def grouped(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The operations by phase; what the shim does before the process exists is `prepare`."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        name = str(row.get("phase") or "prepare")
        if row.get("by") == "shim" and name == "limit":
            name = "prepare"
        groups.setdefault(name, []).append(row)
    return groups
