"""Help texts: Docker's layout, wrapped as Docker wraps it, from the tables that parsing uses.

Read only when help is asked for. What is not built is listed by name under the flags that are.
Source of the wrapping: pflag's FlagUsagesWrapped (a wrap may run over by up to five columns rather
than leave an orphan word), cobra's usage template as docker/cli changes it.
"""

from __future__ import annotations

import os

from runtime.client import options, values

WIDTH = 80
SLOP = 5

# One text for every --format, as `docker ps --help` has it.
FORMAT_INSPECT = """Format output using a custom template:
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template.
Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with \
templates"""
FORMAT_TABLE = FORMAT_INSPECT.replace("'json'", """\
'table':            Print output in table format with column headers (default)
'table TEMPLATE':   Print output in table format using the given Go template
'json'""")
TEXTS = {"<table>": FORMAT_TABLE, "<inspect>": FORMAT_INSPECT}


def command_help(command: options.Command, path: str) -> str:
    """The whole help of one command."""
    program = path.split(" ", 1)[0]
    parts = [options.usage(command, path), command.short]
    if command.long:
        parts.append(command.long)
    if command.aliases:
        names = ", ".join(f"{program} {name}" for name in command.aliases.split(", "))
        parts.append(f"Aliases:\n  {names}")
    shown = [flag for flag in command.flags if flag[3]]
    if shown:
        # One column is kept free, as Docker does.
        parts.append("Options:\n" + flag_lines(shown, columns() - 1))
    later = [f"--{flag[0]}" for flag in command.flags if flag[3] is False]
    if later:
        parts.append(fill("Docker has these too; they are not built yet, and refused by name: "
                          + " ".join(later), columns()))
    return "\n\n".join(parts)


def columns() -> int:
    """The width of the terminal, 80 where there is none."""
    try:
        return os.get_terminal_size(1).columns or WIDTH
    except OSError:
        return WIDTH


def flag_lines(flags: list[options.Flag], width: int) -> str:
    """The flags, one a paragraph, in the order of the table."""
    heads = []
    for name, letter, kind, _, _ in flags:
        head = f"  -{letter}, --{name}" if letter else f"      --{name}"
        heads.append(f"{head} {values.KINDS[kind][0]}".rstrip())
    indent = max(len(head) for head in heads) + 3
    return "\n".join(
        head.ljust(indent) + wrap(indent, width, TEXTS.get(flag[4], flag[4]))
        for head, flag in zip(heads, flags, strict=True)
    )


def wrap(indent: int, width: int, text: str) -> str:
    """The text between column `indent` and `width`, its first line without the indent."""
    margin = "\n" + " " * indent
    room = width - indent
    if room < 24:
        return text.replace("\n", margin)
    lines = []
    while text:
        line, text = _cut(room - SLOP, text)
        lines.append(line.replace("\n", margin))
    return margin.join(lines)


def _cut(room: int, text: str) -> tuple[str, str]:
    if room + SLOP > len(text):
        return text, ""
    space = max(text.rfind(character, 0, room) for character in " \t\n")
    if space <= 0:
        return text, ""
    line_end = text.rfind("\n", 0, room)
    if 0 < line_end < space:
        space = line_end
    return text[:space], text[space + 1:]


def fill(text: str, width: int) -> str:
    """The text as a paragraph of its own."""
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + len(word) + 1 > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n".join([*lines, line])


def listing(rows: list[tuple[str, str]]) -> str:
    """Commands with what they do: "  run         Create and run …"."""
    return "\n".join(f"  {name.ljust(11)} {short}" for name, short in rows)
