"""The line of a watch step, so that its start is held before every call.

    held("docker run -d --name ink lab/base sh")  ->  "docker run --step -d --name ink lab/base sh"
    halting(line, ("isolate", "execve"))   ->  "{ printf … } | docker run --step -d --name ink …"

The student gets the first, in the slow motion or at the plain prompt of `--step`; the second is for
whoever types instead of a student: it sets the breakpoints, goes on at each halt, reads nothing.
Pure. What `--step` understands is said in `runtime/client/stepping.py`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

STARTS = re.compile(r"\b(docker|container-lab) (run|start) ")
# More than a start has operations: what is not needed is not read.
OFTEN = 300


def held(line: str) -> str:
    """The same start, stepped through."""
    return STARTS.sub(r"\1 \2 --step ", line, count=1)


def halting(line: str, stops: Sequence[str]) -> str:
    """The same, with somebody at its prompt who halts at the stops, and goes on."""
    words = " ".join(shlex.quote(f"b {stop}") for stop in stops)
    return f"{{ printf '%s\\n' {words}; yes c 2>/dev/null | head -n {OFTEN}; }} | {held(line)}"


def instructions(stops: Sequence[str]) -> str:
    """What to type at the prompt of --step, in one sentence."""
    named = ", ".join(f"b {stop}" for stop in stops)
    return (f"The start is held before each call. Type {named} to halt there, then c for each "
            "next halt, Enter for a single step, and ? for the rest.")
