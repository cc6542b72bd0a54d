"""Reads `text.<lang>.md`, the words of a lesson: a title, a question, a section for every step.

    # OOM, and what 137 means
    > A container is dead with exit code 137. Was it out of memory?
    ## step: guess
    `hog 200M` asks for … What will you see first?
    - error: `malloc` fails
    - killed: the process is killed
    ### hint 1 · ### say: nolimit · ### reveal · ### note

Plain CommonMark, so that any viewer shows it. Knows no lesson.toml: which options and sections a
step must have is compared in `loader.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lab.course.lesson import Prose
from runtime.errors import Invalid

OPTION = re.compile(r"^- ([A-Za-z0-9][\w.-]*): (.+)$")
STEP = re.compile(r"^## step: ([\w-]+)$")
VARIABLE = re.compile(r"\$([a-z_][a-z0-9_]*)|\$\{([a-z_][a-z0-9_]*)\}")
PART = re.compile(r"^### (?:hint (?P<hint>\d+)|say: (?P<say>[\w-]+)|(?P<word>reveal|note))$")


@dataclass(slots=True)
class Draft:
    """A step's section while it is read; `parts` by heading: "", "hint 1", "say: nolimit"."""

    parts: dict[str, list[str]] = field(default_factory=lambda: {"": []})


@dataclass(frozen=True, slots=True)
class Text:
    """A whole text file: title, question and the prose of every step by id."""

    title: str
    question: str
    steps: dict[str, Prose]


def parse(content: str, where: str) -> Text:
    """The text of a lesson. Raises Invalid with the line that is wrong."""
    title, question, drafts = "", [], dict[str, Draft]()
    part: list[str] | None = None
    for number, line, heading in _lines(content):
        if not heading:
            if part is not None:
                part.append(line)
            elif line.startswith(">"):
                question.append(line[1:].strip())
            elif line.strip():
                raise Invalid(f"{where}:{number}: text before the first step")
            continue
        if line.startswith("# ") and not title:
            title = line[2:].strip()
        elif step := STEP.match(line):
            if step[1] in drafts:
                raise Invalid(f"{where}:{number}: step {step[1]} has two sections")
            draft = drafts[step[1]] = Draft()
            part = draft.parts[""]
        elif PART.match(line) and drafts:
            part = _open(list(drafts.values())[-1], line, f"{where}:{number}")
        else:
            raise Invalid(f"{where}:{number}: unknown heading {line!r} "
                          "(## step: ID, ### hint N, ### say: KEY, ### reveal, ### note)")
    if not title:
        raise Invalid(f"{where}: the first line should be # and the title")
    steps = {step_id: _prose(draft, f"{where}: step {step_id}")
             for step_id, draft in drafts.items()}
    return Text(title, " ".join(question), steps)


def _lines(content: str) -> Iterator[tuple[int, str, bool]]:
    """(line number, line, is it a heading); nothing inside a fence is a heading."""
    fenced = False
    for number, line in enumerate(content.splitlines(), 1):
        if line.startswith("```"):
            fenced = not fenced
        yield number, line.rstrip(), line.startswith("#") and not fenced


def _open(draft: Draft, line: str, where: str) -> list[str]:
    heading = line[4:].strip()
    if heading in draft.parts:
        raise Invalid(f"{where}: {heading} stands twice in this step")
    return draft.parts.setdefault(heading, [])


def _prose(draft: Draft, where: str) -> Prose:
    texts = {heading: "\n".join(lines).strip() for heading, lines in draft.parts.items()}
    body, wording = _options(texts.pop(""))
    hints = [heading for heading in texts if heading.startswith("hint ")]
    if hints != [f"hint {number + 1}" for number in range(len(hints))]:
        raise Invalid(f"{where}: hints should be numbered 1, 2, 3: {', '.join(hints)}")
    return Prose(
        body, wording, tuple(texts[heading] for heading in hints),
        {heading[5:]: text for heading, text in texts.items() if heading.startswith("say: ")},
        texts.get("reveal", ""), texts.get("note", ""),
    )


def _options(body: str) -> tuple[str, dict[str, str]]:
    """The body without its last list of `- key: wording`, and that list."""
    lines, wording = body.split("\n"), dict[str, str]()
    first = next((at for at, line in enumerate(lines) if OPTION.match(line)), len(lines))
    last = ""
    for line in lines[first:]:
        if option := OPTION.match(line):
            last = option[1]
            wording[last] = option[2].strip()
        elif line.startswith("  ") and last:
            wording[last] += " " + line.strip()
        elif line.strip():
            return body, {}  # a list in running text is no list of options
    return "\n".join(lines[:first]).strip(), wording


def variables_in(text: str) -> list[str]:
    """The names after a `$` in lower case: $name, ${limit}; `$?` and `$PATH` are the shell's."""
    return [match[1] or match[2] for match in VARIABLE.finditer(text)]
