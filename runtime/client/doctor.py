"""`container-lab doctor [--json]`: what this host can do, and which lessons that opens.

In the command line's process. Asks `inspect/host.py`, prints its report at most 80 columns wide:
glyph and word, never colour alone, no colour at all with NO_COLOR or into a pipe. Lessons come as
a parameter, since the course is above this folder: [("oom-137", "OOM", ("cgroup:memory",))].
Exit code 0 when containers can run here, 1 when not, 125 for a wrong flag, as Docker's.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from runtime.inspect.facts import MISSING, OK, PARTLY, Item
from runtime.inspect.host import Report, doctor
from runtime.inspect.requirements import Requirement
from runtime.inspect.source import Live

Lesson = tuple[str, str, Sequence[str]]

WIDTH, NAME, LESSON = 79, 14, 22
# Colour numbers of the terminal's own palette: blue, yellow, bold. Red stays the kernel's.
MARKS = {OK: ("✔", "ok", "34"), PARTLY: ("▲", "partly", "33"), MISSING: ("○", "missing", "1")}
LETTERS = {"✔": "+", "▲": "!", "○": "-", "×": "x"}
USAGE = """Usage:  container-lab doctor [--json]

Say what this host can do, what it cannot, why, and what would change it

Options:
      --json   Print the report as JSON"""


def main(argv: list[str], root: str | None = None, lessons: Iterable[Lesson] = ()) -> int:
    """Examine the host and print the report. `root` is the state directory of the lab."""
    if argv in (["--help"], ["-h"]):
        print(USAGE)
        return 0
    if argv not in ([], ["--json"]):
        wrong = next(word for word in argv if word != "--json")
        print(f"container-lab doctor: unknown argument: {wrong}\n\n{USAGE}", file=sys.stderr)
        return 125
    report = doctor(Live(), root or os.environ.get("CONTAINER_LAB_ROOT"))
    lessons = list(lessons)
    if argv == ["--json"]:
        data = report.to_data() | {"lessons": [lesson_data(report, each) for each in lessons]}
        said = json.dumps(data, indent=2)
    else:
        said = _for_output("\n".join(lines(report, lessons, colour=_colour())))
    try:
        print(said, flush=True)
    except BrokenPipeError:
        # The reader went away; nothing more can be said to it, also not when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), 1)
    return 0 if report.can_run else 1


def lesson_data(report: Report, lesson: Lesson) -> dict[str, object]:
    """One lesson as JSON data: {"id": "oom-137", "open": true, "unmet": []}."""
    name, title, requires = lesson
    unmet = [{"slug": u.slug, "reason": u.reason, "command": u.command}
             for u in report.unmet(requires)]
    return {"id": name, "title": title, "open": not unmet, "unmet": unmet}


def lines(report: Report, lessons: Sequence[Lesson], colour: bool = False) -> Iterator[str]:
    """The report as text, line by line."""
    for item in _merged(report.items):
        yield from _item(item, colour)
    yield ""
    if lessons:
        yield from _lessons(report, lessons, colour)
        yield ""
    yield from _verdict(report)


def _verdict(report: Report) -> Iterator[str]:
    if report.can_run and report.way.kind == "root":
        yield "Containers can run here."
        return
    if report.way.kind != "root":
        yield from textwrap.wrap(report.way.sentence, WIDTH)
        return
    names = " and ".join(dict.fromkeys(item.name for item in report.hindrances))
    yield from textwrap.wrap(f"Containers cannot run here: see {names} above. What still works: "
                             "reading the lessons (lesson show), and this report.", WIDTH)


def _merged(items: Iterable[Item]) -> Iterator[Item]:
    """The kinds of namespace that are alike share a line; each other Item has its own."""
    lines: dict[tuple[str, ...], list[Item]] = {}
    for item in items:
        alike = (item.group, item.state, item.found, item.reason)
        lines.setdefault(alike if item.group else (item.name,), []).append(item)
    for line in lines.values():
        yield _joined(line) if line[0].group else line[0]


def _joined(alike: list[Item]) -> Item:
    first, names = alike[0], " ".join(item.name for item in alike)
    return Item(first.group, first.state, f"{names}: {first.found}", first.reason, first.command)


def _item(item: Item, colour: bool) -> Iterator[str]:
    glyph, word, code = MARKS[item.state]
    mark = f"{glyph} {word:<8}"
    head = f"\x1b[{code}m{mark}\x1b[0m" if colour else mark
    first, *rest = textwrap.wrap(item.found, WIDTH - len(mark) - NAME - 1)
    yield f"{head} {item.name:<{NAME}}{first}"
    indent = " " * (len(mark) + 1 + NAME)
    yield from (indent + line for line in rest)
    if item.state != OK:
        yield from _because(item.reason, item.command, indent)


def _because(reason: str, command: str, indent: str) -> Iterator[str]:
    """The reason, and the command: never broken inside a word, so that it can be copied."""
    yield from textwrap.wrap(reason, WIDTH, initial_indent=indent, subsequent_indent=indent)
    yield from textwrap.wrap(command, WIDTH - 2, initial_indent=f"{indent}→ ",
                             subsequent_indent=f"{indent}  ", break_long_words=False,
                             break_on_hyphens=False)


def _lessons(report: Report, lessons: Sequence[Lesson], colour: bool) -> Iterator[str]:
    closed = [(lesson, unmet) for lesson in lessons if (unmet := report.unmet(lesson[2]))]
    since = ", since containers cannot" if not report.can_run else \
        "" if report.way.kind == "root" else ", for they are made for root"
    yield f"Lessons: {len(lessons) - len(closed)} of {len(lessons)} run live on this host{since}."
    shut = {lesson[0] for lesson, _ in closed}
    for name, title, _ in lessons:
        if name not in shut:
            yield from _lesson(OK, name, title, colour)
    for (name, title, _), unmet in closed:
        yield from _lesson(MISSING, name, title, colour)
        # What hinders every container, or this user with all of them, is said once, above.
        said = ("containers",) if report.way.kind == "root" else ("containers", "root")
        for each in (each for each in unmet if each.slug not in said):
            yield from _because(_reason(each), each.command, "    ")


def _lesson(state: str, name: str, title: str, colour: bool) -> Iterator[str]:
    glyph, _, code = MARKS[state]
    word = "open" if state == OK else "closed"
    mark = f"{glyph} {word:<8}"
    head = f"\x1b[{code}m{mark}\x1b[0m" if colour else mark
    text = f"{name:<{LESSON}} {title}" if title else name
    yield f"{head} {textwrap.shorten(text, WIDTH - len(mark) - 1, placeholder='…')}" if (
        len(text) > WIDTH - len(mark) - 1) else f"{head} {text}"


def _reason(unmet: Requirement) -> str:
    return f"{unmet.slug}: {unmet.reason}"


def _colour() -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return sys.stdout.isatty() and not plain


def _for_output(text: str) -> str:
    """The text in what the output can show: letters for glyphs where it is not UTF-8."""
    encoding = sys.stdout.encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        for glyph, letter in (LETTERS | {"→": ">", "…": "..."}).items():
            text = text.replace(glyph, letter)
    return text.encode(encoding, "replace").decode(encoding)
