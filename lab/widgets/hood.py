"""Under the hood: the docker line, and the operations the start became, phase by phase.

The twin of strace, from the container's own birth certificate. Each row can say its kernel
spelling: the shell line that would have the same effect (`y` copies it). Times are microseconds.
Sources: operations.jsonl; the manual page named on each row.
"""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import Any

from lab.glyphs import G
from lab.snapshot import Effect, Host, View
from lab.widgets.line import BLANK, Line, Span, fit, fit_left, line
from lab.widgets.pane import Pane
from lab.widgets.quantities import duration
from runtime.inspect.operations import short
from runtime.inspect.shell_lines import shell_line

# What each phase is for, in the words the course uses.
GOALS = {
    "prepare": "the shim makes ready what only the host can give",
    "isolate": "namespaces of its own",
    "root": "a file system of its own, the host's let go",
    "limit": "into its cgroup",
    "drop": "give up what root may do",
    "exec": "become the program",
    "release": "after its end",
}


def lines(view: View, host: Host, width: int, height: int, masked: bool = False) -> list[Line]:
    """The rows of the pane; `masked` leaves the phases' names to the student."""
    rows = [line(Span(" $ ", "dim"), Span(view.row.docker or view.row.command, "code"),
                 proof=view.row.docker, source="what you wrote, in Docker's words")]
    if view.row.by_hand:
        return [rows[0]._replace(source=f"/proc/{view.row.pid}/cmdline"), BLANK,
                line(Span(" made by hand: nobody wrote down which calls made it", "dim"))]
    if not view.effects:
        return [*rows, BLANK, line(Span(" its birth certificate is not written yet", "dim"))]
    total = sum(effect.ns for effect in view.effects)
    rows.append(line(Span(f" {len(view.effects)} operations", "strong"),
                     Span(f"  {duration(total / 1000)} in the kernel", "dim")))
    for phase, group in groupby(view.effects, key=attrgetter("phase")):
        effects = list(group)
        rows.append(_phase("?" if masked and phase != "prepare" else phase, effects, width))
        rows += [_effect(effect, width) for effect in effects]
    return rows


def _phase(phase: str, effects: list[Effect], width: int) -> Line:
    """The name of a phase, how many, what for, as far as there is room, and their time."""
    spent = duration(sum(effect.ns for effect in effects) / 1000)
    head = f" {phase} {len(effects)}  "
    goal = fit(GOALS.get(phase, ""), max(0, width - len(head) - len(spent) - 3)).rstrip()
    return line(Span(f" {phase} ", "title"), Span(f"{len(effects)}  ", "dim"),
                Span(goal, "dim"), right=[Span(f"{spent} ", "dim")])


def _effect(effect: Effect, width: int) -> Line:
    time = duration(effect.ns / 1000)
    failed = effect.errno != 0
    words = call_words(effect, max(10, width - 14))
    return line(
        Span(f"   {words} ", "dead" if failed else "text"),
        Span(f"{time:>8} ", "dim"),
        source=f"{effect.call} {G.dot} {effect.symbol}", proof=spelling(effect),
    )


def call_words(effect: Effect, room: int) -> str:
    """The name and the arguments in that room; of a path, its end is kept."""
    text, left = arguments(effect), room - len(effect.name) - 1
    cut = fit_left if text.startswith("/") else fit
    return f"{effect.name} {cut(text, left)}" if left > 4 else fit(effect.name, room)


def arguments(effect: Effect) -> str:
    """The arguments that say something, without their names: `overlay on …/rootfs`."""
    return short(data_of(effect), G.arrow)


def spelling(effect: Effect) -> str:
    """The same effect as a shell line."""
    return shell_line(data_of(effect))


def data_of(effect: Effect) -> dict[str, Any]:
    """The effect as the operation that it was made from."""
    return {"name": effect.name, "arguments": effect.arguments, "result": effect.result,
            "errno": effect.errno, "ns": effect.ns}


class HoodPane(Pane):
    """The operations of the start."""

    KIND = "hood"
    TITLE = "Hood"
    PARTS = frozenset({"effects"})
    PROMISE = "every operation of the start will stand here, with its time and its manual page"

    def __init__(self, id: str | None = None, classes: str = "pane") -> None:
        super().__init__(id, classes)
        self.masked = False

    def lines(self, view: View, host: Host, width: int, height: int) -> list[Line]:
        return lines(view, host, width, height, self.masked)
