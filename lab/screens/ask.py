"""One line to type a system call into, over the screen that asks: what would the filter say?

A modal of Textual's: enter hands the words to who asked, escape hands back nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from textual import events
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input

from lab.glyphs import G
from lab.widgets.line import Span, line
from lab.widgets.live_table import LiveTable


class AskScreen(ModalScreen[str]):
    """`question` stands above the line; `first` is in it already."""

    def __init__(self, question: str, first: str) -> None:
        super().__init__()
        self.question, self.first = question, first

    def compose(self) -> Iterator[Widget]:
        with Vertical(id="ask"):
            yield LiveTable(id="ask-title", classes="one")
            yield Input(self.first, id="ask-line", classes="line", select_on_focus=True)
            yield LiveTable(id="ask-keys", classes="one")

    def on_mount(self) -> None:
        self.query_one("#ask-title", LiveTable).put([line(Span(f" {self.question}", "strong"))])
        self.query_one("#ask-keys", LiveTable).put([line(
            Span(" enter", "key"), Span(" asks ", "dim"), Span(G.dot, "rule"),
            Span(" esc", "key"), Span(" goes back", "dim"))])
        self.query_one("#ask-line", Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.dismiss(event.value.strip())

    def on_key(self, event: events.Key) -> None:
        if event.key == "escape":
            event.stop()
            self.dismiss("")
