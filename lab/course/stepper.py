"""The state machine of one student in one lesson; the screen and the line mode both drive it.

`check()` is cheap and may be called twice a second from a thread; every other method answers a key.
What has been seen and said is kept in the attempt (`attempt.py`) and written to progress at once,
so the program may be killed at any time and `Stepper` continues at the same step.

    stepper = Stepper(lesson, engine, source, progress)
    stepper.predict("killed", "sure"); stepper.next()
    stepper.check() -> [Result(True, "48m", "50331648", "/sys/fs/cgroup/…/memory.max", "memory.max is 48m"), …]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.course.lesson import Lesson, Step


@dataclass(frozen=True, slots=True)
class Result:
    """What one check found. `sentence` says the goal, `why` what stands against it."""

    passed: bool
    expected: str
    observed: str
    source_path: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Card:
    """The student's prediction beside the kernel's answer."""

    said: str          # wording of the option chosen
    sure: str          # "guess" | "fairly" | "sure" | ""
    kernel: str        # wording of the option that came true
    right: bool
    evidence: str      # "memory.events oom_kill 0 → 1"


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a container's birth certificate, for `watch` steps."""

    name: str                  # "isolate"
    operations: tuple[str, ...]   # names in order: ("unshare", "write", …)
    microseconds: int


class Stepper:
    """One attempt at one lesson. Signatures first; see the module."""

    index: int                      # of the current step in lesson.steps
    step: Step                      # the current step
    lesson: Lesson
    vars: dict[str, str]            # {"name": "ink", "limit": "48m"}
    say: str | None                 # the sentence for the first fail rule that matches, else None

    def __init__(self, lesson: Lesson, engine: Any, source: Any, progress: Any) -> None: ...
    def text(self) -> str: ...                              # Markdown of the step, values filled in
    def options(self) -> list[tuple[str, str]]: ...         # (key, wording) with values filled in
    def predict(self, option: str, sure: str = "") -> None: ...   # locks; Conflict when locked
    def predicted(self) -> str | None: ...                  # the option locked at this step
    def answer(self, text: str) -> Result: ...              # ask, watch (its question), explain
    def check(self) -> list[Result]: ...                    # cheap; remembers what it saw
    @property
    def passed(self) -> bool: ...                           # of the current step
    def passed_step(self, step_id: str) -> bool: ...
    def hint(self) -> str | None: ...                       # the next hint; None when there are no more
    def hints_shown(self) -> list[str]: ...
    def next(self) -> bool: ...                             # False: not passed, or already the last
    def skip(self) -> bool: ...                             # go on without passing; kept as skipped
    def back(self) -> bool: ...
    def preview_reset(self, scope: str = "lesson") -> list[str]: ...   # what reset would destroy
    def reset(self, scope: str = "lesson") -> list[str]: ...           # "step" | "lesson"
    def commands(self) -> list[str]: ...                    # the docker lines, values filled in
    def phases(self) -> list[Phase]: ...                    # watch steps, [] before the start
    def reveal_text(self) -> str: ...                       # "" until the step is passed
    def card(self) -> Card | None: ...                      # after the kernel answered
    @property
    def finished(self) -> bool: ...
