"""One student's attempt at one lesson: what was seen, said and measured, as plain JSON data.

Written to progress.json after every change, so that an attempt survives the program. Holds what a
check cannot read off the kernel any more: counters as they stood when a step began (`baseline`),
things seen once (`seen`), values to ask about later (`snapshot`). Changed by `stepper.py` alone.

    {"lesson": "oom-137", "number": 1, "started_ns": …, "vars": {"name": "ink"}, "index": 2,
     "steps": {"run": {"started_ns": …, "passed": true,
                       "baseline": {"ink/memory.events/oom_kill": ["6e4f…", 0]},
                       "snapshot": {…: {"value": "231", "path": "/sys/fs/cgroup/…"}}}}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(slots=True)
class Record:
    """What is kept of one step. Times are nanoseconds since the epoch; 0 is never."""

    started_ns: int = 0
    passed: bool = False
    skipped: bool = False
    prediction: str = ""
    sure: str = ""
    answer: str = ""
    right: bool = False
    hints: int = 0
    evidence: str = ""
    baseline: dict[str, list[Any]] = field(default_factory=dict)
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    since_ns: dict[str, int] = field(default_factory=dict)
    snapshot: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(slots=True)
class Attempt:
    """An attempt, and the record of each step that was reached."""

    lesson: str
    number: int = 1
    started_ns: int = 0
    vars: dict[str, str] = field(default_factory=dict)
    index: int = 0
    steps: dict[str, Record] = field(default_factory=dict)
    finished: bool = False
    found: list[str] = field(default_factory=list)

    def record(self, step_id: str) -> Record:
        """The record of a step, made when first asked for."""
        return self.steps.setdefault(step_id, Record())

    @property
    def skipped(self) -> int:
        """How many steps were passed over, and not done since."""
        return sum(record.skipped and not record.passed for record in self.steps.values())

    def to_data(self) -> dict[str, Any]:
        """The attempt as JSON data."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Attempt:
        """The attempt that `to_data` wrote; keys of a newer version are left out."""
        steps = {step_id: Record(**_known(Record, record))
                 for step_id, record in dict(data.get("steps", {})).items()}
        return cls(**(_known(cls, data) | {"steps": steps}))


def _known(kind: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    names = {one.name for one in fields(kind)}
    return {key: value for key, value in data.items() if key in names}
