"""The question of a step: the option under the cursor, how sure, the line to type an answer into.

A part of the lesson screen. The keys are the question's while it is open, and the panes' again when
it is answered. What was said is the Stepper's, which writes it down at once.
"""

from __future__ import annotations

from typing import Any

from textual import events
from textual.widgets import Input

from lab.screens.live import LiveScreen
from lab.screens.step_state import StepState
from lab.widgets.lesson import SURE
from lab.widgets.live import LiveSide
from runtime.errors import LabError


class QuestionKeys(LiveScreen):
    """What the keys do to a question."""

    stepper: Any
    state: StepState

    def action_lock(self) -> None:
        """Lock the option under the cursor."""
        if not self.state.choosing(self.stepper):
            return
        self.state.notice, self.state.asking_skip = (), False
        key = self.stepper.options()[self.state.choice][0]
        try:
            if self.stepper.step.kind == "predict":
                self.stepper.predict(key, SURE[self.state.sure] if self.stepper.step.sure else "")
            else:
                self._answered(key, self.stepper.answer(key))
        except LabError as error:
            self.tell(str(error))
        self.paint()

    def _answered(self, key: str, result: Any) -> None:
        self.state.answer = result
        if self.stepper.passed:
            self.state.explained = key

    def action_digit(self, number: int) -> None:
        """Choose an option while a question is open, else a pane."""
        if self.state.choosing(self.stepper):
            if number <= len(self.stepper.options()):
                self.state.choice = number - 1
                self.paint()
            return
        if self._waits_for_answer():
            self._type(str(number))
            return
        super().action_digit(number)

    def action_up(self) -> None:
        self._move(-1)

    def action_down(self) -> None:
        self._move(1)

    def _move(self, steps: int) -> None:
        if self.state.choosing(self.stepper):
            count = len(self.stepper.options())
            self.state.choice = max(0, min(count - 1, self.state.choice + steps))
            self.paint()
        else:
            self.query_one(LiveSide).step_cursor(steps)

    def action_left(self) -> None:
        self._surer(-1)

    def action_right(self) -> None:
        self._surer(1)

    def _surer(self, steps: int) -> None:
        if self.state.choosing(self.stepper) and self.stepper.step.sure:
            self.state.sure = max(0, min(len(SURE) - 1, self.state.sure + steps))
            self.paint()
        elif not self.state.choosing(self.stepper):
            self.query_one(LiveSide).turn(steps)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not event.value.strip():
            return
        self.state.notice, self.state.asking_skip = (), False
        event.input.clear()
        try:
            self.state.answer = self.stepper.answer(event.value.strip())
        except LabError as error:
            self.tell(str(error))
        if self.stepper.passed:
            self.query_one("#answer", Input).add_class("gone")
        self.set_focus(None)
        self.paint()

    def _type(self, text: str) -> None:
        """Begin to type the answer."""
        entry = self.query_one("#answer", Input)
        # The keys of a quick hand may all come before the line has the focus.
        entry.value += text
        entry.focus()
        entry.cursor_position = len(entry.value)

    def on_paste(self, event: events.Paste) -> None:
        """What is pasted while nobody types yet is the answer."""
        if self._waits_for_answer() and event.text.strip():
            event.stop()
            self._type(event.text.strip().splitlines()[0])

    def on_descendant_focus(self) -> None:
        """The keys go into the line now."""
        self.paint_keys()

    def on_descendant_blur(self) -> None:
        """The keys are the screen's again."""
        self.paint_keys()

    def on_key(self, event: events.Key) -> None:
        """Esc leaves the answer line before it leaves the lesson; a digit begins to fill it."""
        if event.key == "escape" and isinstance(self.focused, Input):
            event.stop()
            event.prevent_default()
            self.set_focus(None)
        elif self._waits_for_answer() and (event.key == "enter" or event.key in "7890"):
            event.stop()
            event.prevent_default()
            self._type("" if event.key == "enter" else event.key)

    def _waits_for_answer(self) -> bool:
        entry = self.query_one("#answer", Input)
        return not entry.has_class("gone") and not entry.has_focus
