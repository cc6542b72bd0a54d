"""What a pane hands to the screen: lines of spans, each span with a role instead of a colour.

Plain values, no Textual. A line may carry the file it was read from (`source`, shown in the rule
under the pane) and the shell line that proves it (`proof`, what `y` copies).
  Line((Span("memory.current", "name"), Span(" 47.9M", "strong", key="memory.current")),
       proof="cat /sys/fs/cgroup/…/memory.current", source="/sys/fs/cgroup/…/memory.current")
A span with a `key` is a value that moves: when its text differs from the last sample's it is
bright for a second.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

from lab.glyphs import G


class Span(NamedTuple):
    """A run of text of one role: text dim name strong calm pressure dead code focus rule title."""

    text: str
    role: str = "text"
    key: str = ""


class Line(NamedTuple):
    """One row. `right` stands at the end of the row and is left out when there is no room."""

    spans: tuple[Span, ...] = ()
    right: tuple[Span, ...] = ()
    proof: str = ""
    source: str = ""
    fill: Span = Span(" ")

    @property
    def text(self) -> str:
        """The words alone, left then right, as a test reads them."""
        return "".join(span.text for span in (*self.spans, *self.right))


BLANK = Line()
_SPACE = Span(" ")


def line(*parts: Span | str, right: Iterable[Span | str] = (), proof: str = "",
         source: str = "", fill: Span = _SPACE) -> Line:
    """A line of spans and plain strings."""
    return Line(tuple(as_span(part) for part in parts), tuple(as_span(part) for part in right),
                proof, source, fill)


def as_span(part: Span | str) -> Span:
    """The part as a span; a string is plain text."""
    return part if isinstance(part, Span) else Span(part)


def width_of(spans: Iterable[Span]) -> int:
    """The cells that the spans take on the screen."""
    return sum(cell_len(span.text) for span in spans)


def fit(text: str, width: int) -> str:
    """The text in exactly `width` cells: padded, or cut with an ellipsis."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, max(0, width - 1)) + G.ellipsis if width > 0 else ""


def fit_left(text: str, width: int) -> str:
    """As `fit`, but a long text loses its beginning: what is last in a path says most."""
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return G.ellipsis + text[len(text) - width + 1:] if width > 0 else ""


def laid_out(row: Line, width: int) -> list[Span]:
    """The spans of a row that fill exactly `width` cells."""
    left = width_of(row.spans)
    right = width_of(row.right) if row.right else 0
    if left > width:
        return _cut(row.spans, width)
    gap = width - left - right
    if right and gap < 1:
        right, gap = 0, width - left
    spans = list(row.spans)
    if gap:
        spans.append(Span((row.fill.text * gap)[:gap], row.fill.role))
    if right:
        spans.extend(row.right)
    return spans


def _cut(spans: tuple[Span, ...], width: int) -> list[Span]:
    kept: list[Span] = []
    room = width
    for span in spans:
        cells = cell_len(span.text)
        if cells <= room and (cells < room or span is spans[-1]):
            kept.append(span)
            room -= cells
            continue
        kept.append(span._replace(text=fit(span.text + "  ", room)))
        break
    return kept
