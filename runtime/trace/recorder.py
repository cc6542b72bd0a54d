"""Keeps operations in memory, in order: the birth certificate of a container in the making.

Runs in the shim and in init, which each keep their own and hand them on as JSON lines; a test uses
it to compare the order of a start with the story it should tell:

    with recording() as recorder: …
    assert [operation.name for operation in recorder.operations] == ["unshare", "mount", …]
"""

from __future__ import annotations

import marshal
import os
import struct
from time import monotonic_ns

from runtime.trace.operation import Operation, observe, to_data

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from runtime.trace.operation import Observer


class Recorder:
    """An observer that keeps everything and holds nothing; `then` is told as well.

    With a descriptor, `flush` writes what is new there: init leaves its film in a file, and the
    shim need not carry it. The shim's own stays in its memory, for behind a film cut short by
    SIGKILL nothing can be found again.
    """

    def __init__(self, by: str = "", then: Observer | None = None, fd: int | None = None) -> None:
        self.operations: list[Operation] = []
        self.by = by
        self.then = then
        self.fd = fd
        self._told = 0

    def before(self, operation: Operation) -> None:
        # Kept from before it happens: execve never comes back to tell of itself.
        if self.then is not None:
            asked_ns = monotonic_ns()
            self.then.before(operation)
            operation.held_ns = monotonic_ns() - asked_ns
        self.operations.append(operation)

    def after(self, operation: Operation) -> None:
        if self.then is not None:
            self.then.after(operation)

    def flush(self) -> None:
        """Append the operations since the last time to the descriptor, in one write.

        Marshalled, not as JSON: in init this stands between "ready" and execve, and costs 0.1 ms
        where JSON costs 1. Only the same interpreter ever reads it (`read_film`).
        """
        if self.fd is None:
            return
        fresh, self._told = self.operations[self._told:], len(self.operations)
        if fresh:
            film = marshal.dumps([(self.by, *each.values()) for each in fresh])
            os.write(self.fd, struct.pack("I", len(film)) + film)


    def data(self) -> list[dict[str, Any]]:
        """Every operation so far, as data with who made it."""
        return [{**each.to_data(), "by": self.by} for each in self.operations]


def read_film(fd: int) -> list[dict[str, Any]]:
    """The operations that recorders flushed to the descriptor, as data, in no order.

    As far as they are whole: the writer may have been killed while it wrote.
    """
    data = os.pread(fd, os.fstat(fd).st_size, 0)
    film: list[dict[str, Any]] = []
    while data:
        length = struct.unpack_from("I", data)[0] if len(data) > 4 else len(data)
        if length > len(data) - 4:
            break
        for by, *values in marshal.loads(data[4:4 + length]):
            film.append({**to_data(tuple(values)), "by": by})
        data = data[4 + length:]
    return film


def in_order(film: list[dict[str, Any]], started: bool) -> list[dict[str, Any]]:
    """The operations of several processes, in the order they began and numbered from 1.

    An operation announced before it happened has ns -1: of a start that succeeded it happened too,
    how long it took nobody could say (ns None).
    """
    film = sorted(film, key=lambda each: each["start_ns"] or 1 << 63)
    return [{"n": n, **each, **({"ns": None, "result": 0} if started and each["ns"] < 0 else {})}
            for n, each in enumerate(film, 1)]


class recording:  # noqa: N801
    """Observe this process for the length of a block: `with recording() as recorder:`."""

    def __init__(self, by: str = "") -> None:
        self.recorder = Recorder(by)
        self.outer: Observer | None = None

    def __enter__(self) -> Recorder:
        self.outer = observe(self.recorder)
        return self.recorder

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        observe(self.outer)
