"""A course as plain values: tracks of lessons, lessons of steps, steps of prose and checks.

Twin of nothing in Docker; this is the textbook side of the lab. Read by the screen, the line mode
and the linter alike; knows neither Textual nor the kernel. Made by `loader.py` and never changed
after that: what a student does with a lesson is kept in `attempt.py`.

    Lesson  id "oom-137", title "OOM, and what 137 means", minutes 9, steps (Step, Step, …)
    Step    id "run", kind "do", checks (Check({"cgroup": "$name", "file": "memory.max", …}), …)
    Prose   body "Give it $limit …", hints ("Docker's flag …",), says {"nolimit": "The group …"}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from string import Template
from typing import Any

from runtime.inspect.host import Report

KINDS = ("read", "watch", "predict", "do", "ask", "explain")
LEVELS = ("core", "extra", "capstone")

Vars = Mapping[str, str]


def fill(text: str, variables: Vars) -> str:
    """The text with each $name replaced; a `$` that names no variable stays as it is."""
    return Template(text).safe_substitute(variables)


@dataclass(frozen=True, slots=True)
class Check:
    """One predicate or combinator, as the author wrote it; `checks.py` gives it its meaning.

    Example: Check("cgroup", {"cgroup": "$name", "file": "memory.max", "eq": "$limit"}).
    `parts` are the members of all, any and not; a plain predicate has none.
    """

    subject: str
    words: Mapping[str, Any]
    parts: tuple[Check, ...] = ()

    def walk(self) -> Iterable[Check]:
        """This check and every check inside it."""
        yield self
        for part in self.parts:
            yield from part.walk()


@dataclass(frozen=True, slots=True)
class Fail:
    """What to say when a check is not met in a way that the author foresaw."""

    when: Check
    say: str


@dataclass(frozen=True, slots=True)
class Prose:
    """The words of one step in one language; `$name` is filled in when shown."""

    body: str = ""
    wording: Mapping[str, str] = field(default_factory=dict)
    hints: tuple[str, ...] = ()
    says: Mapping[str, str] = field(default_factory=dict)
    reveal: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to read, watch, guess, do, look up or explain.

    A watch step with `stops` is stepped through: its start is held before every call, and halts at
    these phases and operations. Without, the start is looked at when it is over.
    """

    id: str
    kind: str
    prose: Prose
    needs: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    fails: tuple[Fail, ...] = ()
    solve: tuple[str, ...] = ()
    option_keys: tuple[str, ...] = ()
    correct: str = ""
    equals: Check | None = None
    container: str = ""
    stops: tuple[str, ...] = ()
    focus: str = ""
    sure: bool = False
    hint_count: int = 0

    def text(self, variables: Vars) -> str:
        """The prose of the step (Markdown) with the attempt's values in it."""
        return fill(self.prose.body, variables)

    @property
    def options(self) -> list[tuple[str, str]]:
        """(key, wording) in the author's order; the wording may still hold $name."""
        return [(key, self.prose.wording.get(key, key)) for key in self.option_keys]

    @property
    def hints(self) -> tuple[str, ...]:
        """The hints, from where to look to nearly there."""
        return self.prose.hints

    @property
    def reveal(self) -> str:
        """What to read after the kernel has answered."""
        return self.prose.reveal

    @property
    def note(self) -> str:
        """For the presenter only."""
        return self.prose.note


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson of 3 to 12 minutes on one idea."""

    id: str
    track: str
    number: str
    title: str
    question: str
    minutes: int
    level: str
    teaches: tuple[str, ...]
    needs: tuple[str, ...]
    requires: tuple[str, ...]
    panes: tuple[str, ...]
    variables: Mapping[str, Mapping[str, Any]]
    steps: tuple[Step, ...]
    folder: str
    leaves: tuple[str, ...] = ()

    def unmet(self, report: Report) -> list[tuple[str, str, str]]:
        """What this host lacks for the lesson: (slug, reason, command that would change it)."""
        return [(lacks.slug, lacks.reason, lacks.command)
                for lacks in report.unmet(self.requires)]

    def step(self, step_id: str) -> Step:
        """The step of that id. Raises KeyError."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)


@dataclass(frozen=True, slots=True)
class Track:
    """A chapter: lessons that belong together, in their order."""

    id: str
    number: int
    title: str
    about: str
    lessons: tuple[Lesson, ...]
