"""The list of containers: name, command, state and age, each column as wide as what stands in it.

The twin of `docker ps -a`, on the free lab's left. Pure functions from rows to lines.
   ▸ ink  hog 200M        ✖ 137 OOM     4 s
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from lab.glyphs import G
from lab.snapshot import Row
from lab.widgets.line import Line, Span, fit, line, width_of
from lab.widgets.quantities import age


def row_line(row: Row, width: int, here: bool, now_s: float, name_width: int = 14,
             word_width: int = 8) -> Line:
    """▸ ink  hog 200M        ✖ 137 OOM   4 s. The command has what the other columns leave."""
    sign, word, role = state_of(row)
    since = row.finished_s if row.dead else row.started_s or row.created_s
    right = [Span(f" {sign} {word:<{word_width}}", role), Span(f"{age(now_s - since):>5} ", "dim")]
    room = max(6, width - 3 - name_width - width_of(right) - 1)
    return line(
        Span(f" {G.here if here else ' '} ", "focus"),
        Span(fit(row.name, name_width), "strong" if here else "text"),
        Span(fit(f" {row.command}", room), "dim"), right=right,
    )


def row_lines(rows: Sequence[Row], width: int, chosen: str, now_s: float) -> list[Line]:
    """The list: its columns are as wide as what stands in them."""
    name_width = min(24, max(4, *(cell_len(row.name) for row in rows), 0))
    word_width = max(3, *(len(state_of(row)[1]) for row in rows), 0)
    return [row_line(row, width, row.name == chosen, now_s, name_width, word_width)
            for row in rows]


def state_of(row: Row) -> tuple[str, str, str]:
    """(sign, word, role) of a container in the list."""
    if row.status == "running":
        return G.run, "RUN", "calm"
    if row.status == "paused":
        return G.pause, "PAUSED", "pressure"
    if row.dead and row.oom_killed:
        return G.bad, f"{row.exit_code} OOM", "dead"
    if row.dead:
        if not row.exit_code:
            return G.done, "EXIT 0", "dim"
        return G.bad, f"EXIT {row.exit_code}", "dead"
    return G.open, row.status.upper(), "dim"
