"""Two starts side by side on the screen: `operations A --diff B`, with rows that can be unfolded.

Opened from the list of films, where two are marked. The same rows as on the command line
(client/difference.py); `space` shows the ones that are the same as well.
"""

from __future__ import annotations

from typing import ClassVar

from lab import actions
from lab.glyphs import G
from lab.screens.screen import PageScreen, rule
from lab.widgets.line import BLANK, Line, Span, fit, line
from runtime.client.difference import summary, words
from runtime.client.film import Film
from runtime.trace.difference import Fold, Pair, folded, pairs

ROLES = {" ": "dim", "|": "pressure", "~": "calm", "<": "strong", ">": "strong"}


class DifferenceScreen(PageScreen):
    """`left` and `right` are what the two films are called."""

    NAME: ClassVar[str] = "difference"
    BINDINGS = actions.bindings("difference")

    def __init__(self, left: str, film: Film, right: str, other: Film) -> None:
        super().__init__()
        self.left, self.right = left, right
        self.pairs = pairs([frame.operation for frame in film.frames],
                           [frame.operation for frame in other.frames])
        self.whole = False

    def paint(self) -> None:
        super().paint()
        if not self.is_mounted:
            return
        page = self.line_of("page")
        width = max(40, page.size.width - 1)
        self.line_of("title").put([rule(f"slow motion {G.dot} {self.left} beside {self.right}")])
        shown: list[Pair | Fold] = list(self.pairs) if self.whole else folded(self.pairs)
        column = (width - 5) // 2
        head = line(Span(f" {self.left:{column}}   {self.right}", "dim"))
        page.put([head, BLANK, *(self._row(row, column) for row in shown)])
        self.line_of("foot").put([rule(summary(self.pairs, self.left, self.right))])

    def _row(self, row: Pair | Fold, column: int) -> Line:
        if isinstance(row, Fold):
            return line(Span(f" {G.ellipsis} {row.count} the same", "dim"))
        role = ROLES[row.sign]
        return line(Span(f" {fit(words(row.left, column), column)}", role),
                    Span(f" {row.sign} ", "focus"),
                    Span(fit(words(row.right, column), column).rstrip(), role))

    def action_unfold(self) -> None:
        """All rows, or only those that differ."""
        self.whole = not self.whole
        self.paint()

    def action_up(self) -> None:
        self.line_of("page").scroll_rows(-2)

    def action_down(self) -> None:
        self.line_of("page").scroll_rows(2)
