"""Course loader: signatures first.

`Course.load(lang="en") -> Course`; raises Invalid with one line.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.course.lesson import Lesson, Track


@dataclass(frozen=True, slots=True)
class Course:
    """The whole course in one language."""

    id: str
    tracks: tuple[Track, ...]
    assumed: tuple[str, ...]
    language: str

    @classmethod
    def load(cls, lang: str = "en", folder: str | None = None) -> Course: ...
    def lessons(self) -> list[Lesson]: ...
    def lesson(self, lesson_id: str) -> Lesson: ...   # by id or number "3·1"; NotFound
