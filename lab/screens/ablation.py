"""The ablation board: leave a part of a container out, and see what it held back turn red.

On the left the parts; on the right a full container beside one without those that were left out:
what the panes show of each, and what a program inside could do. The table is made by the command
line (`container-lab ablation --json`), in a process of its own, so that what a key does is never a
secret. Where root inside could harm the host, `U` has to allow it first.
"""

from __future__ import annotations

import json
import subprocess
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

from textual.containers import Horizontal
from textual.widget import Widget

from lab import actions, board
from lab.commands import OURS, environment
from lab.glyphs import G
from lab.screens.screen import LabScreen, TooSmall, rule
from lab.widgets.line import BLANK, Line, Span, fit_left, line
from lab.widgets.live_table import LiveTable
from lab.widgets.prose import wrapped
from runtime.engine.ablation import DANGERS, PARTS

PATIENCE_S = 60


class AblationScreen(LabScreen):
    """Toggles, start, and what turns red. `ask` makes the table; a test has its own."""

    NAME: ClassVar[str] = "ablation"
    BINDINGS = actions.bindings("ablation")

    def __init__(self, ask: Callable[[Sequence[str], str | None], Any] | None = None) -> None:
        super().__init__()
        self.ask = ask or by_command
        self.out: set[str] = set()
        self.part = next(iter(PARTS))
        self.armed = False
        # Whether the keys move over the table instead of the parts.
        self.over_table = False
        self.busy = ""
        self.found: dict[str, Any] | None = None
        self.trouble = ""
        self.told = ""

    def compose(self) -> Iterator[Widget]:
        yield LiveTable(id="title", classes="one")
        with Horizontal(id="ablation"):
            yield LiveTable(id="parts")
            yield LiveTable(id="board")
        yield LiveTable(id="foot", classes="one")
        yield LiveTable(id="about")
        yield LiveTable(id="keys", classes="one")
        yield TooSmall(classes="too-small")

    # What is on the screen

    def paint(self) -> None:
        super().paint()
        if not self.is_mounted:
            return
        title = f"ablation {G.dot} what does each part of a container hold back?"
        self.line_of("title").put([rule(title, right="lab/base")])
        self.line_of("parts").put(
            board.parts_lines(self.out, self.part, self.armed, not self.over_table))
        table = self.line_of("board")
        table.shows_cursor = self.over_table
        # One column is the scroll bar's.
        table.put(self._table(max(20, table.size.width - 1)))
        self._foot()

    def _table(self, width: int) -> list[Line]:
        head: list[Line] = []
        if self.busy:
            return [BLANK, line(Span(" $ ", "dim"), Span(self.busy, "code")), BLANK,
                    line(Span(" starting both, and asking them", "dim"))]
        if self.trouble:
            return [BLANK, *wrapped(self.trouble, width, f" {G.pressure} ", "   ", "pressure")]
        if self.found is None:
            return board.nothing_lines(width)
        stale = sorted(self.out ^ set(self.found["without"]))
        if stale:
            head = [line(Span(f" {G.pressure} r starts again: changed since is ", "pressure"),
                         Span(", ".join(stale), "strong"))]
        return head + board.table_lines(self.found, width)

    def _foot(self) -> None:
        foot, about = self.line_of("foot"), self.line_of("about")
        current = self.line_of("board").current if self.over_table else None
        stroke = Span(G.rule, "rule")
        if self.told:
            foot.put([rule("sent to the terminal's clipboard")])
            about.put(self._shell_line(self.told))
        elif current is not None and current.proof:
            words = fit_left(current.source, max(8, self.size.width - 30)).strip()
            foot.put([Line((stroke, stroke, Span(f" {words} ", "dim")),
                           (Span(" y", "key"), Span(" copies the proof ", "dim"), stroke, stroke),
                           fill=stroke)])
            about.put(self._shell_line(current.proof))
        else:
            foot.put([rule(self.part)])
            about.put(board.about_lines(self.part, max(20, self.size.width - 1)))
        about.refresh(layout=True)

    def _shell_line(self, words: str) -> list[Line]:
        rows = textwrap.wrap(words, max(20, self.size.width - 4), break_on_hyphens=False)
        made = [line(Span("   " if number else " $ ", "dim"), Span(row, "code"))
                for number, row in enumerate(rows[:3])]
        return made if len(made) > 1 else [*made, BLANK]

    def unavailable(self) -> frozenset[str]:
        without = set() if self.out else {"start"}
        return frozenset(without | (set() if self.over_table else {"proof"}))

    def on_live_table_moved(self, event: LiveTable.Moved) -> None:
        event.stop()
        self._foot()

    # Keys

    def action_up(self) -> None:
        self._move(-1)

    def action_down(self) -> None:
        self._move(1)

    def _move(self, steps: int) -> None:
        self.told = ""
        if self.over_table:
            self.line_of("board").step_cursor(steps)
            self._foot()
            return
        names = list(PARTS)
        place = names.index(self.part) + steps
        self.part = names[max(0, min(len(names) - 1, place))]
        self.paint()

    def action_next_side(self) -> None:
        """From the parts to the table, and back."""
        self.told = ""
        self.over_table = not self.over_table and self.found is not None
        self.paint()

    def action_leave_out(self) -> None:
        """Leave the part under the cursor out, or put it back."""
        self.trouble = self.told = ""
        if self.part in board.ABSENT:
            self.trouble = (f"a container here has no {self.part} namespace of its own: "
                            f"{PARTS[self.part]} already; there is nothing to leave out")
        else:
            self.out ^= {self.part}
        self.paint()

    def action_unsafe(self) -> None:
        """Allow what could harm the host, and take it back."""
        self.armed = not self.armed
        self.trouble = ""
        self.paint()

    def action_start(self) -> None:
        """Start both, and compare."""
        harmful = [part for part in PARTS if part in self.out and part in DANGERS]
        if self.busy or not self.out:
            return
        if harmful and not self.armed:
            self.trouble = (f"without {', '.join(harmful)} this host could be harmed: "
                            + "; ".join(DANGERS[part] for part in harmful)
                            + ". On a machine you can lose, U allows it (--unsafe)")
            self.paint()
            return
        words = board.command(self.out, self.armed)
        self.busy, self.trouble, self.told = board.shown(words), "", ""
        self.paint()
        self.run_worker(lambda: self._compare(words), thread=True, exit_on_error=False)

    def _compare(self, words: list[str]) -> None:
        """In a thread: both containers start in a process of their own."""
        try:
            found, trouble = self.ask(words, self.lab.root), ""
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            found, trouble = None, str(error)
        self.app.call_from_thread(self._compared, found, trouble)

    def _compared(self, found: dict[str, Any] | None, trouble: str) -> None:
        self.busy, self.trouble = "", trouble
        self.found = found if found is not None else self.found
        self.line_of("board").top = 0
        self.paint()

    def action_proof(self) -> None:
        """Copy the line that tries the row under the cursor."""
        current = self.line_of("board").current
        if self.over_table and current is not None and current.proof:
            self.told = current.proof
            self.app.copy_to_clipboard(current.proof)
            self._foot()

    def action_text_up(self) -> None:
        self.line_of("board").scroll_rows(-6)

    def action_text_down(self) -> None:
        self.line_of("board").scroll_rows(6)

    def action_leave(self) -> None:
        if self.over_table:
            self.action_next_side()
        else:
            super().action_leave()


def by_command(words: Sequence[str], root: str | None) -> Any:
    """What `container-lab ablation --json …` says. Raises ValueError in its own words."""
    done = subprocess.run([*OURS, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=environment(root), check=False, timeout=PATIENCE_S)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
        raise ValueError(said[0].removeprefix("Error response from daemon: "))
    return json.loads(done.stdout)
