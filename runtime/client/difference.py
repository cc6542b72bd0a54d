"""`operations A --diff B`: two starts side by side, and what one did that the other did not.

Runs in the command line, and for the lab's screen. A start is a container's birth certificate, or a
file that strace wrote of another runtime's: a name with a `/` in it is a file, for no container has
one. Rows that are the same are counted, not shown.

    ink                                     tea
    setresuid 0 0 0                       | setresuid 1000 1000 1000
                                          > keep_capabilities yes
"""

from __future__ import annotations

import os

from runtime.client import help
from runtime.errors import Invalid
from runtime.inspect.operations import short
from runtime.trace.difference import Fold, Pair, counted, folded, pairs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.client.options import Options
    from runtime.client.session import Session
    from runtime.engine.engine import Engine

WORDS = {" ": "the same", "|": "with other arguments", "~": "at another place"}


def film(engine: Engine, place: str) -> list[dict[str, Any]]:
    """The operations of a container, or of a trace in a file. Raises NotFound, Invalid."""
    if "/" not in place:
        found: list[dict[str, Any]] = engine.operations(place)
        if not found:
            raise Invalid(f"compare the start of {place}: it has not been started yet")
        return found
    from runtime.inspect import strace

    try:
        with open(place, encoding="utf-8", errors="replace") as file:
            return strace.operations(file.read())
    except OSError as error:
        raise Invalid(f"read the trace {place}: {(error.strerror or '').lower()}") from None


def show(session: Session, given: Options, first: str, second: str) -> int:
    """Print the difference."""
    left, right = film(session.engine, first), film(session.engine, second)
    rows = pairs(left, right)
    if given.get("json"):
        import json

        session.say(json.dumps([{"sign": row.sign, "left": row.left, "right": row.right}
                                for row in rows], ensure_ascii=False, indent=1))
        return 0
    width = max(60, min(help.columns(), 160))
    session.say("\n".join(lines(rows, short_name(first), short_name(second), width)))
    return 0


def short_name(place: str) -> str:
    """A container's name; of a path, the file's."""
    return os.path.basename(place) or place


def lines(rows: list[Pair], left: str, right: str, width: int) -> list[str]:
    """The two columns, and below them the count."""
    column = (width - 3) // 2
    made = [f"{left:{column}}   {right}".rstrip()]
    for row in folded(rows):
        if isinstance(row, Fold):
            made.append(f"{'':{max(0, column - 10)}} … {row.count} the same")
            continue
        made.append(f"{words(row.left, column):{column}} {row.sign} "
                    f"{words(row.right, column)}".rstrip())
    return [*made, "", summary(rows, left, right)]


def words(operation: dict[str, Any] | None, room: int) -> str:
    """The operation in that room."""
    text = f"{operation['name']} {short(operation)}".rstrip() if operation else ""
    return text if len(text) <= room else text[:room - 1] + "…"


def summary(rows: list[Pair], left: str, right: str) -> str:
    """123 the same, 3 with other arguments (|), 13 only ink (<), 4 only tea (>)."""
    count = counted(rows)
    parts = [f"{count[sign]} {word}" + (f" ({sign})" if sign != " " else "")
             for sign, word in WORDS.items() if count[sign]]
    parts += [f"{count[sign]} only {name} ({sign})"
              for sign, name in (("<", left), (">", right)) if count[sign]]
    return ", ".join(parts)
