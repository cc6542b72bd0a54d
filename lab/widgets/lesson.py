"""The lesson's side of the screen: prose, the question or the command, the checks, the answer.

A pure function from a LessonView to lines. Red is for what the kernel did, never for the student:
an unmet check is `○`, a met one `✔`, with what was expected and what is there now. The question
stays locked once answered, and the kernel's answer stands in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len

from lab.glyphs import G
from lab.widgets.line import BLANK, Line, Span, fit, line
from lab.widgets.live_table import LiveTable
from lab.widgets.prose import inline, prose, wrapped
from lab.widgets.quantities import duration

SURE = ("guess", "fairly", "sure")
MOST_OUTPUT = 4


@dataclass(frozen=True, slots=True)
class LessonView:
    """A step as the screen shows it; made from the Stepper by the screen at every change."""

    kind: str = "read"
    text: str = ""
    commands: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    choice: int = 0
    locked: str | None = None
    asks_sure: bool = False
    sure: int = 1
    results: tuple[Any, ...] = ()
    say: str | None = None
    hints: tuple[str, ...] = ()
    hint_count: int = 0
    reveal: str = ""
    card: Any = None
    phases: tuple[Any, ...] = ()
    answer: Any = None
    passed: bool = False
    running: str = ""
    ran: str = ""
    exit_code: int | None = None
    output: tuple[str, ...] = ()
    notice: tuple[str, ...] = ()


def lines(view: LessonView, width: int) -> list[Line]:
    """The whole step, top to bottom; the widget scrolls it."""
    rows = _marked(prose(view.text, width), view, width)
    watch = view.kind == "watch"
    rows += [] if watch else _question(view, width)
    rows += _commands(view, rows, width)
    rows += _checks(view, width)
    rows += _output(view, width)
    if watch:
        # First the start, then what it became, then the question about it.
        rows += _phases(view, width) + _question(view, width)
    rows += _said(view, width)
    for text in view.notice:
        rows += [line(Span(" ", "dim", "notice")), *wrapped(text, width, " ", " ", "pressure")]
    return rows


def _marked(rows: list[Line], view: LessonView, width: int) -> list[Line]:
    """The command lines inside the prose say that `r` runs them."""
    marked: list[Line] = []
    for row in rows:
        text = row.text.strip()
        known = text and text in view.commands
        marked += _runnable(row, text, view, width) if known else [row]
    return marked


def _runnable(row: Line, command: str, view: LessonView, width: int) -> list[Line]:
    """A command line with `r runs it` at its end, or under it where it is too long."""
    words = (Span("runs " if view.running == command else "r runs it ", "focus"),)
    row = row._replace(proof=command, source="the line of this step")
    if cell_len(row.text) + 12 > width:
        return [row, Line((), words)]
    return [row._replace(right=words)]


def _question(view: LessonView, width: int) -> list[Line]:
    """The options of a predict, explain or watch step, and how sure."""
    if not view.options:
        return []
    rows = [BLANK]
    for number, (name, words) in enumerate(view.options):
        chosen = view.locked == name or (view.locked is None and number == view.choice)
        mark = G.here if chosen else " "
        lead = f" {mark} {number + 1}  "
        key = f"option:{number}"
        role = "strong" if chosen else "dim" if view.locked is not None else "text"
        rest = " " * cell_len(lead)
        wrap = wrapped(words, width, rest, rest, role)
        wrap[0] = Line((Span(lead, "focus" if chosen else "dim", key), *wrap[0].spans[1:]))
        rows += wrap
    if view.locked is None:
        rows += [BLANK, *_sureness(view, width)]
    elif view.kind == "predict" and not view.card:
        rows += [BLANK, line(Span(f" {G.done} locked", "calm"),
                             Span(f", {SURE[view.sure]}" if view.asks_sure else "", "dim"),
                             Span(". Now let the kernel answer: ", "dim"), Span("n", "key"))]
    return rows


def _sureness(view: LessonView, width: int) -> list[Line]:
    lock = (Span("enter", "key"), Span(" locks it ", "dim"))
    if not view.asks_sure:
        return [Line((), lock)]
    spans = [Span(" How sure are you? ", "text")]
    for number, word in enumerate(SURE):
        chosen = number == view.sure
        spans.append(Span(f" {G.here if chosen else ' '}{word} ", "strong" if chosen else "dim"))
    if width < 64:
        return [Line(tuple(spans)), BLANK, Line((Span(" "), *lock))]
    return [Line((*spans, Span("  ← → ", "dim")), lock)]


def _commands(view: LessonView, above: list[Line], width: int) -> list[Line]:
    """The command lines, unless the prose has shown them."""
    shown = {row.proof for row in above}
    left = [command for command in view.commands if command not in shown]
    if not left or (view.kind == "watch" and view.phases):
        return []
    rows = [BLANK]
    for command in left:
        wrap = wrapped(command, width, "   ", "     ", "code")
        rows += [*wrap[:-1], *_runnable(wrap[-1], command, view, width)]
    return rows


def _phases(view: LessonView, width: int) -> list[Line]:
    """Watch: what the start became, phase by phase."""
    if not view.phases:
        return []
    rows = [BLANK]
    for phase in view.phases:
        names = list(dict.fromkeys(phase.operations))
        head = f" {phase.name:<9}{len(phase.operations):>3}  "
        time = f"{duration(phase.microseconds)} "
        words = fit(" ".join(names), max(8, width - cell_len(head) - cell_len(time) - 1))
        rows.append(line(Span(head, "name", f"phase:{len(rows)}"), Span(words, "dim"),
                         right=[Span(time, "dim")]))
    return rows


def _checks(view: LessonView, width: int) -> list[Line]:
    if not view.results:
        return []
    rows = [BLANK]
    for number, result in enumerate(view.results):
        sign, role = (G.done, "calm") if result.passed else (G.open, "dim")
        found = str(result.observed or "")
        room = max(20, width - 8 - min(24, cell_len(found)))
        sentence = inline(fit(result.sentence or result.expected, room).rstrip(),
                          "text" if result.passed else "strong")
        free = width - sum(cell_len(span.text) for span in sentence) - 6
        rows.append(line(
            Span(f" {sign} ", role, f"check:{number}"), *sentence,
            right=[Span(f"{fit(found, free).rstrip() if free > 8 else ''} ", "dim")],
            source=result.source_path or "",
            proof=f"cat {result.source_path}" if str(result.source_path).startswith("/") else "",
        ))
    if view.say and not view.passed:
        rows += [BLANK, *wrapped(view.say, width, f" {G.here} ", "   ", "pressure")]
    return rows


def _output(view: LessonView, width: int) -> list[Line]:
    """What the command line printed, and how it ended."""
    if not view.ran and not view.running:
        return []
    command = view.running or view.ran
    if view.running:
        tail = Span("runs ", "calm")
    else:
        code = view.exit_code
        tail = Span(f"exit {code} ", "calm" if code == 0 else "pressure")
    rows = [BLANK, line(Span(" $ ", "dim"), Span(fit(command, max(10, width - 14)).rstrip(), "dim"),
                        right=[tail])]
    return rows + [line(Span(f" {G.upright} ", "rule"), Span(text, "text"))
                   for text in view.output[-MOST_OUTPUT:]]


def _said(view: LessonView, width: int) -> list[Line]:
    """The card (you said, the kernel said), hints, the answer's verdict, the reveal."""
    rows: list[Line] = []
    if view.card is not None:
        rows += _card(view.card, width)
    for number, hint in enumerate(view.hints):
        lead = f" hint {number + 1} of {view.hint_count}  "
        rows += [BLANK, *wrapped(hint, width, lead, " " * cell_len(lead), "text")]
    if view.answer is not None and (not view.passed or view.kind == "ask"):
        rows += [BLANK, *_verdict(view, width)]
    if view.reveal:
        rows += [BLANK, *prose(view.reveal, width)]
    return rows


def _verdict(view: LessonView, width: int) -> list[Line]:
    if view.answer.passed:
        words = f"{view.answer.observed}, as the kernel says" if view.answer.observed else "yes"
        return wrapped(words, width, f" {G.done} ", "   ", "calm")
    words = view.say or view.answer.sentence or "not yet: look again"
    return wrapped(words, width, f" {G.open} ", "   ", "pressure")


def _card(card: Any, width: int) -> list[Line]:
    sure = f", {card.sure}" if card.sure else ""
    rows = [BLANK]
    rows += wrapped(f"{card.said}{sure}", width, " you said         ", " " * 18, "text")
    rows += wrapped(card.kernel, width, " the kernel said  ", " " * 18, "strong")
    if card.evidence:
        rows += wrapped(card.evidence, width, " evidence         ", " " * 18, "code")
    return rows


class LessonPanel(LiveTable):
    """The step. Keeps the part that is news in sight: the checks, a hint, the reveal."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = LessonView()

    def show(self, view: LessonView) -> None:
        """Show the step as it is now."""
        before, self.view = self.view, view
        self.rebuild()
        if before.text != view.text:
            self.top = 0
            self.refresh()
        elif self._news(before, view):
            self.to_news()

    @staticmethod
    def _news(before: LessonView, view: LessonView) -> bool:
        def news(one: LessonView) -> tuple[object, ...]:
            return (len(one.hints), one.reveal, one.ran, one.running, one.notice, one.locked,
                    one.card, len(one.options), len(one.phases), one.answer)

        return news(view) != news(before)

    def to_news(self) -> None:
        """Scroll to what is new: from the checks on when that fits, else to the last part."""
        height, last = max(1, self.size.height), len(self.rows)
        starts = [number for number, row in enumerate(self.rows) if self._begins_part(row)]
        fitting = [number for number in starts if last - number <= height]
        self.top = fitting[0] if fitting else starts[-1] if starts else 0
        self._clamp()
        self.refresh()

    @staticmethod
    def _begins_part(row: Line) -> bool:
        """The first line of the checks, the output, the card, a hint."""
        first = row.spans[0] if row.spans else Span("")
        begins = (" $ ", " you said         ", " hint ")
        return first.key in ("check:0", "phase:1", "notice") or first.text.startswith(begins)

    def build(self, width: int, height: int) -> Sequence[Line]:
        return lines(self.view, width)
