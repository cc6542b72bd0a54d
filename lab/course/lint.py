"""Proof-reads the course: what the loader can read, and an author would still regret.

    lessons/30-limits/oom/text.en.md:41: 81 columns wide (76 fit beside the panes)
    lessons/30-limits/oom/lesson.toml: needs "signals", which no lesson before it teaches

Reads files only. The loader's own refusals come first: an unreadable lesson is one finding, and
the others are still read. Twin of a compiler's warnings; run by `lesson lint` and by a test.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from lab.course import loader, schema, undo
from lab.course.lesson import Check, Lesson, Step, fill
from lab.course.loader import Course
from lab.course.predicates_start import PHASES
from lab.course.prose import variables_in
from runtime.errors import LabError
from runtime.inspect.capabilities import NAMES as CAPABILITIES
from runtime.inspect.capabilities import SIGNAL_NAMES

WIDTH = 76
MINUTES = (3, 12)
MOST_CHECKS = 5
OPERATION = re.compile(r"^@operation\(.*\)\ndef (\w+)", re.MULTILINE)
SYMBOL = re.compile(r"`((?:runtime|lab)/[\w/]+\.py):(\w+)`")


def lint(folder: str | None = None, code: str | None = None) -> list[str]:
    """Everything wrong with the course in `folder`; `code` is where runtime/ and lab/ stand."""
    folder = folder or loader.default_folder()
    code = code or os.path.normpath(os.path.join(loader.HERE, "..", ".."))
    try:
        course = Course.load(folder=folder)
    except LabError as error:
        return [str(error)]
    found = list(_concepts(course))
    for lesson in course.lessons():
        where = os.path.join(os.path.basename(folder), os.path.relpath(lesson.folder, folder))
        found += _lesson(lesson, where, code)
        found += _text(lesson, where, course.language, code)
    return found + list(_strays(course))


def _concepts(course: Course) -> Iterator[str]:
    """Each lesson needs only what was taught before it; what is assumed is said in course.toml."""
    known = set(course.assumed)
    for lesson in course.lessons():
        for concept in lesson.needs:
            if concept not in known:
                yield f'{lesson.id}: needs "{concept}", which no lesson before it teaches'
        for concept in lesson.teaches:
            if concept in known:
                yield f'{lesson.id}: teaches "{concept}", which is known already'
        known |= set(lesson.teaches)


def _strays(course: Course) -> Iterator[str]:
    """Lesson folders that no track lists."""
    listed = {Path(lesson.folder) for lesson in course.lessons()}
    for found in sorted(Path(course.folder).glob("*/*/lesson.toml")):
        if found.parent not in listed:
            yield f"{found.relative_to(Path(course.folder).parent)}: no track.toml lists it"


def _lesson(lesson: Lesson, where: str, code: str) -> Iterator[str]:
    if not MINUTES[0] <= lesson.minutes <= MINUTES[1]:
        yield f"{where}: {lesson.minutes} minutes (a lesson takes {MINUTES[0]} to {MINUTES[1]})"
    if not lesson.question:
        yield f"{where}: no question under the title (> …)"
    kinds = [step.kind for step in lesson.steps]
    if lesson.level == "core":
        for kind, least in (("read", 1), ("predict", 2), ("do", 1), ("explain", 1)):
            if kinds.count(kind) < least:
                yield f"{where}: a core lesson has {least} {kind} steps or more"
    if kinds[-1] != "read":
        yield f"{where}: the last step should be the debrief, to read"
    made: set[str] = set()
    for step in lesson.steps:
        yield from _step(step, f"{where}: step {step.id}", made)
        for stop in step.stops:
            if stop not in (calls := operations(code)):
                yield f'{where}: step {step.id}: stop "{stop}"{schema.meant(stop, calls)}'
        made |= undo.names_made(step) | set(step.solve)


def _step(step: Step, where: str, made: set[str]) -> Iterator[str]:
    checks = [part for check in step.checks for part in check.walk()]
    if len(step.checks) > MOST_CHECKS:
        yield f"{where}: {len(step.checks)} checks (one idea a step: at most {MOST_CHECKS})"
    for check in [*checks, *(part for fail in step.fails for part in fail.when.walk())]:
        yield from _names(check, where)
    for check in checks:
        # What was never there is "gone" from the start, and the check proves nothing.
        if check.subject == "gone" and not _made(check.words["gone"], made):
            yield f"{where}: gone {check.words['gone']} without a step before it that makes it"
    if step.kind in ("do", "watch", "ask") and not step.hints:
        yield f"{where}: no hints"
    if step.kind == "do" and not step.fails:
        yield f"{where}: no fail rule: what is the likely mistake?"
    for number, hint in enumerate(step.hints, 1):
        if len(hint) < 10:
            yield f"{where}: hint {number} is empty"
        for line in step.solve:
            if " ".join(line.split()) in " ".join(hint.split()):
                yield f"{where}: hint {number} holds the solution"
    if step.kind in ("do", "ask", "explain", "watch") and not step.reveal:
        yield f"{where}: no reveal"


def _names(check: Check, where: str) -> Iterator[str]:
    """Words of a mask that no mask has: `lacks = "SYS_ADMN"` would always be true."""
    known: Iterable[str] = ()
    if check.subject == "proc" and str(check.words.get("field", "")).startswith("Cap"):
        known = CAPABILITIES
    elif check.subject == "proc" and str(check.words.get("field", "")).startswith("Sig"):
        known = SIGNAL_NAMES.values()
    for word in ("has", "lacks"):
        value = check.words.get(word, [])
        for name in [value] if isinstance(value, str) else value:
            if known and name not in known:
                yield f'{where}: {word} "{name}"{schema.meant(name, known)}'


def _made(what: str, made: set[str]) -> bool:
    """Whether a step before makes that container, or runs that command line."""
    return what in made or " " in what and any(what in line for line in made)


def _text(lesson: Lesson, where: str, language: str, code: str) -> Iterator[str]:
    name = f"text.{language}.md"
    content = Path(lesson.folder, name).read_text(encoding="utf-8")
    widest = {name: max((made.get("pick") or [str(made.get("value", "12345"))]), key=len)
              for name, made in lesson.variables.items()}
    for _ in widest:
        widest = {name: fill(value, widest) for name, value in widest.items()}
    commands = {line for step in lesson.steps for line in step.solve}
    for number, line in enumerate(content.splitlines(), 1):
        shown = fill(line, widest)
        # A command line is folded where it is shown, so that it can be copied whole.
        folded = shown.startswith("    docker ") or line.strip() in commands
        if len(shown) > WIDTH and not folded:
            yield f"{where}/{name}:{number}: {len(shown)} columns wide ({WIDTH} fit)"
        if line.count("`") % 2 and not line.startswith("```"):
            yield f"{where}/{name}:{number}: code between ` ` goes over the end of the line"
        for variable in variables_in(line):
            if variable not in lesson.variables:
                yield f"{where}/{name}:{number}: unknown variable ${variable}"
        for path, symbol in SYMBOL.findall(line):
            if not defines(os.path.join(code, path), symbol):
                yield f"{where}/{name}:{number}: there is no {symbol} in {path}"


@cache
def operations(code: str) -> tuple[str, ...]:
    """Where a start can be halted: the phases, and every function with `@operation`."""
    found = set[str]()
    for path in Path(code, "runtime").rglob("*.py"):
        found |= set(OPERATION.findall(path.read_text(encoding="utf-8")))
    return (*PHASES, *sorted(found))


def defines(path: str, symbol: str) -> bool:
    """Whether a Python file defines a function or class of that name at its top level."""
    try:
        tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    except OSError:
        return False
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == symbol
               for node in tree.body)

