"""Winding a film: forward, back, to the next phase or a name; and a held start, if there is one.

What the keys of the slow motion do, without how it looks. A start goes on in a thread of Textual's
(client/motion.py waits there until it is held again), and every change of the screen is made here,
back in Textual's own.
"""

from __future__ import annotations

from collections.abc import Callable

from textual.timer import Timer

from lab.screens.ask import AskScreen
from lab.screens.screen import LabScreen, while_it_stands
from runtime.client.film import Breakpoints, Film, Frame
from runtime.client.motion import Motion
from runtime.errors import LabError


class ReelScreen(LabScreen):
    """A screen over one start. `title` is its docker line; `reel` is held, or a film."""

    def __init__(self, title: str, name: str, reel: Motion | Film) -> None:
        super().__init__()
        self.said_title, self.container, self.reel = title, name, reel
        self.motion = reel if isinstance(reel, Motion) else None
        self.stops = Breakpoints()
        self.at = 0
        self.told = self.copied = ""
        self.busy = self.leaving = False
        self._watching: Timer | None = None

    def on_mount(self) -> None:
        if self.motion is not None:
            self._do(self.motion.begin)

    def on_unmount(self) -> None:
        if self.motion is not None:
            self.motion.abandon()

    @property
    def frames(self) -> list[Frame]:
        """The operations so far; of a film, all."""
        return self.reel.frames

    @property
    def frame(self) -> Frame | None:
        """The operation that is looked at."""
        return self.frames[self.at] if self.frames else None

    @property
    def held(self) -> bool:
        """Is the start held, before the last of the frames?"""
        return self.motion is not None and not self.motion.end

    @property
    def newborn(self) -> int:
        """The pid of the container's first process, as the host counts."""
        return next((frame.moment.pid for frame in self.frames if frame.moment), 0)

    def tell(self, text: str) -> None:
        """Say something in the rule above the sentences."""
        self.told = text
        self.paint()

    def _do(self, work: Callable[[], object]) -> None:
        """Let the start go on, in a thread; the screen follows it."""
        if self.busy:
            return
        self.busy = True
        self._watching = self.set_interval(0.1, self._follow)
        self.run_worker(lambda: self._work(work), thread=True, exit_on_error=False)

    def _work(self, work: Callable[[], object]) -> None:
        told = ""
        try:
            work()
        except (LabError, OSError) as error:
            told = str(error)
        self.app.call_from_thread(self._done, told)

    def _follow(self) -> None:
        """While it goes on: the newest operation."""
        if self.frames and self.at != len(self.frames) - 1:
            self.at = len(self.frames) - 1
            with while_it_stands():
                self.paint()

    def _done(self, told: str) -> None:
        self.busy = False
        if self._watching is not None:
            self._watching.stop()
        self.at = max(0, len(self.frames) - 1)
        motion = self.motion
        if motion is not None and motion.end and self.leaving:
            self.dismiss()
            return
        if motion is not None and motion.end == "running":
            told = f"{self.container} runs; b winds the film back"
        elif motion is not None and motion.error is not None:
            told = str(motion.error).rpartition("container init: ")[2]
        with while_it_stands():
            self.tell(told)
            self.lab.sampler.wake()

    def _see(self, index: int) -> None:
        """Look at another operation of the film."""
        self.told, self.leaving = "", False
        self.copied = ""
        self.at = max(0, min(len(self.frames) - 1, index))
        self.paint()

    def action_step(self) -> None:
        """The next operation: in the film, or by letting the held one happen."""
        if self.at < len(self.frames) - 1:
            self._see(self.at + 1)
        elif self.held and self.motion is not None:
            self._see(self.at)
            self._do(self.motion.step)

    def action_forward(self) -> None:
        """The operation after, if it is in the film already: this key lets nothing happen."""
        self._see(self.at + 1)

    def action_back(self) -> None:
        """The operation before."""
        self._see(self.at - 1)

    def action_first(self) -> None:
        """The first operation."""
        self._see(0)

    def action_last(self) -> None:
        """The last one; of a start that is held, the one that is held."""
        self._see(len(self.frames) - 1)

    def action_phase(self) -> None:
        """The first operation of the next phase."""
        if self.frame is not None:
            phase = self.frame.phase
            self._go(lambda frame: frame.phase != phase or self.stops.hit(frame))

    def action_go_on(self) -> None:
        """To the next breakpoint, or the end."""
        self._go(self.stops.hit)

    def _go(self, until: Callable[[Frame], bool]) -> None:
        """Forward to an operation: first through the film, then with the start itself."""
        for index in range(self.at + 1, len(self.frames)):
            if until(self.frames[index]):
                self._see(index)
                return
        self._see(len(self.frames) - 1)
        motion = self.motion
        if motion is not None and self.held:
            self._do(lambda: motion.run(until))

    def action_break_at(self) -> None:
        """Type where to stop: it goes there, by winding the film or by going on."""
        question = "stop at which operation, phase or function? a number goes there; −NAME forgets"
        self.app.push_screen(AskScreen(question, ""), self._break_at)

    def _break_at(self, name: str | None) -> None:
        name = (name or "").strip()
        if not name:
            return
        if name.isdecimal():
            self._see(int(name) - 1)
            return
        if name[0] in "-−":
            self.stops.names.discard(name[1:].strip())
            self._see(self.at)
            return
        self.stops.names.add(name)
        if self.held and self.at == len(self.frames) - 1:
            self._go(self.stops.hit)
            return
        found = [index for index, frame in enumerate(self.frames)
                 if Breakpoints({name}).hit(frame)]
        if found:
            self._see(next((index for index in found if index > self.at), found[0]))
        elif self.held:
            self._go(self.stops.hit)
        else:
            self.stops.names.discard(name)
            self.tell(f"{name}: nothing of that name in this film")
