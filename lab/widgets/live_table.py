"""The one widget that draws: rows of spans, of which only those that changed are painted again.

Runs in Textual's thread. A subclass, or the screen, says what the lines are (`build`); this holds
the last ones, compares, and hands Textual the numbers of the rows that differ. That is what keeps
six panes at ten samples a second under ten milliseconds (DataTable renders whole on any change).
A value whose text differs from the last sample's is bright for BRIGHT_S seconds, then calm.
The cursor stands on lines that have a proof; the rest are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.timer import Timer
from textual.widget import Widget

from lab.glyphs import G
from lab.theme import styles
from lab.widgets.line import Line, Span, laid_out

BRIGHT_S = 1.0


def identity(row: Line) -> tuple[str, str, str]:
    """What a line is about, whatever its values are now and wherever it stands."""
    return row.proof, row.source, row.spans[0].text if row.spans else ""


class LiveTable(Widget):
    """Rows that move. `build(width, height)` makes them; `rebuild()` shows what has changed."""

    class Moved(Message):
        """The cursor of this table stands on another line, or the line says something else."""

    class Pressed(Message):
        """A row was clicked."""

        def __init__(self, table: LiveTable, row: int) -> None:
            super().__init__()
            self.table, self.row = table, row

    def __init__(self, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.rows: list[Line] = []
        self.top = 0
        self.cursor = -1
        self.shows_cursor = False
        self._stood_on: tuple[str, str, str] | None = None
        self._height = 0
        self._values: dict[str, str] = {}
        self._bright: dict[str, float] = {}
        self._fading: Timer | None = None
        self._base: tuple[str, Style] | None = None

    # What to draw

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The lines for a region of that size. The default shows what `put` was given."""
        return self.rows

    def put(self, rows: Sequence[Line]) -> None:
        """Show these lines; for a table without a `build` of its own."""
        self._replace(list(rows))

    def rebuild(self) -> None:
        """Ask `build` again and paint the rows that differ. Free while nobody sees the table."""
        if self.size.width and self.display:
            self._replace(list(self.build(self.size.width, self.size.height)))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(1, len(self.build(width, 0)))

    def on_resize(self, event: events.Resize) -> None:
        # The same lines have another shape at another width: everything is painted again.
        self.rows = [] if type(self).build is not LiveTable.build else self.rows
        seen = self.top <= self.cursor < self.top + self._height
        self._height = event.size.height
        self.rebuild()
        if self.shows_cursor and seen:
            self._reveal(self.cursor)
        self.refresh()

    # What has changed

    def _replace(self, rows: list[Line]) -> None:
        before, self.rows = self.rows, rows
        now = monotonic()
        lit = self._notice(rows, now)
        if self.shows_cursor:
            self.settle_cursor()
        self._clamp()
        if len(before) != len(rows):
            self.refresh()
        else:
            for number, (old, new) in enumerate(zip(before, rows)):
                if old != new or number in lit:
                    self._repaint(number)
        if self.shows_cursor and 0 <= self.cursor < len(rows) and (
                self.cursor >= len(before) or before[self.cursor] != rows[self.cursor]):
            self.post_message(self.Moved())

    def _notice(self, rows: list[Line], now: float) -> set[int]:
        """Remember every value; the numbers of the rows with one that has just changed."""
        lit = set()
        values = self._values
        for number, row in enumerate(rows):
            for span in row.spans:
                if not span.key:
                    continue
                known = values.get(span.key)
                if known is not None and known != span.text:
                    self._bright[span.key] = now + BRIGHT_S
                    lit.add(number)
                values[span.key] = span.text
        if lit and self._fading is None:
            self._fading = self.set_timer(BRIGHT_S + 0.05, self._fade)
        return lit

    def _fade(self) -> None:
        self._fading = None
        now = monotonic()
        over = {key for key, until in self._bright.items() if until <= now}
        for key in over:
            del self._bright[key]
        for number, row in enumerate(self.rows):
            if any(span.key in over for span in row.spans):
                self._repaint(number)
        if self._bright:
            wait = max(0.05, min(self._bright.values()) - now)
            self._fading = self.set_timer(wait + 0.02, self._fade)

    def _repaint(self, number: int) -> None:
        y = number - self.top
        if 0 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    # Drawing

    def render_line(self, y: int) -> Strip:
        width, number = self.size.width, y + self.top
        base, roles = self._ground(), styles(self.app.theme, self.app.no_color)
        if not 0 <= number < len(self.rows):
            return Strip([Segment(" " * width, base)], width)
        overflow = len(self.rows) > self.size.height > 1
        room = width - 1 if overflow else width
        spans = laid_out(self.rows[number], room)
        if number == self.cursor and self.shows_cursor:
            spans = self._with_cursor(spans)
        segments = [Segment(span.text, base + self._style(span, roles)) for span in spans]
        if overflow:
            segments.append(Segment(self._thumb(y), base + roles["rule"]))
        return Strip(segments, width)

    def _ground(self) -> Style:
        """The style under every span. Textual works it out from all ancestors at every call."""
        theme = self.app.theme
        if self._base is None or self._base[0] != theme:
            self._base = (theme, self.rich_style)
        return self._base[1]

    def _style(self, span: Span, roles: dict[str, Style]) -> Style:
        if span.key and span.key in self._bright and self._bright[span.key] > monotonic():
            return roles["bright"]
        return roles.get(span.role) or roles["text"]

    @staticmethod
    def _with_cursor(spans: list[Span]) -> list[Span]:
        """The row with the sign of the cursor in its first cell, which every row leaves free."""
        if spans and spans[0].text.startswith(" "):
            first = spans[0]
            return [Span(G.here, "focus"), first._replace(text=first.text[1:]), *spans[1:]]
        return spans

    def _thumb(self, y: int) -> str:
        height, count = self.size.height, len(self.rows)
        size = max(1, height * height // count)
        start = (height - size) * self.top // max(1, count - height)
        return G.thumb if start <= y < start + size else " "

    # Cursor and scrolling

    @property
    def current(self) -> Line | None:
        """The line under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    def step_cursor(self, steps: int) -> None:
        """Move the cursor over lines that have a proof; without any, scroll."""
        stops = [number for number, row in enumerate(self.rows) if row.proof]
        if not stops:
            self.scroll_rows(steps)
            return
        if self.cursor in (stops[0] if steps < 0 else stops[-1],):
            # Beyond the last value there may be rows to read.
            self.scroll_rows(steps)
            return
        if self.cursor not in stops:
            place = 0 if steps >= 0 else len(stops) - 1
        else:
            place = max(0, min(len(stops) - 1, stops.index(self.cursor) + steps))
        self._reveal(0 if place == 0 else stops[place])
        self.step_cursor_to(stops[place])
        self._reveal(self.cursor)

    def settle_cursor(self) -> None:
        """Keep the cursor on its line wherever that is now; else on the first with a proof."""
        stood = self._stood_on
        if stood is not None and (self.current is None or identity(self.current) != stood):
            moved = (at for at, row in enumerate(self.rows) if identity(row) == stood)
            self.cursor = next(moved, self.cursor)
        if self.current is None or not self.current.proof:
            stops = (number for number, row in enumerate(self.rows) if row.proof)
            self.cursor = next(stops, -1)
        elif stood is None or identity(self.current) == stood:
            return
        self._stood_on = identity(self.current) if self.current else stood

    def cursor_to(self, word: str) -> bool:
        """Put the cursor on the first provable line that has this word; False without one."""
        for number, row in enumerate(self.rows):
            if row.proof and word in row.text.lower().split():
                self.step_cursor_to(number)
                return True
        return False

    def step_cursor_to(self, number: int) -> None:
        """Put the cursor on that line, and the line in sight."""
        if number == self.cursor:
            return
        self._repaint(self.cursor)
        self.cursor = number
        self._stood_on = identity(self.rows[number])
        self._reveal(number)
        self._repaint(number)
        self.post_message(self.Moved())

    def scroll_rows(self, steps: int) -> None:
        """Move the window over the rows."""
        before = self.top
        self.top += steps
        self._clamp()
        if self.top != before:
            self.refresh()

    def _reveal(self, number: int) -> None:
        height = max(1, self.size.height)
        before = self.top
        self.top = min(max(self.top, number - height + 1), number)
        self._clamp()
        if self.top != before:
            self.refresh()

    def _clamp(self) -> None:
        self.top = max(0, min(self.top, len(self.rows) - max(1, self.size.height)))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self.scroll_rows(2)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self.scroll_rows(-2)

    def on_click(self, event: events.Click) -> None:
        self.post_message(self.Pressed(self, event.y + self.top))
