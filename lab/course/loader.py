"""Reads `lessons/` into a Course, and refuses what it does not understand with one clear line.

    Course.load()                                   the course that came with the program
    lessons/30-limits/oom/lesson.toml: step run: unknown key "chek" (did you mean "check"?)

Strict on purpose: a misspelt check that is silently ignored passes every student. Runs in the
screen's process and in the line mode; reads files, touches nothing else.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.course import prose, schema
from lab.course.lesson import KINDS, LEVELS, Check, Fail, Lesson, Prose, Step, Track
from lab.course.requirements import SLUGS
from runtime.errors import Invalid, NotFound

HERE = os.path.dirname(os.path.abspath(__file__))


@dataclass(frozen=True, slots=True)
class Course:
    """The whole course in one language."""

    id: str
    tracks: tuple[Track, ...]
    assumed: tuple[str, ...]
    language: str
    folder: str

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
        course = cls(table["id"], tracks, tuple(table.get("assumed", ())), lang, folder)
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
    """`lessons/` beside `lab/` in a checkout, or inside it when installed."""
    for folder in (os.path.join(HERE, "..", "..", "lessons"), os.path.join(HERE, "..", "lessons")):
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
        if slug not in SLUGS:
            raise Invalid(f'{where}: requires "{slug}"{schema.meant(slug, SLUGS)}')
    variables = _variables(table.get("vars", {}), where)
    text = _text(folder, lang, shown)
    steps = tuple(_step(step, text, where, f"{shown}/text.{lang}.md", variables)
                  for step in table["step"])
    _unique([step.id for step in steps], where, "step")
    for step_id in text.steps:
        if step_id not in {step.id for step in steps}:
            raise Invalid(f"{shown}/text.{lang}.md: section for a step that is not there: {step_id}")
    _check_references(steps, where)
    return Lesson(
        table["id"], track, number, text.title, text.question, table["minutes"], table["level"],
        tuple(table["teaches"]), tuple(table["needs"]), tuple(table.get("requires", ())),
        tuple(table.get("panes", ())), variables, steps, folder,
    )


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


def _step(table: Mapping[str, Any], text: prose.Text, where: str, where_text: str,
          variables: Mapping[str, Any]) -> Step:
    here = f"{where}: step {table.get('id', '?')}"
    schema.require(table, ("id", "kind"), here)
    kind = table["kind"]
    if kind not in KINDS:
        raise Invalid(f'{here}: kind "{kind}"{schema.meant(str(kind), KINDS)}')
    schema.check_keys(table, schema.STEP[kind], here)
    schema.require(table, schema.REQUIRED[kind], here)
    if table["id"] not in text.steps:
        raise Invalid(f"{where_text}: section ## step: {table['id']} is missing")
    words = text.steps[table["id"]]
    step = Step(
        table["id"], kind, words, tuple(table.get("needs", ())),
        tuple(read_check(item, here, variables) for item in table.get("check", ())),
        tuple(_fail(item, here, variables) for item in table.get("fail", ())),
        tuple(table.get("solve", ())), tuple(table.get("options", ())), table.get("answer", ""),
        read_check(table["equals"], here, variables) if "equals" in table else None,
        table.get("container", ""), table.get("focus", ""), table.get("sure", False),
        table.get("hints", 0),
    )
    for line in (*step.solve, step.container):
        _known_variables(line, variables, here)
    _check_prose(step, f"{where_text}: step {step.id}")
    return step


def _check_prose(step: Step, where: str) -> None:
    words: Prose = step.prose
    if not words.body:
        raise Invalid(f"{where}: no text")
    if set(words.wording) != set(step.option_keys):
        raise Invalid(f"{where}: options in the text ({', '.join(words.wording) or 'none'}) are not "
                      f"those of lesson.toml ({', '.join(step.option_keys) or 'none'})")
    if step.correct and step.correct not in step.option_keys:
        raise Invalid(f'{where}: answer "{step.correct}"{schema.meant(step.correct, step.option_keys)}')
    if len(words.hints) != step.hint_count:
        raise Invalid(f"{where}: {len(words.hints)} hints, lesson.toml says {step.hint_count}")
    says = {fail.say for fail in step.fails}
    for key in sorted(says ^ set(words.says)):
        missing = "the text" if key in says else "lesson.toml"
        raise Invalid(f'{where}: say "{key}" is missing in {missing}')


def _fail(table: Mapping[str, Any], where: str, variables: Mapping[str, Any]) -> Fail:
    schema.check_keys(table, schema.FAIL, f"{where}: fail")
    schema.require(table, ("when", "say"), f"{where}: fail")
    return Fail(read_check(table["when"], f"{where}: fail", variables), table["say"])


def read_check(table: Mapping[str, Any], where: str, variables: Mapping[str, Any]) -> Check:
    """One predicate or combinator. Raises Invalid for a word that it does not have."""
    for word in schema.COMBINATORS:
        if word in table:
            schema.check_keys(table, {word: schema.COMBINATORS[word]} | schema.MODIFIER, where)
            inner = [table[word]] if word == "not" else table[word]
            parts = tuple(read_check(item, where, variables) for item in inner)
            return Check(word, {key: value for key, value in table.items() if key != word}, parts)
    subject = next((word for word in schema.PREDICATES if word in table), "")
    if not subject:
        first = next(iter(table), "")
        raise Invalid(f'{where}: unknown predicate "{first}"'
                      f"{schema.meant(first, [*schema.PREDICATES, *schema.COMBINATORS])}")
    here = f"{where}: {subject}"
    schema.check_keys(table, schema.PREDICATES[subject] | schema.MODIFIER, here)
    for key, value in table.items():
        allowed = schema.CHOICES.get((subject, key), ())
        for item in value if isinstance(value, list) else [value]:
            if allowed and item not in allowed:
                raise Invalid(f'{here}: {key} = "{item}"{schema.meant(str(item), allowed)}')
            if isinstance(item, str):
                _known_variables(item, variables, here)
    if subject == "cgroup" and not {"file", "frozen", "populated"} & set(table):
        raise Invalid(f"{here}: file is missing")
    return Check(subject, dict(table))


def _known_variables(text: str, variables: Mapping[str, Any], where: str) -> None:
    for name in prose.variables_in(text):
        if name not in variables:
            raise Invalid(f"{where}: unknown variable ${name}{schema.meant(name, variables)}")


def _check_references(steps: tuple[Step, ...], where: str) -> None:
    """`needs`, `at`, `since`, `answer` and `predicted` name a step before this one."""
    seen: list[str] = []
    for step in steps:
        here = f"{where}: step {step.id}"
        named = list(step.needs)
        for check in [*step.checks, *(fail.when for fail in step.fails), *filter(None, [step.equals])]:
            for part in check.walk():
                named += [part.words[key] for key in ("at", "answer", "predicted") if key in part.words]
                since = part.words.get("since", "step")
                named += [since] if since not in ("step", "lesson") else []
        for name in named:
            if name not in seen:
                raise Invalid(f'{here}: "{name}" is no step before it{schema.meant(name, seen)}')
        seen.append(step.id)
