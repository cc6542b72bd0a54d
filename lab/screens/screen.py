"""What all screens share: a title line, a key line, the sizes, and what is said when too small.

The breakpoints become classes that theme.tcss asks: 80×24 is the design (`-narrow -low`), wider
screens are the luxury. Below 60×18 nothing true fits, and the screen says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events
from textual.css.query import NoMatches
from textual.screen import Screen
from textual.widget import Widget

from lab import actions
from lab.glyphs import G
from lab.snapshot import Snapshot
from lab.widgets.line import BLANK, Line, Span, line
from lab.widgets.live_table import LiveTable
from lab.widgets.prose import wrapped

if TYPE_CHECKING:
    from lab.program import Lab

SMALLEST = (60, 18)


class TooSmall(LiveTable):
    """One sentence instead of a screen that would have to leave the truth out."""

    def build(self, width: int, height: int) -> Sequence[Line]:
        size = self.app.size
        words = (f"The lab needs {SMALLEST[0]}×{SMALLEST[1]}; this terminal is "
                 f"{size.width}×{size.height}. Make it larger, or type q and use: "
                 "container-lab lesson list")
        rows = wrapped(words, max(8, width), "", "")
        return rows if len(rows) <= height or height == 0 else rows[:height]


class LabScreen(Screen[None]):
    """A screen of the lab. `NAME` is its name in the registry of actions."""

    NAME: ClassVar[str] = ""
    # Keys belong to the screen; only a line to type into ever has the focus.
    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (SMALLEST[0], "-narrow"), (120, "-wide"),
                              (160, "-huge")]
    VERTICAL_BREAKPOINTS = [(0, "-flat"), (SMALLEST[1], "-low"), (34, "-tall")]

    def __init__(self) -> None:
        super().__init__()
        self._keys_for: tuple[int, frozenset[str], bool] | None = None

    @property
    def lab(self) -> Lab:
        """The program."""
        return cast("Lab", self.app)

    def line_of(self, name: str) -> LiveTable:
        """The one-line table of that id."""
        return self.query_one(f"#{name}", LiveTable)

    def show(self, snapshot: Snapshot) -> None:
        """Show this moment; the program calls it for the screen on top."""

    def looks_at(self) -> tuple[str | None, frozenset[str]]:
        """The container and the parts of it that are visible; the sampler reads no more."""
        return None, frozenset()

    def look(self) -> None:
        """Tell the sampler what is visible now."""
        self.lab.look(*self.looks_at())

    def on_mount(self) -> None:
        self.paint()
        self.look()
        if self.lab.snapshot.taken_s:
            self.show(self.lab.snapshot)

    def on_screen_resume(self) -> None:
        self.look()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        with while_it_stands():
            self.paint()
            for small in self.query(TooSmall):
                small.rebuild()
            self.look()

    def paint(self) -> None:
        """Write the lines that do not come from the kernel: the keys."""
        if self.is_mounted:
            self.paint_keys()

    def paint_keys(self) -> None:
        """The key line: what can be done now."""
        key = (self.size.width, self.unavailable(), self.focused is not None)
        if key != self._keys_for:
            self._keys_for = key
            words = actions.TYPING if key[2] else actions.key_line(self.NAME, *key[:2])
            self.line_of("keys").put([words])

    def unavailable(self) -> frozenset[str]:
        """The actions that would do nothing now, left out of the key line."""
        return frozenset()

    def action_leave(self) -> None:
        """Back to the screen before."""
        self.app.pop_screen()

    def action_help(self) -> None:
        """The keys of this screen."""
        from lab.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self.NAME))

    def action_theme(self) -> None:
        """Dark or light."""
        self.app.theme = "lab-light" if self.app.theme == "lab-dark" else "lab-dark"


class PageScreen(LabScreen):
    """A screen that is one page to scroll, between its title and what stands at its foot."""

    def compose(self) -> Iterator[Widget]:
        yield LiveTable(id="title", classes="one")
        yield LiveTable(id="page")
        yield LiveTable(id="foot", classes="one")
        yield LiveTable(id="keys", classes="one")
        yield TooSmall(classes="too-small")


@contextmanager
def while_it_stands() -> Iterator[None]:
    """A message may reach a screen whose widgets are not there yet, or no more: then it is late."""
    try:
        yield
    except NoMatches:
        pass


def rule(title: str = "", right: str = "") -> Line:
    """A thin rule with words in it: `── Processes ──────── ink ──`."""
    stroke = Span(G.rule, "rule")
    left = (Span(G.rule * 2, "rule"), Span(f" {title} ", "dim")) if title else (stroke,)
    end = (Span(f" {right} ", "dim"), Span(G.rule * 2, "rule")) if right else ()
    return Line(left, end, fill=stroke)


__all__ = ["BLANK", "LabScreen", "PageScreen", "SMALLEST", "TooSmall", "line", "rule"]
