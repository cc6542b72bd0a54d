"""What the lesson and the free lab share: the live side, the shell, the proof, the why card.

The container that is shown and the parts that are seen go to the sampler from here; the verdict
(`● RUN`, `▲ THROTTLED`, `✖ OOM`) and the cause line come from the snapshot and stand in the same
place in both screens.
"""

from __future__ import annotations

import subprocess
from typing import Any

from textual.app import SuspendNotSupported

from lab.commands import PROMPT, environment, inside_argv, shell_argv
from lab.glyphs import G
from lab.screens.ask import AskScreen
from lab.screens.screen import LabScreen
from lab.snapshot import Snapshot
from lab.widgets.cause import card, cause
from lab.widgets.line import Span, line
from lab.widgets.live import LiveSide
from lab.widgets.security import SecurityPane


class LiveScreen(LabScreen):
    """A screen with a live side."""

    def target(self) -> str | None:
        """The container to show."""
        raise NotImplementedError

    def extra_parts(self) -> frozenset[str]:
        """Parts that are seen outside the live side."""
        return frozenset()

    def looks_at(self) -> tuple[str | None, frozenset[str]]:
        return self.target(), self.query_one(LiveSide).parts() | self.extra_parts()

    def show(self, snapshot: Snapshot) -> None:
        self.query_one(LiveSide).show(snapshot)
        self.paint_cause()
        self.paint_keys()
        if self.has_class("-card"):
            self._card()

    def paint(self) -> None:
        super().paint()
        self.paint_cause()

    def paint_cause(self) -> None:
        """The last line above the keys."""
        if not self.is_mounted:
            return
        snapshot = self.lab.snapshot
        row = cause(snapshot.shown, self.size.width)
        if snapshot.trouble:
            row = line(Span(f" {snapshot.trouble}", "pressure"))
        self.line_of("cause").put([row])

    def verdict(self) -> tuple[str, str]:
        """(role, words) for the title line."""
        view = self.lab.snapshot.shown
        if view is None:
            return "dim", ""
        role, word = view.verdict
        sign = {"calm": G.run, "pressure": G.pressure, "dead": G.bad}.get(role, G.open)
        sign = {"PAUSED": G.pause, "EXIT 0": G.done}.get(word, sign)
        return role, f"{sign} {word}"

    # Panes

    def action_next_pane(self) -> None:
        """The next pane."""
        self._select_done(lambda side: side.turn(1))

    def action_previous_pane(self) -> None:
        """The pane before."""
        self._select_done(lambda side: side.turn(-1))

    def action_digit(self, number: int) -> None:
        """The pane of that number."""
        self._select_done(lambda side: side.select_number(number))

    def _select_done(self, change: Any) -> None:
        change(self.query_one(LiveSide))
        self.paint()
        self.call_after_refresh(self.look)

    def action_zoom(self) -> None:
        """One pane on the whole screen, and back."""
        self.toggle_class("-zoomed")
        self.call_after_refresh(self.look)

    def action_proof(self) -> None:
        """Copy the proof of the value under the cursor, and show it."""
        proof = self.query_one(LiveSide).take_proof()
        if proof:
            self.app.copy_to_clipboard(proof)

    def action_ask_filter(self) -> None:
        """Type a system call; the security pane says what the container's filter does with it."""
        side = self.query_one(LiveSide)
        side.select("security")
        pane = side.query_one("#pane-security", SecurityPane)
        question = "which system call? a name, and arguments as numbers: socket 40"
        self.app.push_screen(AskScreen(question, pane.asked),
                             lambda words: pane.ask(words) if words else None)
        self.call_after_refresh(self.look)

    # Why

    def action_why(self) -> None:
        """The card, and away with it."""
        self.toggle_class("-card")
        if self.has_class("-card"):
            self._card()

    def _card(self) -> None:
        view = self.lab.snapshot.shown
        if view is None or not view.row.dead:
            self.remove_class("-card")
            return
        table = self.line_of("card")
        table.put(card(view, self.size.width))
        table.refresh(layout=True)

    def action_leave(self) -> None:
        if self.has_class("-card"):
            self.remove_class("-card")
        elif self.has_class("-zoomed"):
            self.action_zoom()
        else:
            super().action_leave()

    # Shells

    def action_shell(self) -> None:
        """A shell on the host; the lab waits behind it."""
        self._suspended(shell_argv(self.lab.root), "the host: docker is container-lab here")

    def action_shell_inside(self) -> None:
        """A shell inside the container that is shown."""
        view = self.lab.snapshot.shown
        if view is None or view.row.status != "running":
            self.tell("nothing runs to have a shell in")
            return
        self._suspended(inside_argv(view.row.name), f"inside {view.row.name}")

    def _suspended(self, argv: list[str], where: str) -> None:
        """Give the terminal to a shell, and take it back when that has ended."""
        env = environment(self.lab.root) | {"PS1": PROMPT}
        try:
            with self.app.suspend():
                self.lab.screen_stands(False)
                print(f"\n  {where}. exit or ctrl+d goes back.\n", flush=True)
                subprocess.run(argv, env=env, check=False)
        except (SuspendNotSupported, OSError) as error:
            self.tell(f"no shell here: {error}")
        self.lab.screen_stands(True)
        self.lab.sampler.wake()
        self.refresh(layout=True)

    def tell(self, text: str) -> None:
        """Say something to the student; each screen has a place for it."""
        raise NotImplementedError
