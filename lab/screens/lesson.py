"""The lesson screen: a step of the lesson on one side, the kernel on the other, the cause last.

Owns what the student is doing (the option under the cursor, the output of the last line); what was
said and passed is the Stepper's, which writes it down at once. Checks are read in a worker thread
and come back as a message. Which container the panes show follows from the step, unless `[` `]`
choose another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar

from textual import events
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input

from lab import actions
from lab.glyphs import G
from lab.messages import Checked, CommandEnded, CommandOutput, CommandStarted
from lab.screens.live import LiveScreen
from lab.screens.screen import TooSmall, rule, while_it_stands
from lab.screens.step_state import (
    StepState,
    Trouble,
    containers_of,
    named_in,
    shown_container,
)
from lab.snapshot import Snapshot
from lab.widgets.hood import HoodPane
from lab.widgets.lesson import SURE, LessonPanel, LessonView
from lab.widgets.line import Span, line
from lab.widgets.live import LiveSide
from lab.widgets.live_table import LiveTable
from runtime.errors import LabError

CHECK_S = 0.4


class LessonScreen(LiveScreen):
    """One lesson, from the step where the student stopped."""

    NAME: ClassVar[str] = "lesson"
    BINDINGS = actions.bindings("lesson")

    def __init__(self, stepper: Any, hindrance: str = "") -> None:
        super().__init__()
        self.stepper, self.hindrance = stepper, hindrance
        self.chosen_name = ""
        self.state = StepState()
        self._checking = False

    def compose(self) -> Iterator[Widget]:
        yield LiveTable(id="title", classes="one")
        with Horizontal(id="body"):
            with Vertical(id="lesson-side"):
                yield LessonPanel(id="lesson")
                yield Input(id="answer", classes="line gone", select_on_focus=False,
                            placeholder=" enter: type your answer")
            yield LiveSide(self.stepper.lesson.panes)
            with Vertical(id="hood-side"):
                yield LiveTable(id="hood-title", classes="one")
                yield HoodPane(id="hood-beside", classes="companion")
        yield LiveTable(id="card")
        yield LiveTable(id="cause", classes="one")
        yield LiveTable(id="keys", classes="one")
        yield TooSmall(classes="too-small")

    def on_mount(self) -> None:
        self.set_interval(CHECK_S, self.ask_checks)
        self.query_one(LiveSide).lend(self.query_one("#hood-beside", HoodPane))
        self._enter()

    # What is on the screen

    @property
    def view(self) -> LessonView:
        """The step as it is now."""
        # What was done may not have been written down, as on a full disk.
        kept = getattr(self.lab.progress, "notice", "")
        return self.state.view(self.stepper, kept if kept != self.lab.trouble else "",
                               self.hindrance)

    def paint(self) -> None:
        super().paint()
        if self.is_mounted:
            self.query_one(LessonPanel).show(self.view)
            self._mask()
            self._title()
            here = self.query_one(LiveSide).pane.id == "hood-beside"
            self.line_of("hood-title").put([rule(f"{G.here if here else ''}Under the hood")])

    def _mask(self) -> None:
        """While the student is to name the phases of a start, the hood does not tell them."""
        masked = self.stepper.step.kind == "watch" and not self.stepper.passed
        for pane in self.query(HoodPane):
            if pane.masked != masked:
                pane.masked = masked
                pane.rebuild()

    def _title(self) -> None:
        lesson, index = self.stepper.lesson, self.stepper.index
        number = f"{lesson.number} " if lesson.number else ""
        step = f"step {index + 1} of {len(lesson.steps)}"
        role, word = self.verdict()
        self.line_of("title").put([line(
            Span(f" {number}{lesson.title}", "title"),
            right=[Span(f"{step}  ", "dim"), Span(f" {word} " if word else "", role)],
        )])

    def show(self, snapshot: Snapshot) -> None:
        super().show(snapshot)
        beside = self.query_one("#hood-beside", HoodPane)
        if beside.size.width:
            beside.show(snapshot)
        self._title()
        self.look()

    def unavailable(self) -> frozenset[str]:
        step, without = self.stepper.step, set()
        if not self.stepper.commands() or self.stepper.passed:
            without.add("run")
        if len(self.stepper.hints_shown()) >= len(step.hints):
            without.add("hint")
        if not self.state.choosing(self.stepper):
            without.add("lock")
        view = self.lab.snapshot.shown
        if view is None or not view.row.dead:
            without.add("why")
        return frozenset(without | {"next_pane", "back"})

    # Which container

    def target(self) -> str | None:
        return shown_container(self.stepper, self.lab.snapshot.containers, self.chosen_name)

    def extra_parts(self) -> frozenset[str]:
        return HoodPane.PARTS if self.query_one("#hood-beside").size.width else frozenset()

    def action_next_container(self) -> None:
        """The next container of this lesson."""
        self._turn_container(1)

    def action_previous_container(self) -> None:
        """The container before."""
        self._turn_container(-1)

    def _turn_container(self, steps: int) -> None:
        there = containers_of(self.stepper, self.lab.snapshot.containers)
        if there:
            now = self.target()
            place = there.index(now) if now in there else 0
            self.chosen_name = there[(place + steps) % len(there)]
            self.look()

    # The step

    def _enter(self) -> None:
        """A step has begun."""
        self.state, self.chosen_name = StepState(), ""
        step = self.stepper.step
        asks = step.kind == "ask" and not self.stepper.passed
        entry = self.query_one("#answer", Input)
        entry.set_class(not asks, "gone")
        self.query_one("#lesson-side").set_class(step.kind == "ask", "-asks")
        entry.value = ""
        # Not focused yet: the answer is looked up first, and for that the keys are needed.
        self.set_focus(None)
        if step.focus:
            self.query_one(LiveSide).point(step.focus)
        self.query_one(LessonPanel).top = 0
        self.ask_checks()
        self.paint()
        self.look()

    def action_next(self) -> None:
        """The next step, or why not yet."""
        stepper = self.stepper
        if stepper.passed:
            if stepper.next():
                self._enter()
            elif stepper.finished:
                self.app.pop_screen()
            return
        if self.state.asking_skip:
            stepper.skip()
            self._enter()
            return
        self.state.asking_skip = True
        self.tell(f"Not yet: {self.state.missing(stepper.step)}. n again goes on without.")

    def action_back(self) -> None:
        """The step before, to read again."""
        if self.stepper.back():
            self._enter()

    def action_hint(self) -> None:
        """One more hint."""
        if self.stepper.hint() is None:
            self.tell("There are no more hints here." if self.stepper.step.hints else
                      "This step has no hints.")
        self.paint()

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

    def on_live_table_moved(self) -> None:
        """The cursor of the hood beside has moved: its proof stands with all the others."""
        self.query_one(LiveSide).moved()

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

    def action_text_up(self) -> None:
        self.query_one(LessonPanel).scroll_rows(-5)

    def action_text_down(self) -> None:
        self.query_one(LessonPanel).scroll_rows(5)

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
        """Esc leaves the answer line before it leaves the lesson; another key is a no."""
        if self.state.asking_reset and event.key in ("s", "l"):
            event.stop()
            event.prevent_default()
            self._reset_now("step" if event.key == "s" else "lesson")
        self.state.asking_reset &= event.key == "x"
        self.state.asking_skip &= event.key == "n"
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

    # Running the line

    def action_run(self) -> None:
        """Run the lines of this step, for real."""
        lines = self.stepper.commands()
        if not lines:
            self.tell("This step has no command line; e gives you a shell.")
        elif not all(self.stepper.passed_step(one) for one in self.stepper.step.needs):
            self.tell("First your prediction: b goes back to it.")
        elif not self.lab.commands.run(lines):
            self.tell(f"Still running: {self.lab.commands.busy}")
        else:
            named = named_in(lines[:1])
            self.chosen_name = ""
            if named:
                self.lab.look(named[0], self.looks_at()[1])

    def hear(self, message: CommandStarted | CommandOutput | CommandEnded) -> None:
        """What the line that runs has to say."""
        if isinstance(message, CommandStarted):
            self.state.began(message.line)
        elif isinstance(message, CommandOutput):
            self.state.printed(message.text)
        else:
            self.state.ended(message.line, message.exit_code)
            self.ask_checks()
        self.paint()

    # The checks

    def ask_checks(self) -> None:
        """Look at the kernel for the checks, in a thread; one at a time."""
        step = self.stepper.step
        if self._checking or not step.checks:
            return
        self._checking = True
        self.run_worker(self._check(step.id), thread=True, group="checks", exit_on_error=False)

    def _check(self, step_id: str) -> Callable[[], None]:
        def look() -> None:
            try:
                results = tuple(self.stepper.check())
            except Exception as error:
                # Whatever it was, the next look may be better; and it must be able to come.
                results = (Trouble(str(error)),)
            self.post_message(Checked(step_id, results))

        return look

    def on_checked(self, message: Checked) -> None:
        self._checking = False
        if message.step_id != self.stepper.step.id:
            return
        if message.results != self.state.results:
            self.state.results = message.results
            with while_it_stands():
                self.paint()

    # Reset

    def action_reset(self) -> None:
        """Say what a reset destroys, and do it when asked again: s this step, x or l the lesson."""
        if self.state.asking_reset:
            self._reset_now("lesson")
            return
        step, lesson = (", ".join(self.stepper.preview_reset(scope)) or
                        "nothing on this host, only your answers here"
                        for scope in ("step", "lesson"))
        self.state.asking_reset = True
        self.tell(f"x again resets this lesson and destroys: {lesson}. "
                  f"s resets this step alone and destroys: {step}.")

    def _reset_now(self, scope: str) -> None:
        self.state.asking_reset = False
        self.tell("Resetting …")
        self.run_worker(partial(self._reset, scope), thread=True, group="reset",
                        exit_on_error=False)

    def _reset(self, scope: str) -> None:
        try:
            self.stepper.reset(scope)
        except (LabError, OSError) as error:
            self.app.call_from_thread(self.tell, str(error))
            return
        self.app.call_from_thread(self._enter)

    def tell(self, text: str) -> None:
        self.state.notice = (text,)
        self.paint()
