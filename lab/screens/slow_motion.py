"""Slow motion: a container's start, one operation at a time, and how the kernel stands before each.

The same screen plays a start that is held (client/motion.py: the keys let it go on) and the film of
one that is over. Going back undoes nothing: it is the film that is wound, and the kernel's side
shows what was read then. A start that is left in the middle is given up; so is one whose terminal
is closed, for then nobody is left to say go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.containers import Horizontal
from textual.widget import Widget

from lab import actions
from lab.glyphs import G
from lab.screens.reel import ReelScreen
from lab.screens.screen import TooSmall, rule
from lab.widgets import slow_motion as lines
from lab.widgets.line import BLANK, Span, fit, line
from lab.widgets.live_table import LiveTable
from runtime.client.film import Frame
from runtime.inspect.moments import Moment
from runtime.inspect.shell_lines import shell_line


class SlowMotionScreen(ReelScreen):
    """One start. `title` is the docker line of it; `reel` is held, or a film."""

    NAME: ClassVar[str] = "slow"
    BINDINGS = actions.bindings("slow")
    CSS_PATH = "../slow_motion.tcss"

    def compose(self) -> Iterator[Widget]:
        yield LiveTable(id="title", classes="one")
        yield LiveTable(id="phases", classes="one")
        with Horizontal(id="film"):
            yield LiveTable(id="operations")
            yield LiveTable(id="kernel")
        yield LiveTable(id="code")
        yield LiveTable(id="foot", classes="one")
        yield LiveTable(id="meaning")
        yield LiveTable(id="by", classes="one")
        yield LiveTable(id="source", classes="one")
        yield LiveTable(id="keys", classes="one")
        yield TooSmall(classes="too-small")

    # What is on the screen

    def paint(self) -> None:
        super().paint()
        if not self.is_mounted:
            return
        self._title()
        frame = self.frame
        if frame is None:
            words = "making it ready to be held" if self.held else self.told
            self.line_of("operations").put([BLANK, line(Span(f" {words}", "dim"))])
            return
        self.line_of("phases").put([lines.phases_line(self.frames, self.at, not self.held)])
        self._operations()
        self._kernel(frame)
        self._why(frame)
        if self.has_class("-code"):
            self._code(frame)

    def _code(self, frame: Frame) -> None:
        """The function, so that the line of the call is in sight."""
        table = self.line_of("code")
        rows = lines.code_lines(frame, max(20, table.size.width - 1))
        if rows != table.rows:
            table.put(rows)
            here = next((at for at, row in enumerate(rows) if G.here in row.text), 0)
            table.top = max(0, min(here - table.size.height // 2, len(rows) - table.size.height))
            table.refresh()

    def _title(self) -> None:
        count = len(self.frames)
        place = f"operation {self.at + 1}" + ("" if self.held else f" of {count}") if count else ""
        state = {"running": Span(f" {G.run} RUN ", "calm"), "failed": Span(f" {G.bad} GIVEN UP ",
                 "dead")}.get(self.motion.end if self.motion else "", Span(" "))
        if self.motion is not None and self.motion.error and not self.leaving:
            state = Span(f" {G.bad} FAILED ", "dead")
        room = max(8, self.size.width - len(place) - len(state.text) - 16)
        self.line_of("title").put([line(
            Span(f" slow motion {G.dot} ", "title"), Span(fit(self.said_title, room).rstrip()),
            right=[Span(place, "dim"), state])])

    def _operations(self) -> None:
        table = self.line_of("operations")
        width, height = table.size.width, max(1, table.size.height)
        table.put(lines.operation_lines(self.frames, self.at, max(20, width - 1), self.stops))
        # The one that is looked at stays at two thirds: what was is more than what comes.
        table.top = max(0, min(self.at - height * 2 // 3, len(self.frames) - height))
        table.refresh()

    def _kernel(self, frame: Frame) -> None:
        table = self.line_of("kernel")
        table.put(lines.kernel_lines(frame, self._after(), self.reel.host, self.container,
                                     max(20, table.size.width - 1), table.size.height))

    def _after(self) -> Moment | None:
        """How the first process stood after the operation; unknown while that is held."""
        if self.held and self.at == len(self.frames) - 1:
            return None
        return self.reel.after(self.at)

    def _why(self, frame: Frame) -> None:
        width = max(20, self.size.width)
        stops = " ".join(sorted(self.stops.names))
        right = f"stops at {stops}" if stops else ""
        self.line_of("foot").put([rule(self.told, right=right)])
        self.line_of("meaning").put(lines.typed_lines(self.copied, width) if self.copied else
                                    lines.meaning_lines(frame, width))
        self.line_of("by").put([lines.by_line(frame, self.newborn)])
        self.line_of("source").put([lines.source_line(frame, width)])

    def unavailable(self) -> frozenset[str]:
        without = set()
        if not self.held and self.at >= len(self.frames) - 1:
            without |= {"step", "phase", "go_on"}
        if self.at == 0:
            without.add("back")
        return frozenset(without)

    # Looking

    def action_source(self) -> None:
        """Our code that makes it, and back."""
        self.toggle_class("-code")
        self.call_after_refresh(self.paint)

    def action_text_up(self) -> None:
        self.line_of("code").scroll_rows(-5)

    def action_text_down(self) -> None:
        self.line_of("code").scroll_rows(5)

    def action_manual(self) -> None:
        """Copy the command that shows the manual page."""
        if self.frame is not None:
            name, _, section = str(self.frame.operation.get("call", "")).partition("(")
            self._copy(f"man {section.rstrip(')')} {name}")

    def action_shell_line(self) -> None:
        """Copy the line of a shell with the same effect."""
        if self.frame is not None:
            self._copy(shell_line(self.frame.operation))

    def _copy(self, text: str) -> None:
        self.app.copy_to_clipboard(text)
        self.copied = text
        self.tell("sent to the terminal's clipboard")

    def action_leave(self) -> None:
        """Out of the code; out of the film; out of a held start when asked twice."""
        if self.has_class("-code"):
            self.action_source()
        elif not self.held:
            self.dismiss()
        elif not self.leaving:
            self.leaving = True
            self.tell("q again gives the start up: nothing runs, what was made is taken back")
        elif self.busy and self.motion is not None:
            self.motion.abandon()
        elif self.motion is not None:
            self._do(self.motion.give_up)
