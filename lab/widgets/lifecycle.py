"""The lifecycle pane: the state machine with the state of now, and what happened on a time line.

The twin of docker events, with the kernel's own counters between Docker's words. The machine is the
OCI runtime specification's, with Docker's names. Newest last, so it grows like a log.
Sources: OCI runtime-spec "State" and "Lifecycle", docker events.
"""

from __future__ import annotations

from lab.glyphs import G
from lab.snapshot import Happening, Host, View
from lab.widgets.line import BLANK, Line, Span, line
from lab.widgets.pane import Pane
from lab.widgets.quantities import clock

STATES = ("created", "running", "paused", "exited")
ROLES = {"kernel": "dead", "engine": "calm", "shim": "pressure", "init": "text", "docker": "calm"}


def lines(view: View, host: Host, width: int, height: int) -> list[Line]:
    """The rows of the pane."""
    rows = machine(view)
    rows.append(BLANK)
    first = view.happenings[0].time_s if view.happenings else 0.0
    return rows + [_happening(one, first, width) for one in view.happenings]


def machine(view: View) -> list[Line]:
    """created ──▸ running ◂─▸ paused   with exited below; the state of now has sign and colour."""
    if view.row.by_hand:
        word, path = "runs" if view.row.alive else "has ended", f"/proc/{view.row.pid}/stat"
        said = f" made by hand: it {word}, and nobody keeps a state of it"
        return [BLANK, line(Span(said, "dim"), source=path, proof=f"cat {path}")]
    now = "exited" if view.row.dead else view.row.status
    arrow = Span(f" {G.rule * 2}start{G.rule}{G.here} ", "rule")
    both = Span(f" {G.rule}pause{G.rule}{G.rule}unpause{G.rule} ", "rule")
    down = Span(f" {G.rule * 2}end{G.rule}{G.here} ", "rule")
    state = f"{view.row.name}/state.json"
    return [BLANK, line(
        " ", _state("created", now, view), arrow, _state("running", now, view), down,
        _state("exited", now, view),
        source=f"{state}  Status", proof=f"docker inspect --format '{{{{.State.Status}}}}' "
                                         f"{view.row.name}"),
        line(Span(" " * 22 + G.last, "rule"), both, _state("paused", now, view))]


def _state(name: str, now: str, view: View) -> Span:
    if name != now:
        return Span(f"{G.open} {name}", "dim", f"machine:{name}")
    end = (G.bad, "dead") if view.row.exit_code else (G.done, "calm")
    signs = {"created": (G.done, "text"), "running": (G.run, "calm"),
             "paused": (G.pause, "pressure"), "exited": end}
    sign, role = signs[name]
    code = f" {view.row.exit_code}" if name == "exited" else ""
    return Span(f"{sign} {name.upper()}{code}", role, f"machine:{name}")


def _happening(one: Happening, first_s: float, width: int) -> Line:
    """One row: when, how long after the first, who, what."""
    change = f" {one.before} {G.arrow} {one.after}" if one.after else ""
    who = "docker" if one.who == "engine" and not one.source else one.who
    return line(
        Span(f" {clock(one.time_s)} ", "dim"), Span(f"{one.time_s - first_s:+9.3f} s  ", "dim"),
        Span(f"{who:<8}", ROLES.get(who, "text")), Span(one.what, "strong"),
        Span(change, "text"), Span(f"  {one.detail}" if one.detail else "", "dim"),
        source=one.source, proof=f"cat {one.source}" if one.source.startswith("/") else "",
    )


class LifecyclePane(Pane):
    """States and events on a time line."""

    KIND = "lifecycle"
    TITLE = "Lifecycle"
    PARTS = frozenset({"happenings"})
    PROMISE = "created, running, paused, exited: each step will stand here with its time"

    def __init__(self, id: str | None = None, classes: str = "pane") -> None:
        super().__init__(id, classes)
        self._count = 0

    def lines(self, view: View, host: Host, width: int, height: int) -> list[Line]:
        rows = lines(view, host, width, height)
        if len(view.happenings) != self._count and height:
            # Something new: show the end, where it stands. Between news, scrolling is the user's.
            self._count = len(view.happenings)
            self.top = max(0, len(rows) - height)
        return rows
