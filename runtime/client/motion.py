"""A start in slow motion: held before each operation, and a film of all that has happened so far.

Runs in whoever steps: `run --step`, or the lab; the start itself goes on in a thread of the same
process, so that whatever ends the one who steps ends the start, and the shim takes it back. Before
each operation the kernel is asked how things stand (inspect/moments.py) and the answer is kept:
that is what rewinding shows. It draws nothing; every call returns when the start is held again.

    motion = Motion(engine, "tea", Live())
    motion.begin()                       held before the first operation
    motion.step()                        … before the second
    motion.run(until=Breakpoints({"execve"}).hit)
    motion.frames[30].operation, .moment; motion.end is "" while held, then "running" or "failed"
"""

from __future__ import annotations

import _thread
import os

from runtime import documents
from runtime.client.film import FILE, Breakpoints, Frame
from runtime.errors import Conflict, LabError, Unsupported
from runtime.inspect import moments
from runtime.trace.holder import Holder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runtime.engine.engine import Engine
    from runtime.inspect.moments import Moment
    from runtime.inspect.source import Source
    from runtime.trace.holder import Event, Line

GIVEN_UP = "given up"


def check_runtime(runtime: str) -> None:
    """Raises Unsupported for a runtime of others: whatever it does, we hear of it afterwards."""
    if runtime not in ("", "container-lab"):
        raise Unsupported(f"step through a start by {runtime}: only our own runtime tells of its "
                          "operations and can be held", "leave out --runtime", exit_code=125)


class Motion:
    """One start that is held. For one thread at a time."""

    def __init__(self, engine: Engine, ref: str, source: Source) -> None:
        self.engine, self.source = engine, source
        self.container = engine.find(ref)
        self.frames: list[Frame] = []
        self.end = ""
        self.error: LabError | OSError | None = None
        self.last: Moment | None = None  # of the program, when it runs
        self.host = moments.moment(source, os.getpid())
        self._holder: Holder | None = None
        self._held: Event | None = None
        self._waiting: list[Event] = []
        self._init = 0
        self._done = self._abandoned = self._listening = False
        self._woken, self._wake = -1, -1

    # ---------------------------------------------------------------- going on

    def begin(self) -> None:
        """Start it; returns when it is held before its first operation. Raises why it cannot be."""
        status = self.container.status
        if status in ("running", "paused"):
            raise Conflict(f"step through the start of {self.container.name}: it is {status}",
                           "its birth certificate is shown by: container-lab operations "
                           f"{self.container.name}")
        check_runtime(str(self.container.config["HostConfig"].get("Runtime") or ""))
        if self.host is None:
            raise Conflict("step through a start: /proc shows nothing of this process")
        self._holder = Holder(self.container.run)
        self._woken, self._wake = os.pipe2(os.O_CLOEXEC)
        _thread.start_new_thread(self._start, (self._holder.path,))
        self._wait()

    def _start(self, gate: str) -> None:
        """In the thread: the start, to its end."""
        try:
            self.engine.start(self.container.id, gate=gate)
        except (LabError, OSError) as error:
            self.error = error
        except BaseException as error:
            self.error = LabError(f"{type(error).__name__}: {error}")
        finally:
            self._done = True
            os.write(self._wake, b".")

    def step(self) -> bool:
        """Let the operation happen that is held; is the start held again?"""
        if self._held is not None:
            self._held.line.go()
            self._wait(self._held.line)
        return not self.end

    def run(self, until: Callable[[Frame], bool]) -> bool:
        """Step on until a frame is the one; is the start held there?"""
        while self.step():
            if until(self.frames[-1]):
                return True
        return False

    def next_phase(self, breakpoints: Breakpoints) -> bool:
        """Step on to the first operation of another phase, or to a breakpoint."""
        phase = self.frames[-1].phase if self.frames else ""
        return self.run(lambda frame: frame.phase != phase or breakpoints.hit(frame))

    def give_up(self) -> None:
        """Refuse what is held: the start fails, and what was made is taken back."""
        if not self.frames:  # somebody else has this container, or nothing has happened yet
            self.abandon()
        for event in [*([self._held] if self._held else []), *self._waiting]:
            event.line.refuse(GIVEN_UP)
        self._held, self._waiting = None, []
        while not self.end:
            heard = self._hear()
            if heard is not None and heard.kind == "before":
                heard.line.refuse(GIVEN_UP)

    def abandon(self) -> None:
        """Go away at once: what is held is taken back by the shim, which sees our line end.

        May be called while another thread waits here; that one then returns.
        """
        if self.end or self._holder is None:
            return
        self._abandoned = True
        if self._listening:
            os.write(self._wake, b".")
        else:
            self._finish()

    # ---------------------------------------------------------------- hearing

    def _wait(self, gone_on: Line | None = None) -> None:
        """Until the operation of that line is over, and one is held, or the start has ended."""
        self._held = None
        while not self.end:
            if gone_on is None and self._waiting:
                self._hold(self._waiting.pop(0))
                return
            event = self._hear()
            if event is None:
                continue
            if event.kind == "before":
                self._waiting.append(event)
            elif event.kind == "after":
                self._completed(event)
            if event.line is gone_on and event.kind != "opened":
                gone_on = None

    def _hear(self) -> Event | None:
        """The next event; at the end of the start, None, and `end` is set."""
        assert self._holder is not None
        self._listening = True
        event = self._holder.hear(None, self._woken)
        self._listening = False
        if event is not None and event.kind == "after" and is_newborn(event.operation):
            return None
        if event is None and (self._done or self._abandoned):
            self._finish()
        return event

    def _hold(self, event: Event) -> None:
        self._held = event
        pid = self._init or (event.line.pid if event.line.by == "init" else 0)
        self.frames.append(Frame(len(self.frames) + 1, event.operation, event.line.by,
                                 event.line.pid, self._look(pid)))

    def _look(self, pid: int) -> Moment | None:
        return moments.moment(self.source, pid) if pid else None

    def _completed(self, event: Event) -> None:
        """The operation of the last frame of that line has its result."""
        for frame in reversed(self.frames):
            if frame.pid == event.line.pid and frame.operation.get("ns", -1) == -1:
                frame.operation = event.operation
                break
        if event.operation["name"] == "clone3" and not event.operation["errno"]:
            self._init = int(event.operation["result"][0])

    def _finish(self) -> None:
        """The start has ended, one way or the other."""
        assert self._holder is not None
        self._holder.close()
        if self._done:  # else the thread of the start has still to write there
            os.close(self._woken)
            os.close(self._wake)
        self.end = "failed" if self.error or not self._done else "running"
        if self.end == "running":
            self.last = self._look(self._init)
            if self.frames and self.frames[-1].name == "execve":
                # Its line has ended, which is how one knows that it succeeded.
                self.frames[-1].operation |= {"result": 0, "ns": None}
        self._keep()

    # ---------------------------------------------------------------- the film

    def after(self, number: int) -> Moment | None:
        """How the first process stood after the frame of this index."""
        if number + 1 < len(self.frames):
            return self.frames[number + 1].moment
        return self.last

    def _keep(self) -> None:
        """Leave what the kernel showed beside the birth certificate, if there is still a place."""
        lines: list[dict[str, Any]] = [
            {"by": frame.by, "name": frame.name, "start_ns": frame.operation.get("start_ns"),
             "moment": frame.moment and moments.to_data(frame.moment)} for frame in self.frames]
        lines.append({"by": "host", "moment": self.host and moments.to_data(self.host)})
        lines.append({"by": "last", "moment": self.last and moments.to_data(self.last)})
        text = "".join(documents.encode(line) + "\n" for line in lines)
        try:
            documents.replace_file(os.path.join(self.container.directory, FILE), text.encode())
        except OSError:
            return  # removed meanwhile, as --rm does; or a full disk: it is a film, no evidence


def is_newborn(operation: dict[str, Any]) -> bool:
    """clone3 returns twice, and the child tells of it too, on the line that it was born with."""
    return bool(operation["name"] == "clone3" and not operation["errno"]
                and operation["result"][0] == 0)


def prepare(engine: Engine, words: list[str]) -> str:
    """Make, and do not start, what a `run` line asks for: ["--name", "tea", "lab/base"]. Its id.

    Raises ClientError for flags that are wrong, Unsupported for those that are not built.
    """
    from runtime.client import body, options
    from runtime.client.commands import find

    command = find("run")
    assert command is not None
    given, rest = options.parse(command, words)
    options.count_words(command, "docker run", rest)
    made = body.build(given, rest[0], rest[1:])
    check_runtime(str(made["HostConfig"].get("Runtime") or ""))
    return engine.create(given.get("name"), made)
