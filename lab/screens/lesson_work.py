"""What is done in a step: its lines are run, its checks are looked at, it is reset.

A part of the lesson screen. Checks and a reset run in worker threads; what they found comes back as
a message, or in a call from the thread, and only then changes the screen.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual import events

from lab.messages import Checked, CommandEnded, CommandOutput, CommandStarted
from lab.screens.lesson_question import QuestionKeys
from lab.screens.screen import while_it_stands
from lab.screens.step_state import Trouble, named_in
from runtime.errors import LabError

if TYPE_CHECKING:
    from runtime.client.motion import Motion

CHECK_S = 0.4


class WorkKeys(QuestionKeys):
    """What the keys do to the kernel."""

    chosen_name: str
    _checking: bool

    def enter_step(self) -> None:
        """A step has begun."""
        raise NotImplementedError

    # Running the line

    def action_run(self) -> None:
        """Run the lines of this step, for real; a start that is to be watched is held."""
        lines = self.stepper.commands()
        if not lines:
            self.tell("This step has no command line; e gives you a shell.")
        elif not all(self.stepper.passed_step(one) for one in self.stepper.step.needs):
            self.tell("First your prediction: b goes back to it.")
        elif self.stepper.step.stops and not self.stepper.passed:
            self._step_through(lines[0])
        elif not self.lab.commands.run(lines):
            self.tell(f"Still running: {self.lab.commands.busy}")
        else:
            named = named_in(lines[:1])
            self.chosen_name = ""
            if named:
                self.lab.look(named[0], self.looks_at()[1])

    def action_slow_motion(self) -> None:
        """The start of this step, held before each call."""
        if self.stepper.step.stops and not self.stepper.passed:
            self.action_run()
        else:
            self.tell("No start to step through here; m plays the film of one that is over.")

    def _step_through(self, line: str) -> None:
        """The slow motion over this start, with the step's breakpoints."""
        from lab.screens.slow_motion import SlowMotionScreen

        try:
            motion = self._held(line)
        except (LabError, OSError, ValueError) as error:
            self.tell(str(error).splitlines()[0])
            return
        screen = SlowMotionScreen(line, motion.container.name, motion)
        screen.stops.names |= set(self.stepper.step.stops)
        self.app.push_screen(screen, lambda _: self.ask_checks())

    def _held(self, line: str) -> Motion:
        """The start of the line; of a container that is made and not started, its own."""
        from lab.screens.films import begun
        from runtime.client.motion import Motion
        from runtime.inspect.source import Live

        name = self.stepper.container()
        made = next((one for one in self.lab.engine.containers()
                     if one.name == name and one.status == "created"), None)
        return Motion(self.lab.engine, made.id, Live()) if made else begun(self.lab.engine, line)

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

    def on_key(self, event: events.Key) -> None:
        """What was asked stands until the next key; another one is a no."""
        if self.state.asking_reset and event.key in ("s", "l"):
            event.stop()
            event.prevent_default()
            self._reset_now("step" if event.key == "s" else "lesson")
        self.state.asking_reset &= event.key == "x"
        self.state.asking_skip &= event.key == "n"

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
        self.app.call_from_thread(self.enter_step)

    def tell(self, text: str) -> None:
        self.state.notice = (text,)
        self.paint()
