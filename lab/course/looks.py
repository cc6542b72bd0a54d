"""Looks at the kernel for the checks of one step, and remembers what was seen there.

The stepper has one `Looks` for the step it is at. Once all checks are met the results stand as they
were, and the kernel is not asked again: what a later command undoes was done all the same.

    looks = Looks(step)
    looks.look(lesson, context) -> [Result(True, "48m", "memory.max 50331648", "/sys/fs/…", "…")]
    looks.say                      the author's sentence for what went wrong, or None
"""

from __future__ import annotations

from lab.course import checks
from lab.course.lesson import Lesson, Step
from lab.course.result import Context, Result


class Looks:
    """The results of one step's checks."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.results: list[Result] = []
        self.say: str | None = None

    def met(self, context: Context) -> bool:
        """Whether all checks have been met before; then their results are those of that time."""
        kept = context.record.seen.get("results")
        if kept is None:
            return False
        if not self.results:
            self.results = [Result.from_data(one) for one in kept["all"]]
        return True

    def look(self, lesson: Lesson, context: Context) -> bool:
        """Evaluate every check; whether all are met now."""
        for check in self.step.checks:
            for part in (one for one in check.walk() if one.subject == "gone"):
                checks.note_existing(context.text(part.words["gone"]), context)
        self.results = [checks.evaluate(check, context) for check in self.step.checks]
        checks.keep(checks.questions_about(lesson.steps, self.step.id), context.record, context)
        done = all(result.passed for result in self.results)
        self.say = None if done else self._foreseen(context)
        if done:
            record = context.record
            record.seen["results"] = {"all": [result.as_data() for result in self.results]}
            record.evidence = " · ".join(result.observed for result in self.results)
        return done

    def _foreseen(self, context: Context) -> str | None:
        """The author's sentence for the first foreseen mistake that has happened."""
        for fail in self.step.fails:
            if checks.evaluate(fail.when, context).passed:
                return context.text(self.step.prose.says[fail.say])
        return None
