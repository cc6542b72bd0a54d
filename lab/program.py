"""The Textual program: owns the engine, the sampler and the course, and hands snapshots to screens.

Runs in the main thread of `container-lab`. The sampler and the command runner are threads that post
messages; what a message changes is decided here and in the screens' handlers, nowhere else.
An error that nobody foresaw ends the program with one line on a restored terminal, and the whole
story in ROOT/lab-error.log: never a traceback over a student's screen.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.filter import NoColor

from lab.commands import Commands
from lab.messages import CommandEnded, CommandOutput, CommandStarted, Sampled
from lab.sampler import Sampler
from lab.screens.screen import LabScreen, while_it_stands
from lab.snapshot import Snapshot
from lab.theme import PALETTES, textual_theme
from runtime.errors import LabError
from runtime.inspect.source import Source


class Lab(App[int]):
    """The program. `course` and `progress` are None when the lessons cannot be read."""

    CSS_PATH = "theme.tcss"
    ENABLE_COMMAND_PALETTE = False
    TITLE = "container-lab"

    def __init__(self, engine: Any, source: Source, root: str | None = None, course: Any = None,
                 progress: Any = None, trouble: str = "", spawner: Any = None,
                 look_with: Callable[..., Any] = Sampler) -> None:
        super().__init__()
        self.engine, self.source, self.root = engine, source, root
        self.course, self.progress, self.trouble = course, progress, trouble
        self.snapshot = Snapshot()
        self.report: Any = None
        self.examining = ""
        self.failure = ""
        self.sampler = look_with(engine, source, lambda found: self.post_message(Sampled(found)))
        self.commands = Commands(root, self.post_message, spawner)
        self.spawner = spawner
        for palette in PALETTES.values():
            self.register_theme(textual_theme(palette, self.no_color))
        self.theme = first_theme()
        if self.no_color:
            # Textual's own answer to NO_COLOR is greys on a dark ground.
            self._filters = [NoColor()]

    def on_mount(self) -> None:
        from lab.screens.home import HomeScreen

        self.push_screen(HomeScreen())
        self.sampler.start()
        self.screen_stands(True)

    def screen_stands(self, up: bool) -> None:
        """Tell who puts the terminal right when this program is killed."""
        if self.spawner is not None:
            self.spawner.screen(up)

    def action_help_quit(self) -> None:
        """ctrl+c: Textual would name its own key; ours is another."""
        tell = getattr(self.screen, "tell", None)
        words = "q goes back, and from the first screen out of the lab; containers stay"
        if tell is not None:
            tell(words)
        else:
            self.notify(words, timeout=3)

    def look(self, name: str | None, parts: frozenset[str]) -> None:
        """Tell the sampler what is seen."""
        self.sampler.look(name, parts)

    def examine(self) -> None:
        """Let the doctor look at this host, once, in a thread; the screens hear of it."""
        if self.report is None and not self.examining:
            self.examining = "looking at this host"
            self.run_worker(self._examine, thread=True, exit_on_error=False)

    def _examine(self) -> None:
        from runtime.inspect.host import doctor

        try:
            self.report = doctor(self.source, self.root)
        except (LabError, OSError, ValueError) as error:
            self.examining = f"the doctor could not look: {error}"
        self.call_from_thread(self._examined)

    def _examined(self) -> None:
        for screen in self.screen_stack:
            tell = getattr(screen, "examined", None)
            if tell is not None:
                with while_it_stands():
                    tell()

    def on_sampled(self, message: Sampled) -> None:
        self.snapshot = message.snapshot
        if isinstance(self.screen, LabScreen):
            with while_it_stands():
                self.screen.show(message.snapshot)

    def on_command_started(self, message: CommandStarted) -> None:
        self.sampler.hurry()
        self._pass_on(message)

    def on_command_output(self, message: CommandOutput) -> None:
        self._pass_on(message)

    def on_command_ended(self, message: CommandEnded) -> None:
        self.sampler.wake()
        self._pass_on(message)

    def _pass_on(self, message: CommandStarted | CommandOutput | CommandEnded) -> None:
        """To every screen of the stack: a line goes on while its screen is covered by help."""
        for screen in self.screen_stack:
            hear = getattr(screen, "hear", None)
            if hear is not None:
                with while_it_stands():
                    hear(message)

    def _on_exit_app(self) -> Any:
        self.close()
        return super()._on_exit_app()

    def close(self) -> None:
        """End the threads; containers stay."""
        self.sampler.stop()
        self.commands.close()

    def _handle_exception(self, error: Exception) -> None:
        """One line after the terminal is restored; the traceback goes to a file."""
        self.failure = f"{type(error).__name__}: {error}"
        where = os.path.join(getattr(self.engine, "root", "") or "/tmp", "lab-error.log")
        try:
            with open(where, "a") as log:
                log.write("".join(traceback.format_exception(error)))
            self.failure += f" (the whole story is in {where})"
        except OSError:
            pass
        if self.is_headless:
            super()._handle_exception(error)
        else:
            self.exit(1, return_code=1)


def first_theme() -> str:
    """CONTAINER_LAB_THEME=dark|light, else what the terminal says of its background, else dark."""
    wished = os.environ.get("CONTAINER_LAB_THEME", "")
    if wished in ("dark", "light"):
        return f"lab-{wished}"
    # rxvt and konsole tell "foreground;background" by their 16-colour numbers: 7 and 15 are light.
    background = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return "lab-light" if background in ("7", "15") else "lab-dark"


def run_program(lab: Lab) -> int:
    """Run it in this terminal; the exit code."""
    try:
        lab.run()
    finally:
        lab.screen_stands(False)
        lab.close()
    if lab.failure:
        print(f"container-lab: {lab.failure}", file=sys.stderr)
        return 1
    return 0
