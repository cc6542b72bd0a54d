"""`run --step` and `start --step`: a start, one operation at a time, in plain lines of text.

Runs in the command line; for every terminal, a pipe, a screen reader: no colours, no cursor. What
it says goes to stderr, so that stdout stays the container's; what it is told it reads from stdin, a
byte at a time, so that what follows is still there for the container. The end of stdin is like
ctrl+c: nobody is left to say go, the start is given up and taken back.

     31  pivot_root ".", "."
         Makes the overlay the root of this mount namespace. …
         pivot_root(2) by pid 48213, which will be pid 1 inside
         $ pivot_root . .
    step> p
"""

from __future__ import annotations

import os
import sys

from runtime.client import help
from runtime.client.film import PHASES, Breakpoints, Frame
from runtime.client.motion import Motion
from runtime.errors import NotFound
from runtime.inspect import moments
from runtime.inspect.operations import decoded, result_word, short, time_word
from runtime.inspect.shell_lines import shell_line
from runtime.trace import meanings, sources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.client.session import Session

HELP = """\
  enter, s   let this operation happen, and stop before the next
  p          go on to the next phase (isolate, root, limit, drop, exec)
  c          go on to the next breakpoint, or until the program runs
  b NAME     stop at an operation, a phase or a function; once more: no longer
  b          list the breakpoints
  r N        look at operation N again, and how the kernel stood then
  k          what the kernel shows now: host and container, side by side
  w          what this operation does, and why it stands here
  a          its arguments, decoded
  u          our source code that makes it
  l          list what has happened so far
  q          give up: nothing runs, and all that was made is taken back
  ?          this page"""


class Stepper:
    """The conversation over one start."""

    def __init__(self, session: Session, motion: Motion) -> None:
        self.session, self.motion = session, motion
        self.breakpoints = Breakpoints()
        self.width = max(60, min(help.columns(), 100))
        self.phase = ""
        self.prompts = os.isatty(0)
        self.told: list[object] = []  # each is said once, unless asked for
        self._ends = False

    def run(self) -> bool:
        """Step until the program runs. False when it was given up; raises why it does not run."""
        motion = self.motion
        try:
            motion.begin()
            self.say(f"held before each operation of {motion.container.name}'s start; "
                     "? lists what you can type")
            while not motion.end:
                self.show(motion.frames[-1])
                self.listen()
        except KeyboardInterrupt:
            self.give_up()
        if self._ends:
            return False
        if motion.error is not None:
            raise motion.error
        self.say(f"the program runs: {motion.container.name}, "
                 f"{len(motion.frames)} operations")
        return True

    def give_up(self) -> None:
        """Take it all back."""
        self._ends = True
        held = self.motion.frames[-1] if self.motion.frames else None
        self.motion.give_up()
        where = f" before operation {held.n}, {held.name}" if held else ""
        self.say(f"given up{where}: nothing runs, and what was made is taken back")

    # ---------------------------------------------------------------- what is typed

    def listen(self) -> None:
        """Read words until one of them lets the start go on."""
        while True:
            line = self.read()
            if line is None:
                self.say("nothing more is typed")
                self.give_up()
                return
            word, _, rest = line.strip().partition(" ")
            if self.goes_on(word):
                return
            self.answer(word, rest.strip())

    def goes_on(self, word: str) -> bool:
        """Do what moves the start; False for another word."""
        motion, before = self.motion, len(self.motion.frames)
        if word in ("", "s", "step"):
            motion.step()
        elif word in ("p", "phase"):
            motion.next_phase(self.breakpoints)
        elif word in ("c", "continue"):
            motion.run(self.breakpoints.hit)
        elif word in ("q", "quit"):
            self.give_up()
            return True
        else:
            return False
        self.passed(before)
        return True

    def answer(self, word: str, rest: str) -> None:
        """What only looks."""
        frame = self.motion.frames[-1]
        if word in ("?", "h", "help"):
            self.say(HELP)
        elif word == "b":
            self.stop_at(rest)
        elif word == "r":
            self.rewind(rest)
        elif word == "l":
            self.list()
        elif word in ("u", "k", "a", "w"):
            {"u": self.source, "k": self.kernel, "a": self.arguments, "w": self.what}[word](frame)
        else:
            self.say(f"     {word!r} is nothing that can be typed here; ? lists what is")

    def read(self) -> str | None:
        """A line of stdin, without taking a byte more than it; None at the end."""
        if self.prompts:
            sys.stderr.write("step> ")
            sys.stderr.flush()
        line = b""
        while True:
            byte = os.read(0, 1)
            if byte == b"\n" or (not byte and line):
                return line.decode("utf-8", "replace")
            if not byte:
                return None
            line += byte

    # ---------------------------------------------------------------- what is said

    def say(self, text: str) -> None:
        """To stderr; stdout is the container's."""
        self.session.complain(text)

    def wrapped(self, text: str) -> str:
        """The text, indented under the number of its operation."""
        return "\n".join(f"     {line}" for line in help.fill(text, self.width - 5).split("\n"))

    def show(self, frame: Frame) -> None:
        """The operation that is held: what it is, why it stands here, and how a shell spells it."""
        if frame.phase != self.phase:
            self.phase = frame.phase
            self.say(f"-- {frame.phase} " + "-" * (self.width - len(frame.phase) - 4))
        self.say(head(frame, self.width))
        meaning = meanings.of(frame.operation)
        if meaning not in self.told:
            self.told.append(meaning)
            self.what(frame)
        who = "which will be pid 1 inside" if frame.by == "init" else "the shim"
        self.say(f"     {frame.operation.get('call', '')} by pid {frame.pid}, {who}")
        self.say(f"     {frame.symbol}")
        self.say(f"     $ {shell_line(frame.operation)}")

    def what(self, frame: Frame) -> None:
        """What it does, why it stands here, and why not something simpler."""
        meaning = meanings.of(frame.operation)
        for text in (meaning.what, meaning.why, meaning.instead) if meaning else ():
            if text:
                self.say(self.wrapped(text))

    def passed(self, before: int) -> None:
        """The results of the operations that were let go, and what the kernel shows since."""
        frames = self.motion.frames
        for index in range(before - 1, len(frames)):
            frame = frames[index]
            if index == len(frames) - 1 and not self.motion.end:
                return
            if index >= before:
                self.say(head(frame, self.width, result(frame)))
            elif result(frame) != "held":
                self.say(f"     {result(frame)}")
            if self.motion.host is not None:
                after = self.motion.after(index)
                for name, old, new in moments.changes(frame.moment, after, self.motion.host):
                    self.say(f"     {name}: {old or 'none'} -> {new}")

    def list(self) -> None:
        """Everything so far, phase by phase."""
        phase = ""
        for frame in self.motion.frames:
            if frame.phase != phase:
                phase = frame.phase
                count = sum(each.phase == phase for each in self.motion.frames)
                self.say(f"-- {phase} {count}")
            self.say(head(frame, self.width, result(frame)))

    def kernel(self, frame: Frame) -> None:
        """Host and container, as they stood before the operation."""
        assert self.motion.host is not None
        if frame.moment is None:
            self.say("     its first process is not born yet")
        self.say(f"     {'':9} {'host':24} {self.motion.container.name}")
        for row in moments.rows(frame.moment, self.motion.host):
            sign = "its own" if row.differs else ""
            self.say(f"     {row.name:9} {row.host:24} {row.own:36} {sign}".rstrip())

    def arguments(self, frame: Frame) -> None:
        """Its arguments, flags by name."""
        found = decoded(frame.operation)
        for name, value in found:
            self.say(f"     {name} = {value}")
        if not found:
            self.say("     it has no arguments")

    def source(self, frame: Frame) -> None:
        """Our code that makes it, the line of the call marked."""
        try:
            lines = sources.code(frame.symbol)
            marked = sources.line_of(frame.symbol, frame.name)
        except NotFound as error:
            self.say(f"     {error}")
            return
        self.say(f"     {frame.symbol}")
        for number, text in lines:
            self.say(f"{'>' if number == marked else ' '}{number:4} {text}".rstrip())

    def stop_at(self, name: str) -> None:
        """Set a breakpoint or take it away; without a name list them."""
        if not name:
            known = " ".join(sorted(self.breakpoints.names)) or "none"
            self.say(f"     breakpoints: {known}")
            return
        if not self.known(name):
            self.say(f"     {name}: no operation, phase or function of that name; the phases are "
                     + " ".join(PHASES))
            return
        set_now = self.breakpoints.toggle(name)
        self.say(f"     {'stops at' if set_now else 'no longer stops at'} {name}")

    def known(self, name: str) -> bool:
        """Can there be an operation of this name? One with a typing mistake would never come."""
        return (name in meanings.ALL or name in PHASES or sources.has_function(name)
                or any(Breakpoints({name}).hit(frame) for frame in self.motion.frames))

    def rewind(self, number: str) -> None:
        """Look again at one that has passed. Nothing is undone: it is the film that is wound."""
        frames = self.motion.frames
        if not number.isdecimal() or not 1 <= int(number) <= len(frames):
            self.say(f"     r N: N is a number from 1 to {len(frames)}")
            return
        frame = frames[int(number) - 1]
        self.phase = ""
        self.show(frame)
        self.say(f"     {result(frame)}")
        self.kernel(frame)
        self.phase = frames[-1].phase
        self.say(f"     held still before {len(frames)}, {frames[-1].name}")


def head(frame: Frame, width: int, right: str = "") -> str:
    """" 31  pivot_root ".", "."", with the result at the end of the line where it is known."""
    words = f"{frame.n:3}  {frame.name} {short(frame.operation)}".rstrip()
    room = width - len(right) - 1
    if len(words) > room:
        words = words[:room - 1] + "…"
    return f"{words:{room}} {right}".rstrip()


def result(frame: Frame) -> str:
    """ok 118 µs, or EPERM, or held."""
    said = f"{result_word(frame.operation)} {time_word(frame.operation)}".strip()
    return said or "held"


def start(session: Session, container: str) -> bool:
    """Step through the start of a container that was created. False when it was given up."""
    from runtime.inspect.source import Live

    return Stepper(session, Motion(session.engine, container, Live())).run()
