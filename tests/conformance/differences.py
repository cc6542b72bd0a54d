"""Where we answer otherwise than the recorded Docker, and why: the whole list.

A row is (scenarios, command lines, reason), the first two as shell patterns. A command that says
"… is not built yet" needs no row: it says its reason itself. A row that nothing needs any more makes
the test fail, so the list cannot grow old.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

Row = tuple[str, str, str]

DIFFERENCES: list[Row] = []


def row_for(scenario: str, line: str) -> Row | None:
    """The row that excuses this command, if one does."""
    for row in DIFFERENCES:
        if fnmatchcase(scenario, row[0]) and fnmatchcase(line, row[1]):
            return row
    return None
