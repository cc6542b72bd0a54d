"""The lesson screen: a step of the lesson on one side, the kernel on the other, the cause last.

Owns what the student is doing (the option under the cursor, the output of the last line); what was
said and passed is the Stepper's, which writes it down at once. The keys of a question are in
`lesson_question.py`, running, checking and resetting in `lesson_work.py`; here is what is shown,
and the way from step to step. Which container the panes show follows from the step, unless `[` `]`
choose another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input

from lab import actions
from lab.glyphs import G
from lab.screens.lesson_work import CHECK_S, WorkKeys
from lab.screens.screen import TooSmall, rule
from lab.screens.step_state import StepState, containers_of, shown_container
from lab.snapshot import Snapshot
from lab.widgets.hood import HoodPane
from lab.widgets.lesson import LessonPanel, LessonView
from lab.widgets.line import Span, line
from lab.widgets.live import LiveSide
from lab.widgets.live_table import LiveTable


class LessonScreen(WorkKeys):
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
        self.enter_step()

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
        step = self.stepper.step
        masked = step.kind == "watch" and bool(step.option_keys) and not self.stepper.passed
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
        watching = bool(step.stops) and not self.stepper.passed
        without.add("run" if watching else "slow_motion")
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

    def enter_step(self) -> None:
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
                self.enter_step()
            elif stepper.finished:
                self.app.pop_screen()
            return
        if self.state.asking_skip:
            stepper.skip()
            self.enter_step()
            return
        self.state.asking_skip = True
        self.tell(f"Not yet: {self.state.missing(stepper.step)}. n again goes on without.")

    def action_back(self) -> None:
        """The step before, to read again."""
        if self.stepper.back():
            self.enter_step()

    def action_hint(self) -> None:
        """One more hint."""
        if self.stepper.hint() is None:
            self.tell("There are no more hints here." if self.stepper.step.hints else
                      "This step has no hints.")
        self.paint()

    def on_live_table_moved(self) -> None:
        """The cursor of the hood beside has moved: its proof stands with all the others."""
        self.query_one(LiveSide).moved()

    def action_film(self) -> None:
        """The film of the start of the container that is shown."""
        from lab.screens.films import show_film

        name = self.target()
        trouble = show_film(self.lab, name) if name else "nothing has been started here yet"
        if trouble:
            self.tell(trouble)

    def action_text_up(self) -> None:
        self.query_one(LessonPanel).scroll_rows(-5)

    def action_text_down(self) -> None:
        self.query_one(LessonPanel).scroll_rows(5)
