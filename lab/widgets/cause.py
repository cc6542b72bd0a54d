"""The cause line, always last above the keys: what the kernel did, when, and what came of it.

Twin of nothing: the tools around show that a container is dead, this says why, from the evidence
the shim kept. With it the card behind `w`: what the kernel, the shim and Docker each say.
  cause  .114 max 118→231 · .131 oom_kill 0→1 · .132 hog SIGKILL · .140 exit 137
"""

from __future__ import annotations

from dataclasses import replace

from lab.glyphs import G
from lab.snapshot import Happening, View
from lab.widgets.line import BLANK, Line, Span, line, width_of
from lab.widgets.quantities import clock, exit_words, fraction

# What the engine tells of every container is not a cause of its death; the end is said last.
ORDINARY = frozenset({"create", "attach", "start", "started", "resize", "exec", "exec_create",
                      "exec_start", "exec_die", "destroy", "stop", "pause", "unpause", "oom",
                      "exited", "die"})


def cause(view: View | None, width: int) -> Line:
    """The line: causes when there was a death or pressure, else how the container is."""
    if view is None:
        return line(Span(" no container yet", "dim"))
    if view.row.dead:
        return _story(view, width)
    if view.throttled_now:
        count = view.usage.nr_throttled if view.usage else 0
        return line(Span(" cause  ", "name"),
                    Span(f"{G.pressure} the kernel holds it back until the next period: "
                         f"nr_throttled {count}", "pressure"))
    if view.row.status == "paused":
        return line(Span(" cause  ", "name"),
                    Span("the freezer holds every process of the group (cgroup.freeze 1)",
                         "pressure"))
    if view.row.status == "running":
        return line(Span(f" {view.row.name} runs since {clock(view.row.started_s)[:-4]}"
                         f"{_pid_words(view)}", "dim"))
    return line(Span(f" {view.row.name} is {view.row.status}", "dim"))


def _pid_words(view: View) -> str:
    return f", pid {view.row.pid} on the host" if view.row.pid else ""


def _story(view: View, width: int) -> Line:
    """The last things that happened, as many as fit, the death itself always."""
    told = merged([one for one in view.happenings if _is_cause(one, view.row.started_s)])
    words = [_words(one) for one in told]
    code = view.row.exit_code
    end = (fraction(view.row.finished_s) if view.row.finished_s else "", f"exit {code}",
           "dead" if code else "calm")
    parts = [*words, end]
    head = f" cause  {clock(_first(view, told))[:-4]}" if width >= 110 else " cause "
    while len(parts) > 1:
        made = _joined(head, parts)
        if width_of(made) <= width:
            break
        parts.pop(_least(parts))
    return Line(tuple(_joined(head, parts)))


def _is_cause(one: Happening, started_s: float) -> bool:
    """Whether it belongs to this life, and is more than the engine's everyday."""
    return one.time_s >= started_s and one.what.partition(":")[0] not in ORDINARY


def _least(parts: list[tuple[str, str, str]]) -> int:
    """The part to leave out first: not the kill, not the end, else the oldest."""
    return next((at for at, (_, what, _) in enumerate(parts[:-1])
                 if not what.startswith("oom_kill")), 0)


def merged(told: list[Happening]) -> list[Happening]:
    """A counter that was read twice on its way is told once, from where to where."""
    found: dict[str, Happening] = {}
    for one in told:
        act = one.what if one.after else f"{one.what} {one.detail}"
        known = found.get(act)
        if known is not None and one.after and known.after == one.before:
            found[act] = replace(known, after=one.after)
        else:
            found.setdefault(act, one)
    return sorted(found.values(), key=lambda one: one.time_s)


def _first(view: View, told: list[Happening]) -> float:
    return told[0].time_s if told else view.row.finished_s


def _joined(head: str, parts: list[tuple[str, str, str]]) -> list[Span]:
    spans = [Span(head, "name")]
    for number, (when, what, role) in enumerate(parts):
        spans.append(Span(f" {G.dot} " if number else " ", "rule"))
        spans.append(Span(f"{when} " if when else "", "dim"))
        spans.append(Span(what, role))
    return spans


def _words(one: Happening) -> tuple[str, str, str]:
    """(when, what, role) of one happening."""
    when = fraction(one.time_s)
    if one.after:
        role = "dead" if one.what.startswith("oom") else "pressure"
        return when, f"{one.what} {one.before}{G.arrow}{one.after}", role
    if one.what == "signal":
        return when, one.detail, "text"
    detail = f" {one.detail}" if one.detail and len(one.detail) < 24 else ""
    return when, f"{one.what}{detail}", "dead" if one.who == "kernel" else "text"


def card(view: View, width: int) -> list[Line]:
    """The card every student should get after a death."""
    row = view.row
    words = exit_words(row.exit_code)
    tail = f"exit {row.exit_code}" + (f" = {words}" if words else "")
    rows = [line(Span(f" {row.name} is {'dead' if row.exit_code else 'done'}. Why?", "title"),
                 right=[Span(f"{tail} ", "dead" if row.exit_code else "calm")]), BLANK]
    if not view.why:
        rows.append(line(Span(" nobody left evidence of this death", "dim")))
    for who, sentence, evidence in view.why:
        rows.append(line(Span(f" {who:<12} ", "name"), Span(sentence, "strong"),
                         right=[Span(f"{evidence} ", "dim")]))
        if len(sentence) + len(evidence) + 16 > width and evidence:
            rows.append(line(Span(f" {'':<12}   {evidence}", "dim")))
    return rows
