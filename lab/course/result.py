"""What a check found, and where it read it.

    Result(False, "48m", "max", "/sys/fs/cgroup/…/memory.max", "memory.max is 48m")

`sentence` states the goal, in the present tense; `why` says what stands against it. Pure values,
shown by the screen, spoken by the line mode, kept in the attempt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lab.course.attempt import Attempt, Record
from lab.course.evidence import World
from lab.course.lesson import fill


@dataclass(frozen=True, slots=True)
class Result:
    """What one check found."""

    passed: bool
    expected: str
    observed: str
    source_path: str
    sentence: str

    @property
    def why(self) -> str:
        """The observation against the wish, for a check that is not met."""
        return "" if self.passed else f"{self.observed}; wanted: {self.expected}"

    def as_data(self) -> dict[str, Any]:
        """JSON data, for --json and for the attempt."""
        return {"passed": self.passed, "expected": self.expected, "observed": self.observed,
                "source_path": self.source_path, "sentence": self.sentence}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Result:
        """The result that `as_data` wrote."""
        return cls(bool(data["passed"]), str(data["expected"]), str(data["observed"]),
                   str(data["source_path"]), str(data["sentence"]))

    def negated(self) -> Result:
        """The result of `not` around this check."""
        return replace(self, passed=not self.passed, expected=f"not: {self.expected}",
                       sentence=f"not: {self.sentence}")


@dataclass(frozen=True, slots=True)
class Reading:
    """One value as the kernel or the engine has it now, and its file."""

    value: str
    path: str
    alive: bool = True


@dataclass(slots=True)
class Context:
    """What a check is evaluated in: the world, the attempt, and the step it belongs to."""

    world: World
    attempt: Attempt
    record: Record
    now_ns: int

    def text(self, value: object) -> str:
        """The author's text with the attempt's values in it."""
        return fill(str(value), self.attempt.vars)

    def since_ns(self, since: str) -> int:
        """When "step", "lesson" or the step of that id began."""
        if since == "step":
            return self.record.started_ns
        if since == "lesson":
            return self.attempt.started_ns
        return self.attempt.record(since).started_ns

    def began(self, since: str) -> Record:
        """The record whose baseline counts for `since`."""
        return self.record if since in ("step", "lesson") else self.attempt.record(since)
