"""The film of a start: its operations, and how the kernel stood before each, if someone looked.

Runs in whoever shows it: the command line, or the lab. A birth certificate alone is a film too;
what the kernel showed is kept of a start that was stepped through (motion.py, a line a frame):

    {"by": "init", "name": "mount", "start_ns": 812…, "moment": {"pid": 48213, "mounts": 31, …}}
    {"by": "host", "moment": {…}}    {"by": "last", "moment": {…}}     who stepped; the program
"""

from __future__ import annotations

import os

from runtime import documents
from runtime.errors import LabError
from runtime.inspect import moments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.engine.engine import Engine
    from runtime.inspect.moments import Moment

PHASES = ("prepare", "isolate", "root", "limit", "drop", "exec")
# The file beside the birth certificate that keeps what the kernel showed, a line a frame.
FILE = "moments.jsonl"


class Frame:
    """One operation: before it happens, and with its result afterwards."""

    __slots__ = ("n", "operation", "by", "pid", "moment")

    def __init__(self, n: int, operation: dict[str, Any], by: str, pid: int,
                 moment: Moment | None) -> None:
        self.n, self.operation, self.by, self.pid = n, operation, by, pid
        # How the container's first process stood before it; None before that process was born.
        self.moment = moment

    @property
    def phase(self) -> str:
        """Its phase: isolate, root, …"""
        return str(self.operation.get("phase", ""))

    @property
    def name(self) -> str:
        """Its name: pivot_root."""
        return str(self.operation["name"])

    @property
    def symbol(self) -> str:
        """The function of ours that made it."""
        return str(self.operation.get("symbol", ""))


class Breakpoints:
    """Names at which to stop: of an operation, a phase, a manual page, or a function of ours."""

    __slots__ = ("names",)

    def __init__(self, names: set[str] | None = None) -> None:
        self.names = names or set()

    def toggle(self, name: str) -> bool:
        """Set it, or take it away; is it set now?"""
        self.names ^= {name}
        return name in self.names

    def hit(self, frame: Frame) -> bool:
        """Is there one for this operation?"""
        call = str(frame.operation.get("call", "")).partition("(")[0]
        function = frame.symbol.rpartition(":")[2]
        return not self.names.isdisjoint((frame.name, frame.phase, call, function,
                                          function.rpartition(".")[2]))


class Film:
    """The birth certificate of a start that is over, in the same shape: nothing to be held."""

    def __init__(self, operations: list[dict[str, Any]], kept: list[dict[str, Any]] | None = None
                 ) -> None:
        # By the instant they began: what was kept of another start fits nothing of this one.
        known = {line["start_ns"]: line for line in kept or [] if line.get("start_ns")}
        program = next((line for line in kept or [] if line.get("name") == "execve"), {})
        self.host = self.last = None
        self.frames: list[Frame] = []
        for n, operation in enumerate(operations, 1):
            line = known.get(operation.get("start_ns"), {})
            if operation["name"] == "execve" and any(frame.moment for frame in self.frames):
                line = program  # which could not tell when it began
            self.frames.append(Frame(n, operation, str(operation.get("by", "")),
                                     int(operation.get("pid") or 0), _moment(line)))
        if any(frame.moment for frame in self.frames):
            self.host, self.last = (_moment(next((line for line in kept or []
                                                  if line["by"] == who), {}))
                                    for who in ("host", "last"))

    def after(self, number: int) -> Moment | None:
        """How the first process stood after the frame of this index."""
        return self.frames[number + 1].moment if number + 1 < len(self.frames) else self.last


def _moment(line: dict[str, Any]) -> Moment | None:
    found = line.get("moment")
    return moments.from_data(found) if found else None


def film_of(engine: Engine, ref: str) -> Film:
    """The film of a container's last start, with what the kernel showed if it was stepped."""
    container = engine.find(ref)
    try:
        with open(os.path.join(container.directory, FILE), encoding="utf-8") as file:
            kept = [documents.parse(line) for line in file]
    except (OSError, LabError):
        kept = []
    return Film(engine.operations(container.id), kept)
