"""The predicate about a start: what its birth certificate says.

    {operations = "$name", has = "pivot_root"}        one of its calls
    {operations = "$name", phases = true}             the phases, in their order
    {operations = "$name", held = true}               somebody stepped through it, to its end

Read from what the shim wrote down, `operations.jsonl`; nothing of how it was typed.
"""

from __future__ import annotations

import os
from typing import Any

from lab.course.predicates import Words
from lab.course.result import Context, Reading, Result

PHASES = ("isolate", "root", "limit", "drop", "exec")


def _certificate(name: str, context: Context) -> str:
    facts = context.world.container(name)
    return os.path.join(os.path.dirname(facts.path), "operations.jsonl") if facts else ""


def operations(words: Words, context: Context) -> Result:
    """The birth certificate holds this operation, or the phases in order."""
    name = context.text(words["operations"])
    rows = context.world.operations(name)
    if words.get("held"):
        return _held(name, rows, context)
    wanted = words.get("has", "")
    names = [str(row.get("name")) for row in rows]
    found = wanted in names if wanted else bool(rows)
    return Result(found, wanted or "recorded", f"{len(rows)} operations",
                  _certificate(name, context),
                  f"the start of {name} is on record" if not wanted else f"{name} did {wanted}")


def _held(name: str, rows: list[dict[str, Any]], context: Context) -> Result:
    """Somebody held the start before every call, and let go of it up to the last.

    execve is written down by the shim, which cannot know; but nothing before it goes unheld.
    """
    calls = [row for row in rows if row.get("name") != "execve"]
    held = sum(1 for row in calls if row.get("held_ns"))
    done = bool(calls) and held == len(calls) < len(rows)
    observed = f"{held} of {len(calls)} calls were held" if rows else "not started"
    if rows and len(calls) == len(rows):
        observed = f"given up after {len(rows)} calls"
    return Result(done, "every call held", observed, _certificate(name, context),
                  f"you let {name} begin, one call at a time")


def operations_value(words: Words, context: Context) -> Reading | None:
    """The phases of a start in their order; of `phase_of` an operation, or the `largest` one."""
    name = context.text(words["operations"])
    rows, path = context.world.operations(name), _certificate(name, context)
    if "phase_of" in words:
        order = [row["phase"] for row in rows if row.get("name") == words["phase_of"]]
        return Reading(str(order[-1]), path) if order else None
    # The process's own steps: the shim has made the group before, and that is `limit` too.
    phases = [row["phase"] for row in rows
              if row.get("by") == "init" and row.get("phase") in PHASES]
    order = list(dict.fromkeys(phases))
    if words.get("largest"):
        order = sorted(order, key=phases.count)[-1:]
    return Reading(" ".join(order), path) if order else None
