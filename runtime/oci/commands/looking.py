"""state, list and ps: what there is, without changing anything and without a lock.

Sources: runtime-spec runtime.md "State"; runc-state(8), runc-list(8), runc-ps(8).
"""

from __future__ import annotations

import os
import sys

from runtime import documents
from runtime.errors import Invalid, LabError
from runtime.oci import state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.cli import Settings
    from runtime.oci.options import Options

COLUMNS = ("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER")
# Go's tabwriter, as runc sets it.
NARROWEST, PADDING = 12, 3


def state_(settings: Settings, options: Options, arguments: list[str]) -> int:
    """Print a container's state."""
    container = state.load(settings.root, arguments[0])
    sys.stdout.write(pretty(container.report()))
    return 0


def pretty(value: Any, margin: str = "") -> str:
    """JSON with two spaces of indent, as Go's MarshalIndent; json itself costs 12 ms.

    An object or a plain value: a state has no arrays.
    """
    if not isinstance(value, dict) or not value:
        return documents.encode(value)
    inner = f"{margin}  "
    lines = ",\n".join(f"{inner}{documents.encode(key)}: {pretty(each, inner)}"
                       for key, each in value.items())
    return f"{{\n{lines}\n{margin}}}"


def list_(settings: Settings, options: Options, arguments: list[str]) -> int:
    """Print the containers of this root."""
    form = options.get("format", "table")
    if form not in ("table", "json"):
        raise Invalid("invalid format option")
    containers = state.every(settings.root)
    if options.get("quiet"):
        sys.stdout.write("".join(f"{each.id}\n" for each in containers))
        return 0
    reports = [each.report() for each in containers]
    if form == "json":
        sys.stdout.write(documents.encode(reports or None) + "\n")
    else:
        sys.stdout.write(table([COLUMNS, *(
            (each["id"], str(each["pid"]), each["status"], each["bundle"], each["created"],
             each["owner"]) for each in reports)]))
    return 0


def table(rows: list[tuple[str, ...]]) -> str:
    """Columns as wide as their longest cell and three more, twelve at least; the last as it is."""
    widths = [max(NARROWEST, *(len(row[index]) + PADDING for row in rows))
              for index in range(len(rows[0]) - 1)]
    return "".join("".join(cell.ljust(width) for cell, width in zip(row, widths)) + row[-1] + "\n"
                   for row in rows)


def ps_(settings: Settings, options: Options, arguments: list[str]) -> int:
    """Print the container's processes: ps's own lines, or their pids as JSON."""
    form = options.get("format", "table")
    container = state.load(settings.root, arguments[0])
    pids = container.group().processes()
    if form == "json":
        sys.stdout.write(documents.encode(pids or None) + "\n")
        return 0
    if form != "table":
        raise Invalid("invalid format option")
    sys.stdout.write(chosen(run_ps(arguments[1:] or ["-ef"]), set(pids)))
    return 0


def run_ps(arguments: list[str]) -> str:
    """The host's ps(1). Raises LabError."""
    import subprocess  # not on the way of a start

    try:
        done = subprocess.run(["ps", *arguments], capture_output=True, text=True, check=False,
                              env={**os.environ, "LC_ALL": "C"})
    except FileNotFoundError:
        raise LabError('exec: "ps": executable file not found in $PATH') from None
    if done.returncode:
        raise LabError(f"exit status {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def chosen(text: str, pids: set[int]) -> str:
    """The heading and the lines of these pids. Raises LabError where there is no column of pids."""
    heading, *lines = text.splitlines()
    if "PID" not in heading.split():
        raise LabError("couldn't find PID field in ps output")
    column = heading.split().index("PID")
    kept = [line for line in lines
            if len(words := line.split()) > column and words[column].isdigit()
            and int(words[column]) in pids]
    return "\n".join([heading, *kept]) + "\n"
