"""The course line by line: for a screen reader, a pipe, a serial console.

Speaks plain sentences: no boxes, no colours, no signs to be spelled out. Reads one line at a time:

    Enter      go on, or look whether the step is done        h  the next hint
    r          run the lines shown                            b  one step back
    e          a shell of your own, `exit` comes back         s  skip this step
    docker …   any other line runs in the student's shell     q  stop; everything is kept
    ! …        a line for the shell, where an answer is asked for

Everything that happens goes through the same Stepper as the screen's.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping

from lab.course.cards import Card
from lab.course.held import held, instructions
from lab.course.lesson import Step
from lab.course.result import Result
from lab.course.said import SURE
from lab.course.shell import shell_command, whole_environment
from lab.course.solve import wait
from lab.course.stepper import Stepper
from runtime.errors import LabError

# A line that begins so is no answer to a question; `!` makes any line a command.
LOOKING = ("docker", "cat", "grep", "ls", "readlink", "ps", "findmnt", "lsns", "stat", "nsenter",
           "ip", "pgrep", "capsh", "hostname", "uname")
MARKS = re.compile(r"\*\*|(?<![\w`])\*(?=\w)|(?<=\w)\*(?![\w`])")


class Quit(Exception):
    """The student stops here."""


def speak(markdown: str) -> str:
    """Text without the marks that a screen reader would spell out; commands keep their indent."""
    lines = []
    for line in markdown.splitlines():
        if not line.startswith("    "):
            line = MARKS.sub("", line).replace("`", "").removeprefix("> ")
        lines.append(line)
    return "\n".join(lines)


def sentence(result: Result) -> str:
    """One check in one line: done or not yet, the goal, what was seen."""
    if result.passed:
        return f"done: {result.sentence} ({result.observed})"
    return f"not yet: {result.sentence} ({result.observed})"


def verdict(result: Result) -> str:
    """What an answer was worth, in one sentence: Yes, or why not and where to look."""
    if result.passed:
        return f"Yes. Read at {result.source_path}" if result.source_path else "Yes."
    return f"{result.sentence[0].upper()}{speak(result.sentence[1:]).rstrip('.')}."


def spoken_card(card: Card) -> str:
    """The card in one paragraph: what was said, and what it is."""
    sure = f", {card.sure}" if card.sure else ""
    right = " You were right." if card.right else ""
    label = f"{card.label[0].upper()}{card.label[1:]}"
    return (f"You said{sure}: {speak(card.said).rstrip('.')}. "
            f"{label}: {speak(card.kernel).rstrip('.')}.{right}")


def no_hint(step: Step) -> str:
    """Why there is no hint, or no more."""
    return "There are no more hints." if step.hints else "This step has no hints."


def counted(names: tuple[str, ...]) -> str:
    """ "mount 21 times, pivot_root, chdir 3 times": each once, in the order of first use."""
    counts = Counter(names)
    return ", ".join(name if count == 1 else f"{name} {count} times"
                     for name, count in counts.items())


def the_end(stepper: Stepper) -> str:
    """The last line of a lesson; what was skipped is said."""
    end = f"The end of {stepper.lesson.title}."
    if not stepper.skipped:
        return end
    return f"{end} {stepper.skipped} of its {len(stepper.lesson.steps)} steps were skipped."


class Line:
    """A lesson read aloud. `ask` reads a line and raises EOFError at the end; `say` prints one."""

    def __init__(self, stepper: Stepper, root: str | None, ask: Callable[[str], str],
                 say: Callable[[str], None]) -> None:
        self.stepper = stepper
        self._ask, self._say = ask, say
        self._environment: Mapping[str, str] = whole_environment(root)

    def run(self) -> bool:
        """From the current step on; True when the end was reached."""
        lesson = self.stepper.lesson
        self._say(f"{lesson.number} {lesson.title}. About {lesson.minutes} minutes.")
        self._say(f"{speak(lesson.question)}\n")
        try:
            while not self.stepper.finished:
                self._step()
        except (Quit, EOFError):
            self._say(f"\nKept at step {self.stepper.index + 1}. "
                      f"Go on with: container-lab lesson run {lesson.id}")
            return False
        self._say(the_end(self.stepper))
        self._say(f"What it made can go with: container-lab lesson reset {lesson.id}")
        return True

    def _step(self) -> None:
        stepper = self.stepper
        self._say(f"Step {stepper.index + 1} of {len(stepper.lesson.steps)}.\n")
        self._say(speak(stepper.text()) + "\n")
        before = stepper.index
        if not stepper.passed or stepper.step.kind == "read":
            {"read": self._read, "predict": self._predict, "do": self._act, "watch": self._watch,
             "ask": self._answer, "explain": self._answer}[stepper.step.kind]()
        if stepper.index == before and stepper.passed:
            self._after()
            stepper.next()

    def _after(self) -> None:
        """The card and the reveal, once there is something to reveal."""
        card = self.stepper.card()
        if card and self.stepper.step.kind != "predict":
            self._say(f"{spoken_card(card)}\n")
        if text := self.stepper.reveal_text():
            self._say(speak(text) + "\n")

    def _command(self, prompt: str) -> str:
        """One line; help, back, skip, quit, run and shell are done here and give "" or None."""
        words = self._ask(prompt).strip()
        if words == "q":
            raise Quit
        if words == "h":
            self._say(speak(self.stepper.hint() or no_hint(self.stepper.step)) + "\n")
        elif words == "b":
            self.stepper.back()
        elif words == "s":
            self.stepper.skip()
        elif words == "e":
            self._run_program(shell_command())
        elif words == "?":
            self._say(__doc__.split("\n\n")[2])
        else:
            return words
        return "\0"

    def _read(self) -> None:
        before = self.stepper.index
        while self._command("Enter goes on (? lists the keys): ") == "\0":
            if self.stepper.index != before:
                return

    def _predict(self) -> None:
        before = self.stepper.index
        self._options()
        while self.stepper.index == before and not self.stepper.passed:
            words = self._command(f"Your prediction, 1 to {len(self.stepper.options())}: ")
            if words in ("", "\0"):
                continue
            try:
                option = self.stepper.option(words)
                self.stepper.predict(option, self._sure())
            except LabError as error:
                self._say(f"{error}")
        if self.stepper.index == before:
            self._say("Locked. Now let the kernel answer.\n")

    def _sure(self) -> str:
        if not self.stepper.step.sure:
            return ""
        said = self._ask("How sure are you: guess, fairly or sure? ").strip()
        return next((word for word in SURE[1:] if said and word.startswith(said)), "")

    def _options(self) -> None:
        for number, (_, wording) in enumerate(self.stepper.options(), 1):
            self._say(f"{number}: {speak(wording)}")

    def _act(self) -> None:
        """Lines for the shell, and looks at the checks, until they are met."""
        before = self.stepper.index
        while self.stepper.index == before and not self._met():
            words = self._command("lab> ")
            if words == "r":
                for line in self._lines():
                    self._say(f"    {line}")
                    self._shell(line)
            elif words not in ("", "\0"):
                self._shell(words)
            if words != "\0" and self.stepper.index == before:
                self._look()

    def _lines(self) -> list[str]:
        """The lines of this step; the one that is to be watched is held."""
        stops = self.stepper.step.stops
        if not stops:
            return self.stepper.commands()
        self._say(instructions(stops))
        return [held(line) for line in self.stepper.commands()]

    def _met(self) -> bool:
        results = self.stepper.check()
        return bool(results) and all(result.passed for result in results)

    def _look(self) -> None:
        results = wait(self.stepper, 1.0)
        for result in results:
            self._say(sentence(result))
        if self.stepper.say:
            self._say(speak(self.stepper.say))
        self._say("")

    def _watch(self) -> None:
        before = self.stepper.index
        self._act()
        if self.stepper.index != before:
            return
        for number, phase in enumerate(self.stepper.phases(), 1):
            name = "a group without its name" if phase.name == "?" else phase.name
            self._say(f"{number}: {name}, {phase.microseconds} microseconds: "
                      f"{counted(phase.operations)}")
        self._say("")
        if self.stepper.step.equals:
            self._answer()

    def _answer(self) -> None:
        before = self.stepper.index
        self._options()
        while self.stepper.index == before and not self.stepper.passed:
            words = self._command("Your answer (or a command, to look): ")
            if words in ("", "\0"):
                continue
            if words.startswith("!") or words.split()[0] in LOOKING:
                self._shell(words.removeprefix("!"))
                continue
            try:
                result = self.stepper.answer(words)
            except LabError as error:
                self._say(f"{error}")
                continue
            # Of an explanation the card speaks.
            if self.stepper.step.kind != "explain":
                self._say(f"{verdict(result)}\n")

    def _shell(self, line: str) -> None:
        self._run_program(["/bin/sh", "-c", line])

    def _run_program(self, command: list[str]) -> None:
        try:
            status = subprocess.run(command, env=dict(self._environment), check=False).returncode
        except KeyboardInterrupt:
            # The signal went to the program, too; the lesson goes on.
            self._say("")
            return
        except OSError as error:
            self._say(f"run {command[0]}: {(error.strerror or '').lower()}")
            return
        if status:
            self._say(f"(exit status {status if status > 0 else 128 - status}, "
                      f"{os.path.basename(command[0])})")
