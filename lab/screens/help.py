"""Help: every key of the screen it was asked from, from the registry, and the signs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.widget import Widget

from lab import actions
from lab.glyphs import G
from lab.screens.screen import LabScreen, TooSmall, rule
from lab.widgets.line import BLANK, Line, Span, line
from lab.widgets.live_table import LiveTable

SIGNS = (
    (G.run, "calm", "RUN", "it runs"),
    (G.pressure, "pressure", "THROTTLED", "the kernel makes it wait"),
    (G.bad, "dead", "OOM", "the kernel killed it: no page was left in its cgroup"),
    (G.done, "calm", "", "a check the kernel confirms"),
    (G.open, "dim", "", "a check not yet met; it is never your fault"),
    (G.shade, "pressure", "", "in a plot: in that sample it was throttled"),
    (G.begun, "pressure", "", "a lesson that is begun"),
    (G.closed, "dim", "", "a lesson this host cannot play; the reason stands beside it"),
)


def help_lines(screen: str) -> list[Line]:
    """The page."""
    rows: list[Line] = [BLANK]
    for action in actions.for_screen(screen):
        rows.append(line(Span(f" {action.sign:>7}  ", "key"), Span(action.help, "text")))
    rows.append(BLANK)
    for sign, role, word, meaning in SIGNS:
        rows.append(line(Span(f" {sign:>7}  ", role), Span(f"{word:<10}" if word else "", role),
                         Span(meaning, "text")))
    rows += [BLANK, line(Span("          A value that has just changed is bright for a second.",
                              "dim")),
             line(Span("          Dim after a row: the file of cgroup v1 the value is read from.",
                       "dim"))]
    return rows


class HelpScreen(LabScreen):
    """The page on the screen."""

    NAME: ClassVar[str] = "help"
    BINDINGS = [*actions.bindings("help"), ("down,j,pagedown", "scroll(1)", ""),
                ("up,k,pageup", "scroll(-1)", ""), ("question_mark,enter,space", "leave", "")]

    def __init__(self, of: str) -> None:
        super().__init__()
        self.of = of

    def compose(self) -> Iterator[Widget]:
        yield LiveTable(id="title", classes="one")
        yield LiveTable(id="page")
        yield LiveTable(id="keys", classes="one")
        yield TooSmall(classes="too-small")

    def paint(self) -> None:
        self.line_of("title").put([rule(f"keys {G.dot} {self.of}")])
        self.line_of("page").put(help_lines(self.of))
        super().paint()

    def action_scroll(self, steps: int) -> None:
        self.line_of("page").scroll_rows(int(steps) * 3)
