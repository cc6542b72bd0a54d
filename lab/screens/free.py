"""The free lab: every container of this root on one side, the one under the cursor on the other.

Actions are docker lines, run as a student would run them and shown as they run, so that what a key
does is never a secret. What destroys asks first.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from typing import ClassVar

from textual import events
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input

from lab import actions
from lab.glyphs import G
from lab.messages import CommandEnded, CommandOutput, CommandStarted
from lab.screens.live import LiveScreen
from lab.screens.screen import TooSmall, rule
from lab.screens.step_state import MOST_KEPT, clean
from lab.snapshot import Row, Snapshot
from lab.widgets.containers import row_lines
from lab.widgets.lesson import folded
from lab.widgets.line import BLANK, Span, line
from lab.widgets.live import LiveSide
from lab.widgets.live_table import LiveTable

FIRST_LINE = "docker run -d --name {} lab/base sleep 600"
NAMES = ("tea", "elm", "oak", "fig", "ink", "jade", "moss", "rye")
# Of a long output the rest is a shell's business.
MOST_SAID = 200


def free_name(taken: Collection[str]) -> str:
    """A name that no container has yet: tea, elm, …, and then tea2."""
    return next(name for count in range(1, len(taken) + 2) for word in NAMES
                if (name := word if count == 1 else f"{word}{count}") not in taken)


class FreeScreen(LiveScreen):
    """Everything that is ours on this host."""

    NAME: ClassVar[str] = "free"
    BINDINGS = actions.bindings("free")

    def __init__(self) -> None:
        super().__init__()
        self.chosen = ""
        self.wanted = ""
        # Name and id of the container that `d` would destroy when pressed again.
        self.asking = ("", "")
        self.said: tuple[str, ...] = ()
        self.output = ""
        self.mode = ""

    def compose(self) -> Iterator[Widget]:
        yield LiveTable(id="title", classes="one")
        with Horizontal(id="body"):
            with Vertical(id="list-side"):
                yield LiveTable(id="list")
            yield LiveSide()
        yield LiveTable(id="said", classes="gone")
        yield Input(id="entry", classes="line gone", select_on_focus=False)
        yield LiveTable(id="card")
        yield LiveTable(id="cause", classes="one")
        yield LiveTable(id="keys", classes="one")
        yield TooSmall(classes="too-small")

    # What is on the screen

    @property
    def rows(self) -> Sequence[Row]:
        """The containers that the filter lets through."""
        return [row for row in self.lab.snapshot.containers if self.wanted in row.name]

    def target(self) -> str | None:
        rows = self.rows
        if self.chosen not in [row.name for row in rows]:
            self.chosen = rows[0].name if rows else ""
        return self.chosen or None

    def show(self, snapshot: Snapshot) -> None:
        super().show(snapshot)
        asked = snapshot.row(self.asking[0])
        if self.asking[0] and (asked is None or asked.id != self.asking[1]):
            # What was to be destroyed is gone by itself: the question with it.
            gone, self.asking = self.asking[0], ("", "")
            self.said = (f"{gone} is gone already",)
        self._list()
        self.look()

    def paint(self) -> None:
        super().paint()
        if self.is_mounted:
            self._list()

    def _list(self) -> None:
        count = len(self.lab.snapshot.containers)
        self.target()
        role, words = self.verdict()
        head = rule(f"containers {count}" + (f" {G.dot} /{self.wanted}" if self.wanted else ""))
        right = (Span(f" {words} ", role),) if words else ()
        self.line_of("title").put([head._replace(right=right)])
        table = self.line_of("list")
        width, now = table.size.width, time.time()
        rows = row_lines(self.rows, width, self.chosen, now) if self.rows else []
        if not rows:
            word = "no container of that name" if count else "no container yet: n makes one"
            rows = [BLANK, line(Span(f" {word}", "dim"))]
        before = len(table.rows)
        table.put(rows)
        here = next((at for at, row in enumerate(self.rows) if row.name == self.chosen), 0)
        table._reveal(here)
        if len(rows) != before:
            table.refresh(layout=True)
        self._say()

    def _say(self) -> None:
        """What the last line said, whole; a long one scrolls."""
        said = self.line_of("said")
        said.set_class(not self.said, "gone")
        width, role = max(20, self.size.width - 3), "pressure" if self.asking[0] else "text"
        rows = [line(Span(f" {part}", role if number else "pressure" if self.asking[0] else "dim"))
                for number, text in enumerate(self.said) for part in folded(text, width)]
        if rows != said.rows:
            said.put(rows)
            said.refresh(layout=True)

    def unavailable(self) -> frozenset[str]:
        view = self.lab.snapshot.shown
        if view is None:
            return frozenset({"stop", "kill", "pause", "remove", "why", "proof", "next_pane"})
        without = {"next_pane"}
        if not view.row.dead:
            without.add("why")
        if not view.row.alive:
            without |= {"stop", "kill", "pause"}
        return frozenset(without)

    # Keys

    def action_up(self) -> None:
        self._move(-1)

    def action_down(self) -> None:
        self._move(1)

    def _move(self, steps: int) -> None:
        """Over the containers; over the values of the pane when that has the whole screen."""
        if self.has_class("-zoomed"):
            self.query_one(LiveSide).step_cursor(steps)
            return
        names = [row.name for row in self.rows]
        if names:
            place = names.index(self.chosen) if self.chosen in names else 0
            self.chosen = names[max(0, min(len(names) - 1, place + steps))]
            self.asking, self.said = ("", ""), ()
            self.paint()
            self.look()

    def _do(self, text: str) -> None:
        if not self.lab.commands.run([text]):
            self.tell(f"still running: {self.lab.commands.busy}")

    def action_stop(self) -> None:
        self._on_chosen("docker stop {}")

    def action_kill(self) -> None:
        self._on_chosen("docker kill {}")

    def action_pause(self) -> None:
        """Pause, or let go on."""
        row = self.lab.snapshot.row(self.chosen)
        verb = "unpause" if row and row.status == "paused" else "pause"
        self._on_chosen(f"docker {verb} {{}}")

    def action_remove(self) -> None:
        """Remove the container, when asked twice."""
        row = self.lab.snapshot.row(self.chosen)
        if row is None:
            return
        if self.asking != (row.name, row.id):
            self.asking = (row.name, row.id)
            self.tell(f"d again destroys {self.chosen}: its processes, its writes, its log")
            return
        self.asking = ("", "")
        self._on_chosen("docker rm -f {}")

    def _on_chosen(self, text: str) -> None:
        if self.chosen:
            self._do(text.format(self.chosen))

    def action_film(self) -> None:
        """The film of its start."""
        from lab.screens.films import show_film

        if not self.chosen:
            return
        trouble = show_film(self.lab, self.chosen)
        if trouble:
            self.tell(trouble)

    def action_new(self) -> None:
        """A line to type a docker command into."""
        taken = {row.name for row in self.lab.snapshot.containers}
        self._ask("new", FIRST_LINE.format(free_name(taken)))

    def action_filter(self) -> None:
        """A line to type a part of a name into."""
        self._ask("filter", self.wanted)

    def _ask(self, mode: str, text: str) -> None:
        self.mode = mode
        entry = self.query_one("#entry", Input)
        entry.value = text
        entry.placeholder = "docker run …" if mode == "new" else "a part of the name"
        entry.remove_class("gone")
        entry.focus()
        entry.cursor_position = len(text)

    def on_input_changed(self, event: Input.Changed) -> None:
        if self.mode == "filter":
            self.wanted = event.value.strip()
            self.paint()
            self.look()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        text = event.value.strip()
        mode = self.mode
        self._close_entry()
        if mode == "new" and text:
            self._do(text if text.startswith("docker ") else f"docker {text}")

    def on_key(self, event: events.Key) -> None:
        if event.key == "escape":
            self._escape(event)
        elif event.key != "d" and self.asking[0]:
            # Any other key is a no.
            self.asking, self.said = ("", ""), ()
            self.paint()

    def _escape(self, event: events.Key) -> None:
        """First out of the line, then away with what was said; the next one leaves."""
        typing = isinstance(self.focused, Input)
        if not typing and not self.said:
            return
        event.stop()
        event.prevent_default()
        if typing:
            self.wanted = "" if self.mode == "filter" else self.wanted
            self._close_entry()
            self.look()
        else:
            self.asking, self.said = ("", ""), ()
            self.paint()

    def _close_entry(self) -> None:
        self.mode = ""
        self.query_one("#entry", Input).add_class("gone")
        self.set_focus(None)
        self.paint()

    def on_descendant_focus(self) -> None:
        """The keys go into the line now."""
        self.paint_keys()

    def on_descendant_blur(self) -> None:
        """The keys are the screen's again."""
        self.paint_keys()

    def hear(self, message: CommandStarted | CommandOutput | CommandEnded) -> None:
        """What the line that runs has to say."""
        if isinstance(message, CommandStarted):
            self.output = ""
            self.tell(f"$ {message.line}")
        elif isinstance(message, CommandOutput):
            self.output = (self.output + message.text)[:MOST_KEPT]
            self.tell(self.said[0] if self.said else "", *clean(self.output, MOST_SAID))
        elif message.exit_code:
            # The error is the first line that was printed; what follows it is advice.
            self.tell(f"$ {message.line}   exit {message.exit_code}",
                      *clean(self.output, MOST_SAID))

    def tell(self, *rows: str) -> None:
        self.said = rows
        self.line_of("said").top = 0
        self.paint()

    def action_text_up(self) -> None:
        """Scroll what the last line said."""
        self.line_of("said").scroll_rows(-4)

    def action_text_down(self) -> None:
        self.line_of("said").scroll_rows(4)
