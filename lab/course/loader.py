"""Reads `lessons/` into a Course, and refuses what it does not understand with one clear line.

    Course.load()                                   the course that came with the program
    lessons/30-limits/oom/lesson.toml: step run: unknown key "chek" (did you mean "check"?)

Strict on purpose: a misspelt check that is silently ignored passes every student. Runs in the
screen's process and in the line mode; reads files, touches nothing else.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.course import prose, schema
from lab.course.lesson import LEVELS, Lesson, Step, Track, fill
from lab.course.steps import check_references, read_step
from runtime.errors import Invalid, NotFound
from runtime.inspect.namespaces import KINDS
from runtime.inspect.requirements import CONTROLLERS, QUESTIONS

SLUGS = (*QUESTIONS, *(f"ns:{kind}" for kind in KINDS),
         *(f"{tree}:{name}" for tree in ("cgroup", "cgroup2") for name in CONTROLLERS))
TOOL = re.compile(r"^tool:[a-z_]+$")
HERE = os.path.dirname(os.path.abspath(__file__))


@dataclass(frozen=True, slots=True)
class Course:
    """The whole course in one language; `note` is for the head of its list."""

    id: str
    tracks: tuple[Track, ...]
    assumed: tuple[str, ...]
    language: str
    folder: str
    note: str = ""

    @classmethod
    def load(cls, lang: str = "en", folder: str | None = None) -> Course:
        """Read the course of `folder` (default: the one beside the program). Raises Invalid."""
        folder = folder or default_folder()
        where = f"{os.path.basename(folder)}/course.toml"
        table = read_toml(os.path.join(folder, "course.toml"), where)
        schema.check_keys(table, schema.COURSE, where)
        schema.require(table, ("format", "id", "tracks"), where)
        _check_format(table, where)
        tracks = tuple(_track(folder, name, lang) for name in table["tracks"])
        course = cls(table["id"], tracks, tuple(table.get("assumed", ())), lang, folder,
                     table.get("note", {}).get(lang, ""))
        _unique([lesson.id for lesson in course.lessons()], where, "lesson")
        return course

    def lessons(self) -> list[Lesson]:
        """Every lesson in the order of the course."""
        return [lesson for track in self.tracks for lesson in track.lessons]

    def lesson(self, wanted: str) -> Lesson:
        """The lesson of that id or number ("oom-137", "3·1", "3.1"). Raises NotFound."""
        for lesson in self.lessons():
            if wanted in (lesson.id, lesson.number, lesson.number.replace("·", ".")):
                return lesson
        hint = schema.meant(wanted, [lesson.id for lesson in self.lessons()])
        raise NotFound(f"no such lesson: {wanted}{hint}")


def default_folder() -> str:
    """`lessons/` beside `lab/` in a checkout, or `lab/_data/lessons/` when installed."""
    for place in ("../../lessons", "../_data/lessons"):
        folder = os.path.join(HERE, place)
        if os.path.exists(os.path.join(folder, "course.toml")):
            return os.path.normpath(folder)
    raise NotFound("the course is not beside the program: lessons/course.toml is missing",
                   "install again")


def read_toml(path: str, where: str) -> dict[str, Any]:
    """The table of a TOML file. Raises Invalid."""
    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{where}: {str(error)[:1].lower()}{str(error)[1:]}") from None
    except UnicodeDecodeError:
        raise Invalid(f"{where}: not UTF-8") from None
    except OSError as error:
        raise Invalid(f"{where}: {(error.strerror or '').lower()}") from None


def _track(folder: str, name: str, lang: str) -> Track:
    where = f"{os.path.basename(folder)}/{name}/track.toml"
    table = read_toml(os.path.join(folder, name, "track.toml"), where)
    schema.check_keys(table, schema.TRACK, where)
    schema.require(table, ("id", "number", "lessons", "title", "about"), where)
    for words in ("title", "about"):
        if lang not in table[words]:
            raise Invalid(f"{where}: {words} has no words for {lang!r}")
    lessons = tuple(
        load_lesson(os.path.join(folder, name, slug), lang, table["id"], f"{table['number']}·{at}",
                    f"{os.path.basename(folder)}/{name}/{slug}")
        for at, slug in enumerate(table["lessons"], 1)
    )
    return Track(table["id"], table["number"], table["title"][lang], table["about"][lang], lessons)


def load_lesson(folder: str, lang: str = "en", track: str = "", number: str = "",
                shown: str = "") -> Lesson:
    """The lesson in `folder`; `shown` is its name in messages. Raises Invalid."""
    shown = shown or os.path.basename(folder)
    where = f"{shown}/lesson.toml"
    table = read_toml(os.path.join(folder, "lesson.toml"), where)
    schema.check_keys(table, schema.LESSON, where)
    schema.require(table, ("format", "id", "level", "minutes", "teaches", "needs", "step"), where)
    _check_format(table, where)
    if table["level"] not in LEVELS:
        raise Invalid(f'{where}: level "{table["level"]}"{schema.meant(table["level"], LEVELS)}')
    for slug in table.get("requires", ()):
        if slug not in SLUGS and not TOOL.match(slug):
            raise Invalid(f'{where}: requires "{slug}"{schema.meant(slug, SLUGS)}')
    variables = _variables(table.get("vars", {}), where)
    text = _text(folder, lang, shown)
    steps = _steps(table["step"], text, where, f"{shown}/text.{lang}.md", variables)
    return Lesson(
        table["id"], track, number, text.title, text.question, table["minutes"], table["level"],
        tuple(table["teaches"]), tuple(table["needs"]), tuple(table.get("requires", ())),
        tuple(table.get("panes", ())), variables, steps, folder,
        _leaves(table.get("leaves", ()), variables, where),
    )


def _steps(tables: list[dict[str, Any]], text: prose.Text, where: str, where_text: str,
           variables: Mapping[str, Any]) -> tuple[Step, ...]:
    steps = tuple(read_step(table, text, where, where_text, variables) for table in tables)
    if not steps:
        raise Invalid(f"{where}: no steps")
    names = [step.id for step in steps]
    _unique(names, where, "step")
    for step_id in text.steps:
        if step_id not in names:
            raise Invalid(f"{where_text}: a section for no step: {step_id}"
                          f"{schema.meant(step_id, names)}")
    check_references(steps, where)
    return steps


def _check_format(table: Mapping[str, Any], where: str) -> None:
    if table["format"] != schema.FORMAT:
        raise Invalid(f"{where}: format {table['format']} (this program reads {schema.FORMAT})")


def _unique(names: list[str], where: str, what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise Invalid(f"{where}: two {what}s are called {name}")


def _variables(table: Mapping[str, Any], where: str) -> dict[str, dict[str, Any]]:
    for name, made in table.items():
        here = f"{where}: vars: {name}"
        if not name.isidentifier() or not isinstance(made, dict):
            raise Invalid(f'{here}: should be {{ pick = ["a", "b"] }}, {{ value = "a" }} '
                          "or {{ int = [1, 9] }}".replace("{{", "{").replace("}}", "}"))
        schema.check_keys(made, schema.VARIABLE, here)
        if len(made) != 1:
            raise Invalid(f"{here}: exactly one of value, pick, int")
    return dict(table)


def _leaves(listed: Iterable[str], variables: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """What a reset may remove by its path. Raises Invalid for one that is not the student's own."""
    for path in listed:
        names = prose.variables_in(path)
        for name in names:
            if name not in variables:
                raise Invalid(f"{where}: leaves: unknown variable ${name}"
                              f"{schema.meant(name, variables)}")
        first = fill(path, {name: made.get("value", "x") for name, made in variables.items()})
        if not names or not first.startswith("/tmp/") or ".." in first:
            raise Invalid(f'{where}: leaves: "{path}" should be in /tmp, with a variable in it')
    return tuple(listed)


def _text(folder: str, lang: str, shown: str) -> prose.Text:
    where = f"{shown}/text.{lang}.md"
    try:
        with open(os.path.join(folder, f"text.{lang}.md"), encoding="utf-8") as file:
            content = file.read()
    except OSError as error:
        raise Invalid(f"{where}: {(error.strerror or '').lower()}") from None
    except UnicodeDecodeError:
        raise Invalid(f"{where}: not UTF-8") from None
    return prose.parse(content, where)
