"""The state machine of one student in one lesson; the screen and the line mode both drive it.

`check()` is cheap and may be called twice a second from a thread; every other method answers a key.
What has been seen and said is kept in the attempt (`attempt.py`) and written to progress at once,
so the program may be killed at any time and a new Stepper goes on at the same step.

    stepper = Stepper(lesson, engine, source, progress)
    stepper.predict("killed", "sure"); stepper.next()
    stepper.check() -> [Result(True, "48m", "memory.max 50331648", "/sys/fs/…", "…")]
"""

from __future__ import annotations

import threading
import time
from typing import Any

from lab.course import answers, attempts, cards, checks, leaves, said, undo
from lab.course.attempt import Attempt, Record
from lab.course.by_hand import Made
from lab.course.cards import Card, Phase
from lab.course.evidence import EngineWorld, World
from lab.course.lesson import Lesson, Step, fill
from lab.course.looks import Looks
from lab.course.progress import Progress
from lab.course.result import Context, Result
from runtime.errors import Conflict, Invalid


class Stepper:
    """One attempt at one lesson."""

    def __init__(self, lesson: Lesson, engine: Any, source: Any, progress: Progress,
                 world: World | None = None) -> None:
        self.lesson = lesson
        self._engine = engine
        self._world: World = world or EngineWorld(engine, source)
        self._progress = progress
        self._lock = threading.RLock()
        self._attempt = attempts.resume(lesson, progress) or self._begin(1)
        self._looks = Looks(self.step)
        self._enter()

    # The attempt

    def _begin(self, number: int) -> Attempt:
        return attempts.begin(self.lesson, self._progress, self._world, number)

    def _enter(self) -> None:
        """Start the current step, unless it was started before."""
        self._looks = Looks(self.step)
        record = self._record
        if not record.started_ns:
            record.started_ns = time.time_ns()
            checks.begin(self.step.checks, self._context())
        self._progress.keep(self._attempt)

    @property
    def _record(self) -> Record:
        return self._attempt.record(self.step.id)

    def _context(self) -> Context:
        return Context(self._world, self._attempt, self._record, time.time_ns())

    # Where we are

    @property
    def index(self) -> int:
        """The current step's place in lesson.steps."""
        return self._attempt.index

    @property
    def step(self) -> Step:
        """The current step."""
        return self.lesson.steps[self._attempt.index]

    @property
    def vars(self) -> dict[str, str]:
        """The values of this attempt: {"name": "ink", "limit": "48m"}."""
        return dict(self._attempt.vars)

    @property
    def finished(self) -> bool:
        """Whether the end of the lesson was reached in this attempt."""
        return self._attempt.finished

    @property
    def passed(self) -> bool:
        """Whether the current step lets one go on."""
        return self.passed_step(self.step.id)

    @property
    def skipped(self) -> int:
        """How many steps of this attempt were passed over, and not done since."""
        return self._attempt.skipped

    def passed_step(self, step_id: str) -> bool:
        """Whether that step is passed; reading is."""
        return self.lesson.step(step_id).kind == "read" or self._attempt.record(step_id).passed

    def text(self) -> str:
        """The prose of the step, values filled in."""
        return self.step.text(self._attempt.vars)

    def options(self) -> list[tuple[str, str]]:
        """(key, wording) of the step's options, values filled in."""
        return [(key, self._fill(words)) for key, words in self.step.options]

    def commands(self) -> list[str]:
        """The docker lines that do this step, values filled in."""
        return [self._fill(line) for line in self.step.solve]

    def container(self) -> str:
        """The container whose start this step watches; "" when it watches none."""
        return self._fill(self.step.container)

    def _fill(self, text: str) -> str:
        return fill(text, self._attempt.vars)

    # What the student does

    def predict(self, option: str, sure: str = "") -> None:
        """Lock in a prediction. Raises Conflict when locked, Invalid for no such option."""
        with self._lock:
            said.lock(self.step, self._record, self.options(), option, sure)
            self._tell("predicted", option=self._record.prediction, sure=sure)

    def predicted(self) -> str | None:
        """The option locked in at this step."""
        return self._record.prediction or None

    def explained(self) -> str | None:
        """The option given at this explain step."""
        return self._record.answer or None if self.step.kind == "explain" else None

    def option(self, text: str) -> str:
        """The option's key, of its key, its number or its wording. Raises Invalid."""
        return answers.option(self.options(), text)

    def answer(self, text: str) -> Result:
        """Answer the question of an ask, watch or explain step; an explanation counts once."""
        with self._lock:
            context = self._context()
            if self.step.kind == "watch" and not self._looks.met(context):
                raise Conflict("start the container first, then answer")
            result = said.give(self.step, self.options(), text, context)
            self._tell("answered", answer=text, right=result.passed, path=result.source_path)
            return result

    def solution(self) -> str:
        """The right answer to the step's question, read off the kernel; for `--solve` alone."""
        return answers.solution(self.step, self._context())

    def check(self) -> list[Result]:
        """Look at the kernel for every check of the step; remembers what it saw."""
        with self._lock:
            context = self._context()
            if not self.step.checks or self._looks.met(context):
                return list(self._looks.results)
            if waiting := self._waiting():
                return waiting
            before = self._attempt.to_data()
            if self._looks.look(self.lesson, context):
                self._record.passed |= self.step.equals is None
                self._tell("checked", evidence=checks.as_json(self._looks.results))
            elif self._attempt.to_data() != before:
                self._progress.keep(self._attempt)
            return list(self._looks.results)

    @property
    def say(self) -> str | None:
        """The author's sentence for what went wrong at the last look, or None."""
        return self._looks.say

    def _waiting(self) -> list[Result]:
        """A check that stands for a step that has to come first, or nothing."""
        for step_id in self.step.needs:
            if not self.passed_step(step_id):
                return [Result(False, f"step {step_id}", "not yet", "",
                               f"first comes the step {step_id}")]
        return []

    def patience(self) -> float:
        """How long a check may need to come true, in seconds; for who does not look twice."""
        return checks.patience(self.step.checks)

    # Help

    def hint(self) -> str | None:
        """The next hint; None when there are no more."""
        with self._lock:
            if self._record.hints >= len(self.step.hints):
                return None
            self._record.hints += 1
            self._tell("hint", number=self._record.hints)
            return self._fill(self.step.hints[self._record.hints - 1])

    def hints_shown(self) -> list[str]:
        """The hints taken so far."""
        return [self._fill(text) for text in self.step.hints[:self._record.hints]]

    def reveal_text(self) -> str:
        """What to read after the kernel has answered; nothing before."""
        if self.step.kind == "predict":
            return self._fill(self.step.reveal) if self.card() else ""
        return self._fill(self.step.reveal) if self.passed else ""

    def card(self) -> Card | None:
        """You said, and it is: once the kernel has answered, or the explanation is given."""
        return cards.card(self.lesson, self._attempt, self.step)

    def phases(self) -> list[Phase]:
        """The start of this step's container, phase by phase; nothing before it has started."""
        if not self.step.container:
            return []
        rows = self._world.operations(self.container())
        return cards.phases(rows, hidden=bool(self.step.option_keys) and not self.passed)

    # Moving

    def next(self) -> bool:
        """Go on. False when the step is not passed, or when this was the last: see `finished`."""
        with self._lock:
            if not self.passed:
                return False
            if self.step.kind == "read":
                self._record.passed = True
            self._tell("passed", next=min(self.index + 1, len(self.lesson.steps) - 1))
            return self._forward()

    def skip(self) -> bool:
        """Go on without having passed; it stays marked as skipped."""
        with self._lock:
            if not self.passed:
                self._record.skipped = True
                self._tell("skipped", next=min(self.index + 1, len(self.lesson.steps) - 1))
            return self._forward()

    def _forward(self) -> bool:
        if self.index + 1 < len(self.lesson.steps):
            self._attempt.index += 1
            self._enter()
            return True
        if not self._attempt.finished:
            self._attempt.finished = True
            self._tell("finished")
        return False

    def back(self) -> bool:
        """One step back, to read it again; what is passed stays passed."""
        with self._lock:
            if self.index == 0:
                return False
            self._attempt.index -= 1
            self._enter()
            return True

    def preview_reset(self, scope: str = "lesson") -> list[str]:
        """What `reset` would destroy, one line for each; nothing is also an answer."""
        since = self._since(scope)
        containers = undo.made(self.lesson, self._attempt, self._world, since)
        inside = {one.pid for one in containers}
        return [undo.describe(one) for one in containers] + [
            undo.describe_by_hand(one) for one in self._made_by_hand(since)
            if one.pid not in inside] + [
            leaves.describe(path) for path in leaves.left(self.lesson, self._attempt, since)]

    def reset(self, scope: str = "lesson") -> list[str]:
        """Remove what this attempt (or this step) made, and start it again; what was done."""
        with self._lock:
            since = self._since(scope)
            done = undo.remove(self._engine, undo.made(self.lesson, self._attempt, self._world,
                                                       since))
            done += undo.end(self._world, self._made_by_hand(since))
            done += leaves.clear(leaves.left(self.lesson, self._attempt, since),
                                 self._world.source)
            self._tell("reset", scope=scope, removed=done)
            if scope == "lesson":
                self._attempt = self._begin(self._attempt.number + 1)
            else:
                self._attempt.steps[self.step.id] = attempts.again(self._record)
            self._enter()
            return done

    def _since(self, scope: str) -> int:
        if scope not in ("step", "lesson"):
            raise Invalid(f"reset {scope} (known: step, lesson)")
        return self._record.started_ns if scope == "step" else 0

    def _made_by_hand(self, since_ns: int) -> list[Made]:
        return undo.made_by_hand(self.lesson, self._attempt, self._world, since_ns)

    def _tell(self, what: str, **detail: Any) -> None:
        self._progress.keep(self._attempt)
        self._progress.tell(self._attempt, self.step.id, what, **detail)
