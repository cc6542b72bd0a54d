"""Home: the course map. Which lessons are done, open, or closed on this host, and why.

Twin of a book's table of contents. What the host cannot do is known only after the doctor has
looked, in a process of its own; until then nothing is called closed. No lesson is locked for want
of another one: what should come first stands beside it, and the student decides.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any, ClassVar

from textual.containers import Horizontal
from textual.widget import Widget

from lab import actions
from lab.glyphs import G
from lab.screens.screen import LabScreen, TooSmall, rule
from lab.snapshot import Snapshot
from lab.widgets.line import BLANK, Line, Span, line
from lab.widgets.live_table import LiveTable
from lab.widgets.prose import wrapped
from runtime.errors import LabError


class HomeScreen(LabScreen):
    """The course map."""

    NAME: ClassVar[str] = "home"
    BINDINGS = actions.bindings("home")

    def __init__(self) -> None:
        super().__init__()
        self.at = 0
        self.told = ""

    def compose(self) -> Iterator[Widget]:
        yield LiveTable(id="title", classes="one")
        yield LiveTable(id="heads", classes="one")
        with Horizontal(id="home"):
            yield LiveTable(id="tracks")
            yield LiveTable(id="lessons")
        yield LiveTable(id="foot", classes="one")
        yield LiveTable(id="continue", classes="one")
        yield LiveTable(id="keys", classes="one")
        yield TooSmall(classes="too-small")

    def on_mount(self) -> None:
        last = self.lab.progress.last() if self.lab.progress else None
        ids = [lesson.id for lesson in self.lessons]
        self.at = ids.index(last) if last in ids else 0
        # Not yet: its imports and its probes would hold back the first paint.
        self.set_timer(1.0, self._after_first_paint)

    def _after_first_paint(self) -> None:
        gc.enable()
        gc.freeze()
        self.lab.examine()

    def on_screen_resume(self) -> None:
        self.paint()

    @property
    def lessons(self) -> list[Any]:
        """Every lesson, in the order of the course."""
        return list(self.lab.course.lessons()) if self.lab.course else []

    @property
    def lesson(self) -> Any:
        """The lesson under the cursor."""
        lessons = self.lessons
        return lessons[self.at] if lessons else None

    # What is on the screen

    def show(self, snapshot: Snapshot) -> None:
        self._title()

    def paint(self) -> None:
        super().paint()
        self._title()
        self.line_of("heads").put([rule("course")])
        self.line_of("tracks").put(self._tracks())
        self.line_of("lessons").put(self._lessons())
        self.line_of("foot").put([rule()])
        self.line_of("continue").put([self._continue()])

    def _title(self) -> None:
        host = self.lab.snapshot.host
        words = [word for word in ("root" if host.root else "not root",
                                   f"Linux {host.release}" if host.release else "",
                                   f"cgroup {host.cgroup}" if host.cgroup else "") if word]
        ready = host.root and host.cgroup not in ("", "none")
        sign = Span(f" {G.done if ready else G.pressure} ", "calm" if ready else "pressure")
        self.line_of("title").put([line(
            Span(" container-lab", "title"),
            right=[Span(f" {G.dot} ".join(words), "dim"), sign if host.release else Span(" ")])])

    def _tracks(self) -> list[Line]:
        rows = []
        here = self.lesson.track if self.lesson else ""
        for track in self.lab.course.tracks if self.lab.course else ():
            done = sum(self._state(one) == "done" for one in track.lessons)
            count = len(track.lessons)
            mark = G.here if track.id == here else G.done if done == count else " "
            role = "focus" if track.id == here else "calm" if done == count else "dim"
            weight = "strong" if track.id == here else "text"
            rows.append(line(Span(f" {mark} ", role), Span(f"{track.number} {track.title}", weight),
                             right=[Span(f"{done} of {count} ", "dim")]))
        note = self.lab.course.note if self.lab.course else ""
        width = max(20, self.line_of("tracks").size.width)
        return [*rows, BLANK, *wrapped(note, width, "   ", "   ", "dim")] if note else rows

    def _lessons(self) -> list[Line]:
        width = max(20, self.line_of("lessons").size.width)
        if self.lab.course is None or self.lesson is None:
            words = "The lessons cannot be read here. The free lab works: f."
            return [BLANK, *wrapped(words, width, " ", " ", "pressure")]
        track = next(one for one in self.lab.course.tracks if one.id == self.lesson.track)
        rows = [BLANK, line(Span(f" {track.title}", "title")), BLANK]
        if track.about:
            rows += [*wrapped(track.about, width, " ", " "), BLANK]
        for one in track.lessons:
            rows += self._row(one, width)
        rows += [BLANK, *wrapped(self.lesson.question, width, " ", " ", "dim")]
        first = self._first()
        if first:
            rows += [BLANK, *wrapped(f"Better first: {first}", width, " ", " ", "dim")]
        return rows

    def _row(self, lesson: Any, width: int) -> list[Line]:
        """A lesson: done, seen, open or closed on this host; why it is closed stands under it."""
        here = lesson.id == self.lesson.id
        closed, state = self._hindrance(lesson), self._state(lesson)
        sign, role = ((G.closed, "dim") if closed else (G.done, "calm") if state == "done"
                      else (G.begun, "pressure") if state == "open" else (G.open, "dim"))
        words = f"{lesson.minutes} min"
        if state == "seen":
            words = f"seen, {self.lab.progress.skipped(lesson.id)} skipped"
        row = line(Span(f" {G.here if here else ' '} ", "focus"), Span(f"{sign} ", role),
                   Span(lesson.title, "strong" if here else "text"),
                   right=[Span(f" {words} ", "dim")])
        return [row, *wrapped(closed, width, " " * 5, " " * 5, "pressure")] if closed else [row]

    def _state(self, lesson: Any) -> str:
        return str(self.lab.progress.state(lesson.id)) if self.lab.progress else "new"

    def _hindrance(self, lesson: Any) -> str:
        """Why this host cannot play it; "" when it can, or before the doctor has looked."""
        if self.lab.report is None:
            return ""
        unmet = lesson.unmet(self.lab.report)
        return str(unmet[0][1]) if unmet else ""

    def _first(self) -> str:
        """The lessons that teach what this one needs, and are not done."""
        taught = {slug: one for one in self.lessons for slug in one.teaches}
        before = [taught[slug] for slug in self.lesson.needs if slug in taught]
        return ", ".join(dict.fromkeys(one.title for one in before
                                       if self._state(one) != "done" and one.id != self.lesson.id))

    def _continue(self) -> Line:
        host = self.lab.snapshot.host
        told = self.told or getattr(self.lab.progress, "notice", "") or self.lab.trouble
        if told:
            return line(Span(f" {told}", "pressure"))
        if not host.root:
            way = getattr(self.lab.report, "way", None)
            words = way.sentence if way else "Not root: which way containers run, d says."
            return line(Span(f" {words}", "pressure"))
        last = self._last()
        if last is None:
            return line(Span(self._beginning(), "dim"))
        step = self.lab.progress.step(last.id) + 1
        return line(Span(" continue  ", "dim"), Span(last.title, "text"),
                    Span(f"   step {step} of {len(last.steps)}", "dim"))

    def _beginning(self) -> str:
        """What comes next when no lesson is begun."""
        ahead = self._ahead()
        if ahead is None:
            return " Every lesson is done. f is the free lab; a lesson can be played again: enter."
        if any(self._state(one) == "done" for one in self.lessons):
            return f" Next: {ahead.title}: c."
        key = "enter" if self.lesson is ahead else "c"
        return f" Begin with the first lesson: {key}."

    def _ahead(self) -> Any:
        """The first lesson that is not done and can be played here."""
        left = [one for one in self.lessons if self._state(one) != "done"]
        return next((one for one in left if not self._hindrance(one)), left[0] if left else None)

    def _last(self) -> Any:
        if self.lab.progress is None:
            return None
        last = self.lab.progress.last()
        return next((one for one in self.lessons
                     if one.id == last and self._state(one) == "open"), None)

    def examined(self) -> None:
        """The doctor has looked."""
        self.paint()

    # Keys

    def action_up(self) -> None:
        self._move(-1)

    def action_down(self) -> None:
        self._move(1)

    def _move(self, steps: int) -> None:
        if self.lessons:
            self.at = max(0, min(len(self.lessons) - 1, self.at + steps))
            self.paint()

    def action_left(self) -> None:
        self._track(-1)

    def action_right(self) -> None:
        self._track(1)

    def _track(self, steps: int) -> None:
        """The first lesson of the next track, or of the one before."""
        if self.lesson is None:
            return
        tracks = [one.id for one in self.lab.course.tracks if one.lessons]
        place = max(0, min(len(tracks) - 1, tracks.index(self.lesson.track) + steps))
        self.at = next(number for number, one in enumerate(self.lessons)
                       if one.track == tracks[place])
        self.paint()

    def action_open(self) -> None:
        """Open the lesson under the cursor."""
        if self.lesson is not None:
            self._open(self.lesson)

    def action_go_on(self) -> None:
        """Open the lesson where the student stopped, or the next one."""
        lesson = self._last() or self._ahead() or self.lesson
        if lesson is not None:
            self._open(lesson)

    def _open(self, lesson: Any) -> None:
        self.told = ""
        from lab.course.stepper import Stepper
        from lab.screens.lesson import LessonScreen

        try:
            stepper = Stepper(lesson, self.lab.engine, self.lab.source, self.lab.progress)
        except (LabError, OSError) as error:
            self.told = str(error)
            self.paint()
            return
        # Closed is not locked: what this host cannot do can still be read.
        self.app.push_screen(LessonScreen(stepper, self._hindrance(lesson)))

    def action_free(self) -> None:
        """The free lab."""
        from lab.screens.free import FreeScreen

        self.app.push_screen(FreeScreen())

    def action_ablation(self) -> None:
        """The ablation board."""
        from lab.screens.ablation import AblationScreen

        self.app.push_screen(AblationScreen())

    def action_slow(self) -> None:
        """A start, one operation at a time."""
        from lab.screens.films import FilmsScreen

        self.app.push_screen(FilmsScreen())

    def action_doctor(self) -> None:
        """What this host can do."""
        from lab.screens.doctor import DoctorScreen

        self.app.push_screen(DoctorScreen())

    def action_leave(self) -> None:
        """Leave the lab; containers stay."""
        self.app.exit(0)
