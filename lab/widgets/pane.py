"""What every pane is: a live table over one part of the snapshot, with a name, keys and a proof.

Runs in Textual's thread; reads nothing. A pane's file has one pure function from a View to lines,
and a class of a few lines that gives it a name. `PARTS` tells the sampler what to read for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from lab.snapshot import Host, Snapshot, View
from lab.widgets.line import BLANK, Line, Span, line
from lab.widgets.live_table import LiveTable
from lab.widgets.prose import wrapped

Lines = Callable[[View, Host, int, int], "list[Line]"]


class Pane(LiveTable):
    """One side of the container that is shown."""

    KIND: ClassVar[str] = ""
    TITLE: ClassVar[str] = ""
    PARTS: ClassVar[frozenset[str]] = frozenset()
    PROMISE: ClassVar[str] = ""

    def __init__(self, id: str | None = None, classes: str = "pane") -> None:
        super().__init__(id=id, classes=classes)
        self.snapshot = Snapshot()
        self.absent = "nothing runs yet"

    def show(self, snapshot: Snapshot) -> None:
        """Show this moment."""
        self.snapshot = snapshot
        self.rebuild()

    def build(self, width: int, height: int) -> Sequence[Line]:
        view = self.snapshot.shown
        if view is None:
            return self.nothing(width)
        return self.lines(view, self.snapshot.host, width, height)

    def lines(self, view: View, host: Host, width: int, height: int) -> list[Line]:
        """The rows of a container; every pane has its own."""
        raise NotImplementedError

    def nothing(self, width: int) -> list[Line]:
        """What stands here while there is no container."""
        return [BLANK, line(Span(f" {self.absent}", "dim")),
                *wrapped(self.PROMISE, width, " ", " ", "dim")]


def header(*columns: tuple[str, int]) -> Line:
    """A line of column titles, each in its width."""
    return line(*(Span(title.ljust(width), "dim") for title, width in columns))
