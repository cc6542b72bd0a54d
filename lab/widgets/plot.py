"""A plot of the last samples, one column each, in eighths of a cell; a pure function to lines.

Twin of a chart on a monitor, made of text so that only what moved is painted. A throttled sample is
shaded above its bar and has the colour of pressure; the sample in which the kernel killed has
`✖` on top. Two signs beside each colour, so it reads without any.
   48M ┤╌╌╌╌╌╌╌╌╌╌╌╌✖
       │       ▂▄▆██
     0 ┤  ▁▃▅▇██████
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lab.glyphs import G
from lab.widgets.line import Line, Span, line


class Column(NamedTuple):
    """One sample as the plot draws it: a share of the top, and what was going on."""

    share: float
    shaded: bool = False
    killed: bool = False


def plot(columns: Sequence[Column], width: int, height: int, top: str, role: str = "calm",
         limit: bool = True) -> list[Line]:
    """`height` lines, the newest sample at the right end; `top` labels the highest line.

    With `limit` the highest line is a limit of the kernel's, and drawn as one.
    """
    margin = max(len(top), 1) + 2
    room = max(1, width - margin - 3)
    shown = list(columns[-room:])
    rows = []
    for level in range(height - 1, -1, -1):
        label = top if level == height - 1 else "0" if level == 0 else ""
        on_limit = limit and level == height - 1
        rows.append(line(
            Span(f" {label:>{margin - 2}} ", "dim"), Span(G.axis if label else G.upright, "rule"),
            Span((G.limit if on_limit else " ") * (room - len(shown)), "rule"),
            *_runs(shown, level, height, role, on_limit)))
    return rows


def _runs(shown: Sequence[Column], level: int, height: int, role: str, limit: bool) -> list[Span]:
    """One line of the plot as few spans as possible: neighbours of one role are one span."""
    runs: list[Span] = []
    text, last = "", ""
    for column in shown:
        sign, kind = _cell(column, level, height, role, limit)
        if kind != last and text:
            runs.append(Span(text, last))
            text = ""
        text, last = text + sign, kind
    if text:
        runs.append(Span(text, last))
    return runs


def _cell(column: Column, level: int, height: int, role: str, limit: bool) -> tuple[str, str]:
    if column.killed and level == height - 1:
        return G.bad, "dead"
    steps = len(G.bars) - 1
    filled = min(1.0, max(0.0, column.share)) * height * steps - level * steps
    if filled >= 0.5:
        kind = "dead" if column.killed else "pressure" if column.shaded else role
        return G.bars[min(steps, max(1, round(filled)))], kind
    if column.shaded:
        return G.shade, "pressure"
    return (G.limit, "rule") if limit else (" ", "text")


def spark(columns: Sequence[Column], width: int, role: str = "calm") -> list[Span]:
    """The same in a single line."""
    shown = list(columns[-width:])
    spans = [Span(" " * (width - len(shown)), "text")] if len(shown) < width else []
    return spans + _runs(shown, 0, 1, role, False)
