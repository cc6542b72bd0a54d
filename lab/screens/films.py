"""Which start to look at in slow motion: a new one, or the birth certificate of one that is over.

Opened from home with `s`. A new start is a docker line, typed; the container it makes is an
ordinary one, and stays. Two films can be laid side by side: `space` marks the first.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any, ClassVar

from textual.widget import Widget

from lab import actions
from lab.docker_line import docker_line
from lab.glyphs import G
from lab.screens.ask import AskScreen
from lab.screens.difference import DifferenceScreen
from lab.screens.screen import LabScreen, TooSmall, rule
from lab.screens.slow_motion import SlowMotionScreen
from lab.widgets.line import BLANK, Line, Span, fit, line
from lab.widgets.live_table import LiveTable
from lab.widgets.prose import wrapped
from runtime.client.film import Film, film_of
from runtime.client.motion import Motion, prepare
from runtime.errors import Invalid, LabError
from runtime.inspect.source import Live

FIRST = "docker run --name {} lab/base sleep 600"
NAMES = ("tea", "elm", "oak", "fig", "ink", "jade", "moss", "rye")
ABOUT = ("A container is made by a hundred-odd calls of the kernel. Here a start is held before "
         "each of them, until you let it happen. Nothing is simulated: what you see on the right "
         "is what the kernel shows at that moment.")


class FilmsScreen(LabScreen):
    """A list: the line for a new start, then every container that has a film."""

    NAME: ClassVar[str] = "films"
    BINDINGS = actions.bindings("films")

    def __init__(self, line_of_start: str = "") -> None:
        super().__init__()
        self.typed = line_of_start
        self.films: list[tuple[Any, Film]] = []
        self.at = 0
        self.marked = ""
        self.told = ""
        self.busy = False

    def compose(self) -> Iterator[Widget]:
        yield LiveTable(id="title", classes="one")
        yield LiveTable(id="page")
        yield LiveTable(id="foot", classes="one")
        yield LiveTable(id="keys", classes="one")
        yield TooSmall(classes="too-small")

    def on_mount(self) -> None:
        self._read()

    def on_screen_resume(self) -> None:
        self._read()
        self.paint()

    def _read(self) -> None:
        """The containers whose start was recorded, the newest first."""
        self.films = []
        for container in self.lab.engine.containers():
            try:
                film = film_of(self.lab.engine, container.id)
            except (LabError, OSError):
                continue
            if film.frames:
                self.films.append((container, film))
        taken = {container.name for container in self.lab.engine.containers()}
        if not self.typed or self.typed in (FIRST.format(name) for name in NAMES):
            self.typed = FIRST.format(next((name for name in NAMES if name not in taken), "tea2"))
        self.at = min(self.at, len(self.films))

    # What is on the screen

    def paint(self) -> None:
        super().paint()
        if not self.is_mounted:
            return
        page = self.line_of("page")
        width = max(20, page.size.width - 1)
        self.line_of("title").put([rule("slow motion")])
        rows = [BLANK, *wrapped(ABOUT, width, " ", " "), BLANK, self._new(), BLANK,
                line(Span(" starts that are over", "dim"))]
        rows += [self._row(at, width) for at in range(1, len(self.films) + 1)]
        if not self.films:
            rows.append(line(Span("   none yet", "dim")))
        page.put(rows)
        page.top = max(0, min(len(rows) - 1 - (len(self.films) - self.at) - page.size.height + 1,
                              len(rows) - page.size.height))
        page.refresh()
        words = self.told or (f"{self.marked} is marked: enter lays another beside it"
                              if self.marked else "")
        self.line_of("foot").put([rule(words)])

    def _new(self) -> Line:
        here = self.at == 0
        return line(Span(f" {G.here if here else ' '} ", "focus"),
                    Span("a new start  ", "strong" if here else "text"),
                    Span(f"$ {self.typed}", "code"))

    def _row(self, at: int, width: int) -> Line:
        container, film = self.films[at - 1]
        here, marked = at == self.at, container.name == self.marked
        count = f"{len(film.frames)} operations"
        # One that was given up, or could not be: its film ends there.
        failed = container.state["Status"] == "created" and container.state.get("Error")
        stepped = "failed" if failed else "stepped" if film.host is not None else ""
        room = max(8, width - len(count) - len(container.name) - 22)
        return line(Span(f" {G.here if here else G.star if marked else ' '} ", "focus"),
                    Span(f"{container.name:<10} ", "strong" if here else "text"),
                    Span(fit(docker_line(container.config), room).rstrip(), "dim"),
                    right=[Span(f"{stepped:>8}  {count} ", "dim")])

    def unavailable(self) -> frozenset[str]:
        return frozenset({"mark"} if self.at == 0 else {"type"})

    # Keys

    def action_up(self) -> None:
        self._move(-1)

    def action_down(self) -> None:
        self._move(1)

    def _move(self, steps: int) -> None:
        self.at = max(0, min(len(self.films), self.at + steps))
        self.told = ""
        self.paint()

    def action_mark(self) -> None:
        """Mark the film under the cursor as the first of two, or no longer."""
        if self.at:
            name = self.films[self.at - 1][0].name
            self.marked = "" if name == self.marked else name
            self.paint()

    def action_type(self) -> None:
        """Type another docker line."""
        self.app.push_screen(AskScreen("which start? a docker run line", self.typed), self._typed)

    def _typed(self, words: str | None) -> None:
        if words:
            self.typed, self.at = words, 0
            self.action_open()

    def action_open(self) -> None:
        """Begin the new start, play the film, or lay it beside the marked one."""
        if self.at == 0:
            self._begin()
            return
        container, film = self.films[self.at - 1]
        other = next((each for each in self.films if each[0].name == self.marked), None)
        if other is not None and other[0].name != container.name:
            self.marked = ""
            self.app.push_screen(DifferenceScreen(other[0].name, other[1], container.name, film))
            return
        self.app.push_screen(SlowMotionScreen(docker_line(container.config), container.name, film))

    def _begin(self) -> None:
        """Make the container, in a thread: the first one has its image made before it."""
        if self.busy:
            return
        self.busy, self.told = True, "making the container"
        self.paint()
        self.run_worker(self._make, thread=True, exit_on_error=False)

    def _make(self) -> None:
        try:
            made: Motion | str = begun(self.lab.engine, self.typed)
        except (LabError, OSError, ValueError) as error:
            made = str(error).splitlines()[0]
        self.app.call_from_thread(self._made, made)

    def _made(self, made: Motion | str) -> None:
        self.busy, self.told = False, made if isinstance(made, str) else ""
        if isinstance(made, Motion) and self.is_current:
            self.app.push_screen(SlowMotionScreen(self.typed, made.container.name, made))
        elif self.is_mounted:
            self.paint()


def begun(engine: Any, typed: str) -> Motion:
    """Make the container of a docker line, ready to be started in slow motion."""
    words = shlex.split(typed)
    if words[:1] in (["docker"], ["container-lab"]):
        words = words[1:]
    if words[:1] != ["run"]:
        raise Invalid("a start is a line that begins with docker run")
    return Motion(engine, prepare(engine, words[1:]), Live())


def show_film(lab: Any, name: str) -> str:
    """Play the film of a container's start; what is against it, or ""."""
    try:
        container = lab.engine.find(name)
        film = film_of(lab.engine, container.id)
    except (LabError, OSError) as error:
        return str(error)
    if not film.frames:
        return f"{name} has not been started yet: there is no film of it"
    lab.push_screen(SlowMotionScreen(docker_line(container.config), name, film))
    return ""
