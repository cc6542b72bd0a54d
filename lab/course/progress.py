"""Progress: signatures first.

`Progress.load(root)`; `.state(lesson_id)`; `.step(lesson_id)`.
"""

from __future__ import annotations


class Progress:
    """What the student has done in every lesson."""

    notice: str      # one line when a damaged file was set aside at load, else ""

    @classmethod
    def load(cls, root: str | None = None) -> Progress: ...
    def state(self, lesson_id: str) -> str: ...       # "new" | "open" | "done"
    def step(self, lesson_id: str) -> int: ...        # index of the step to continue at
    def last(self) -> str | None: ...                 # lesson id touched last, for "continue"
