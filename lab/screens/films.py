"""Which start to look at in slow motion: a new one, or the birth certificate of one that is over.

Opened from home with `s`. A new start is a docker line, typed; the container it makes is an
ordinary one, and stays. A path typed instead is what strace wrote of another runtime's start. Two
films can be laid side by side: `space` marks the first.
"""

from __future__ import annotations

import os
import shlex
from typing import Any, ClassVar, NamedTuple

from lab import actions
from lab.docker_line import docker_line
from lab.glyphs import G
from lab.screens.ask import AskScreen
from lab.screens.difference import DifferenceScreen
from lab.screens.screen import PageScreen, rule
from lab.screens.slow_motion import SlowMotionScreen
from lab.widgets.line import BLANK, Line, Span, fit, line
from lab.widgets.prose import wrapped
from runtime.client.difference import film as trace_or_container
from runtime.client.film import Film, film_of
from runtime.client.motion import Motion, prepare
from runtime.errors import Invalid, LabError
from runtime.inspect.source import Live

FIRST = "docker run --name {} lab/base sleep 600"
NAMES = ("tea", "elm", "oak", "fig", "ink", "jade", "moss", "rye")
ABOUT = ("A container is made by a hundred-odd calls of the kernel. Here a start is held before "
         "each of them, until you let it happen. Nothing is simulated: what you see on the right "
         "is what the kernel shows at that moment.")


class Entry(NamedTuple):
    """A film of the list: what it is called, the line that it is of, and what became of it."""

    name: str
    line: str
    film: Film
    note: str = ""


class FilmsScreen(PageScreen):
    """A list: the line for a new start, then every container that has a film, then traces."""

    NAME: ClassVar[str] = "films"
    BINDINGS = actions.bindings("films")

    def __init__(self, line_of_start: str = "") -> None:
        super().__init__()
        self.typed = line_of_start
        self.films: list[Entry] = []
        self.traces: list[Entry] = []
        self.at = 0
        self.marked = ""
        self.told = ""
        self.busy = False

    def on_mount(self) -> None:
        self._read()

    def on_screen_resume(self) -> None:
        self._read()
        self.paint()

    def _read(self) -> None:
        """The containers whose start was recorded, the newest first."""
        self.films = []
        containers = self.lab.engine.containers()
        for container in containers:
            try:
                film = film_of(self.lab.engine, container.id)
            except (LabError, OSError):
                continue
            if film.frames:
                self.films.append(entry_of(container, film))
        self.films += self.traces
        taken = {container.name for container in containers}
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
        entry = self.films[at - 1]
        here, marked = at == self.at, entry.name == self.marked
        count = f"{len(entry.film.frames)} operations"
        room = max(8, width - len(count) - max(10, len(entry.name)) - 18)
        return line(Span(f" {G.here if here else G.star if marked else ' '} ", "focus"),
                    Span(f"{entry.name:<10} ", "strong" if here else "text"),
                    Span(fit(entry.line, room).rstrip(), "dim"),
                    right=[Span(f"{entry.note:>8}  {count} ", "dim")])

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
            name = self.films[self.at - 1].name
            self.marked = "" if name == self.marked else name
            self.paint()

    def action_type(self) -> None:
        """Type another docker line, or the path of a trace."""
        question = "a docker run line; or the path of what strace -f -y -o wrote"
        self.app.push_screen(AskScreen(question, self.typed), self._typed)

    def _typed(self, words: str | None) -> None:
        if words and words.startswith(("/", "./", "../", "~")):
            self._trace(os.path.expanduser(words))
        elif words:
            self.typed, self.at = words, 0
            self.action_open()

    def _trace(self, path: str) -> None:
        """One more film: of another runtime's start, as strace saw it."""
        try:
            film = Film(trace_or_container(self.lab.engine, os.path.abspath(path)))
        except (LabError, OSError) as error:
            self.told = str(error)
            self.paint()
            return
        self.traces.append(Entry(os.path.basename(path), path, film, "strace"))
        self._read()
        self.at, self.told = len(self.films), ""
        self.paint()

    def action_open(self) -> None:
        """Begin the new start, play the film, or lay it beside the marked one."""
        if self.at == 0:
            self._begin()
            return
        entry = self.films[self.at - 1]
        other = next((each for each in self.films if each.name == self.marked), None)
        if other is not None and other.name != entry.name:
            self.marked = ""
            self.app.push_screen(DifferenceScreen(other.name, other.film, entry.name, entry.film))
            return
        self.app.push_screen(SlowMotionScreen(entry.line, entry.name, entry.film))

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


def entry_of(container: Any, film: Film) -> Entry:
    """The row of a container; one whose start failed, or was given up, has a film that ends there.
    """
    failed = container.state["Status"] == "created" and container.state.get("Error")
    note = "failed" if failed else "stepped" if film.host is not None else ""
    return Entry(container.name, docker_line(container.config), film, note)


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
