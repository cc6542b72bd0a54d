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
from lab.widgets.prose import code, inline, prose, wrapped
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
    held: bool = False
    running: str = ""
    ran: str = ""
    exit_code: int | None = None
    output: tuple[str, ...] = ()
    notice: tuple[str, ...] = ()
    hindrance: str = ""


def lines(view: LessonView, width: int) -> list[Line]:
    """The whole step, top to bottom; the widget scrolls it."""
    words = f"To be read only, on this host: {view.hindrance}." if view.hindrance else ""
    rows = [*wrapped(words, width, " ", " ", "pressure"), BLANK] if words else []
    rows += _marked(prose(view.text, width), view, width)
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
        known = row.proof in view.commands
        marked += _runnable(row, row.proof, view, width) if known else [row]
    return marked


def _runnable(row: Line, command: str, view: LessonView, width: int) -> list[Line]:
    """A command line with `r runs it` at its end, or under it where it is too long."""
    offer = "s steps through it " if view.held else "r runs it "
    words = (Span("runs " if view.running == command else offer, "focus"),)
    if cell_len(row.text) + len(offer) + 2 > width:
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
        wrap = code(command, width, "   ")
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
        rows += _check(result, f"check:{number}", width)
    if view.say and not view.passed:
        rows += [BLANK, *wrapped(view.say, width, f" {G.here} ", "   ", "pressure")]
    return rows


def _check(result: Any, key: str, width: int) -> list[Line]:
    """✔ the goal, and at the end what the kernel says; under it where there is no room beside."""
    sign, role = (G.done, "calm") if result.passed else (G.open, "dim")
    found = str(result.observed or "")
    sentence = inline(fit(result.sentence or result.expected, width - 5).rstrip(),
                      "text" if result.passed else "strong")
    room = width - sum(cell_len(span.text) for span in sentence) - 6
    beside = fit(found, room).rstrip() if room >= min(14, cell_len(found)) else ""
    path = str(result.source_path or "")
    row = line(Span(f" {sign} ", role, key), *sentence, right=[Span(f"{beside} ", "dim")],
               source=path, proof=_proof(path))
    if result.passed or beside or not found:
        return [row]
    return [row, line(Span(f"   {fit(found, width - 4).rstrip()}", "dim"))]


def _proof(path: str) -> str:
    """The shell line that shows what stands there; a namespace is a link."""
    word = "readlink" if "/ns/" in path else "cat"
    return f"{word} {path}" if path.startswith("/") else ""


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
    words = fit(command, max(10, width - 14)).rstrip()
    rows = [BLANK, line(Span(" $ ", "dim", "output"), Span(words, "dim"), right=[tail])]
    for text in view.output[-MOST_OUTPUT:]:
        rows += [line(Span(f" {G.upright} ", "rule"), Span(part, "text"))
                 for part in folded(text, max(10, width - 5))[:MOST_OUTPUT]]
    return rows


def folded(text: str, width: int) -> list[str]:
    """A printed line in pieces of at most `width`, broken at spaces where there are any."""
    pieces = [""]
    for word in text.split(" "):
        if pieces[-1] and cell_len(pieces[-1]) + cell_len(word) + 1 > width:
            pieces.append("")
        pieces[-1] += f" {word}" if pieces[-1] else word
    return pieces


def _said(view: LessonView, width: int) -> list[Line]:
    """The card (you said, and what it is), hints, the answer's verdict, the reveal."""
    rows: list[Line] = []
    if view.card is not None:
        rows += _card(view.card, width)
    for number, hint in enumerate(view.hints):
        lead = f" hint {number + 1} of {view.hint_count}  "
        hinted = wrapped(hint, width, lead, " " * cell_len(lead), "text")
        rows += [BLANK, *(_keyed(hinted, "hint") if number == len(view.hints) - 1 else hinted)]
    if view.answer is not None and (not view.passed or view.kind == "ask"):
        rows += [BLANK, *_keyed(_verdict(view, width), "answer")]
    if view.reveal:
        rows += [line(Span(" ", "dim", "reveal")), *prose(view.reveal, width)]
    return rows


def _verdict(view: LessonView, width: int) -> list[Line]:
    if view.answer.passed:
        words = f"{view.answer.observed}, as the kernel says" if view.answer.observed else "yes"
        return wrapped(words, width, f" {G.done} ", "   ", "calm")
    words = view.say or view.answer.sentence or "not yet: look again"
    path = str(view.answer.source_path or "")
    return [row._replace(source=path, proof=_proof(path))
            for row in wrapped(words, width, f" {G.open} ", "   ", "pressure")]


def _keyed(rows: list[Line], key: str) -> list[Line]:
    """The rows, the first of which can be found again by this key."""
    first = rows[0].spans[0]._replace(key=key)
    return [rows[0]._replace(spans=(first, *rows[0].spans[1:])), *rows[1:]]


def _card(card: Any, width: int) -> list[Line]:
    sure = f", {card.sure}" if card.sure else ""
    rows = [BLANK]
    said = wrapped(f"{card.said}{sure}", width, " you said         ", " " * 18, "text")
    rows += _keyed(said, "card")
    rows += wrapped(card.kernel, width, f" {card.label:<15}  ", " " * 18, "strong")
    if card.evidence:
        rows += wrapped(card.evidence, width, " evidence         ", " " * 18, "code")
    return rows


def news(before: LessonView, now: LessonView) -> str:
    """The key of the first part that is there since the last view; "" for nothing new."""
    parts = (
        ("notice", now.notice and now.notice != before.notice),
        ("card", now.card is not None and before.card is None),
        ("hint", len(now.hints) > len(before.hints)),
        ("phase:1", (len(now.phases), len(now.options)) > (len(before.phases),
                                                           len(before.options))),
        ("reveal", now.reveal != before.reveal),
        ("answer", now.answer is not None and now.answer != before.answer),
        ("output", (now.ran, now.running) != (before.ran, before.running)),
    )
    return next((part for part, is_new in parts if is_new), "")


class LessonPanel(LiveTable):
    """The step. Keeps the part that is news in sight: the checks, a hint, the reveal."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = LessonView()

    def show(self, view: LessonView) -> None:
        """Show the step as it is now."""
        before, self.view = self.view, view
        count = len(self.rows)
        self.rebuild()
        if len(self.rows) != count:
            # Where a line to type into stands under it, its height is that of its rows.
            self.refresh(layout=True)
        if before.text != view.text:
            self.top = 0
            self.refresh()
        elif part := news(before, view):
            self.scroll_to_part(part)

    def scroll_to_part(self, part: str) -> None:
        """Bring the part that is new into sight; from the checks on when all of that fits.

        What the line printed stays in sight above the card that speaks of it, if both have room.
        """
        height, last = max(1, self.size.height), len(self.rows)
        starts = {row.spans[0].key: number for number, row in enumerate(self.rows) if row.spans}
        first = starts.get("check:0", starts.get(part, last))
        printed, found = starts.get("output", last), starts.get(part, first)
        if part == "card" and 0 < found - printed <= height - 4:
            found = printed
        self.top = first if last - first <= height else found
        self._clamp()
        self.refresh()

    def build(self, width: int, height: int) -> Sequence[Line]:
        return lines(self.view, width)
