"""Keeps operations in memory, in order: the birth certificate of a container in the making.

Runs in the shim and in init, which each keep their own and hand them on as JSON lines; a test uses
it to compare the order of a start with the story it should tell:

    with recording() as recorder: …
    assert [operation.name for operation in recorder.operations] == ["unshare", "mount", …]
"""

from __future__ import annotations

from runtime.trace.operation import Operation, observe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from runtime.trace.operation import Observer


class Recorder:
    """An observer that keeps everything and holds nothing; `then` is told as well."""

    def __init__(self, by: str = "", then: Observer | None = None) -> None:
        self.operations: list[Operation] = []
        self.by = by
        self.then = then
        self._sent = 0

    def before(self, operation: Operation) -> None:
        # Kept from before it happens: execve never comes back to tell of itself.
        if self.then is not None:
            self.then.before(operation)
        self.operations.append(operation)

    def after(self, operation: Operation) -> None:
        if self.then is not None:
            self.then.after(operation)

    def unsent(self) -> list[dict[str, Any]]:
        """Those not handed out yet, as data with who made them."""
        fresh, self._sent = self.operations[self._sent:], len(self.operations)
        return [{**operation.to_data(), "by": self.by} for operation in fresh]


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
