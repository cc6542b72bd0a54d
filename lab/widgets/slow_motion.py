"""The slow motion screen as lines: the film on the left, the kernel on the right, the why below.

Pure functions over frames (runtime/client/motion.py): no kernel, no Textual. A frame that is held
has no result yet; one of a film that nobody stepped through has no moment, and then the right side
shows the arguments instead, for what the kernel showed then nobody has seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lab.glyphs import G
from lab.widgets.line import BLANK, Line, Span, fit, fit_left, line
from lab.widgets.prose import wrapped
from runtime.client.film import PHASES, Breakpoints, Frame
from runtime.errors import NotFound
from runtime.inspect.moments import Moment, Row, rows
from runtime.inspect.namespaces import KINDS
from runtime.inspect.operations import CONTAINER, decoded, result_word, short, time_word
from runtime.trace import meanings, sources

# From here on every row of the kernel's side has room for host and container in full.
ROOMY = (44, 17)


def phases_line(frames: Sequence[Frame], at: int, whole: bool) -> Line:
    """── isolate 4 ── ROOT 14 of 54 ──: where in the story this is; a live start has no totals."""
    counts = Counter(frame.phase for frame in frames)
    here = frames[at].phase if frames else ""
    spans = []
    for phase in [*PHASES, *(set(counts) - set(PHASES))]:
        spans.append(Span(G.rule * 2, "rule"))
        if phase != here:
            spans.append(Span(f" {phase} {counts[phase] or ''}".rstrip() + " ", "dim"))
            continue
        place = sum(frame.phase == phase for frame in frames[:at + 1])
        of = f" of {counts[phase]}" if whole else ""
        spans.append(Span(f" {phase.upper()} {place}{of} ", "strong"))
    return Line(tuple(spans), fill=Span(G.rule, "rule"))


def operation_lines(frames: Sequence[Frame], at: int, width: int, stops: Breakpoints
                    ) -> list[Line]:
    """The film, a row an operation; the one that is looked at has the sign of the cursor."""
    made = []
    for index, frame in enumerate(frames):
        here = index == at
        time = time_word(frame.operation)
        failed = bool(frame.operation.get("errno"))
        right = result_word(frame.operation) if failed else time
        mark = G.here if here else G.star if stops.hit(frame) else " "
        words = call_words(frame, max(8, width - len(right) - 9))
        made.append(line(
            Span(f" {mark}", "focus"), Span(f"{frame.n:>3} ", "dim"),
            Span(words, "dead" if failed else "strong" if here else "text"),
            right=[Span(f"{right} ", "dead" if failed else "dim")]))
    return made


def call_words(frame: Frame, room: int) -> str:
    """The name and the arguments in that room; of a path, its end is kept."""
    name, text = frame.name, short(frame.operation, G.arrow)
    left = room - len(name) - 1
    if left < 5 or not text:
        return fit(name, room)
    path = text.startswith("/") and " " not in text
    return f"{name} {(fit_left if path else fit)(text, left)}"


def kernel_lines(frame: Frame, after: Moment | None, host: Moment | None, name: str, width: int,
                 height: int) -> list[Line]:
    """Host and container side by side, and what this operation moved: 31 → 32."""
    if host is None:
        return argument_lines(frame, width)
    before = rows(frame.moment, host)
    later = {row.name: row.own for row in rows(after, host)} if after else {}
    if width >= ROOMY[0] and height >= ROOMY[1]:
        head = line(Span(f" {'':8}", "dim"), Span(f"{'host':<13}", "dim"), Span(name, "strong"))
        return [head, *(_roomy(row, later.get(row.name, ""), width) for row in before)]
    return _compact(before, later, width)


def _roomy(row: Row, after: str, width: int) -> Line:
    room = max(8, width - 25)
    sign = G.differ if row.differs else " "
    return line(Span(f" {row.name:<8}", "dim"), Span(fit(row.host, 11), "text"),
                Span(f" {sign} ", "focus"), *_value(row, after, room), proof=row.proof)


def _value(row: Row, after: str, room: int) -> list[Span]:
    """The container's value, and behind an arrow what it is after this operation."""
    if not after or after == row.own:
        # Before it is born there is only the host's.
        value = row.own or row.host
        cut = fit_left if value.startswith("/") else fit
        return [Span(cut(value, room).rstrip(), "strong" if row.differs else "dim",
                     key=row.name)]
    old = row.own or row.host or "none"
    both = f"{old} {G.arrow} {after}"
    if len(both) > room:
        return [Span(f"{G.arrow} {fit_left(after, room - 2).rstrip()}", "pressure", key=row.name)]
    return [Span(f"{old} ", "strong" if row.differs else "dim"),
            Span(f"{G.arrow} {after}", "pressure", key=row.name)]


def _compact(before: Sequence[Row], later: dict[str, str], width: int) -> list[Line]:
    """The same at 80×24: the namespaces two in a row by their last digits, then the rest."""
    spaces = [row for row in before if row.name in KINDS]
    half = (len(spaces) + 1) // 2
    made = []
    for left, right in zip(spaces[:half], [*spaces[half:], None][:half]):
        made.append(line(*_cell(left, later, (width - 1) // 2),
                         *(_cell(right, later, width // 2) if right else ())))
    for row in before:
        if row.name in KINDS or row.name == "runs":
            continue
        made.append(line(Span(f" {row.name:<8}", "dim"),
                         Span(f"{G.differ if row.differs else ' '} ", "focus"),
                         *_value(row, later.get(row.name, ""), max(8, width - 12)),
                         proof=row.proof))
    return made


def _cell(row: Row, later: dict[str, str], width: int) -> list[Span]:
    after = later.get(row.name, "")
    moved = bool(after) and after != row.own
    value = after if moved else row.own or row.host
    # Equal to the host's or another: that is the question, and four digits answer it.
    sign = " " if not (row.own or moved) else G.equal if value == row.host else G.differ
    text = f"{G.ellipsis}{value[-4:]}" if value else ""
    role = "pressure" if moved else "strong" if sign == G.differ else "dim"
    return [Span(f" {row.name:<7}", "dim"), Span(f"{sign} ", "focus"),
            Span(fit(text, max(1, width - 10)), role, key=row.name)]


def argument_lines(frame: Frame, width: int) -> list[Line]:
    """The arguments by name, each flag by its own: for a film without moments."""
    made = [line(Span(" its arguments", "dim"))]
    for name, value in decoded(frame.operation):
        # Room to break at, and of where a container is kept only that it is there.
        text = CONTAINER.sub(G.ellipsis, value).replace("|", " | ").replace(",", ", ")
        made += wrapped(text, width, f" {name}  ", "   ")
    if len(made) == 1:
        made.append(line(Span(" none", "dim")))
    return [*made, BLANK,
            *wrapped("What the kernel showed then is kept of a start that was stepped through.",
                     width, " ", " ", "dim")]


def meaning_lines(frame: Frame, width: int) -> list[Line]:
    """What it does, why it stands here, and why not something simpler."""
    meaning = meanings.of(frame.operation)
    if meaning is None:
        words = f"{frame.operation.get('call', frame.name)} is not one of ours: its manual page."
        return wrapped(words, width, " ", " ", "dim")
    made = [*wrapped(meaning.what, width, " ", " "), *wrapped(meaning.why, width, " ", " ", "dim")]
    if meaning.instead:
        question, _, answer = meaning.instead.partition("?  ")
        made += wrapped(f"**{question}?** {answer}", width, " ", " ")
    return made


def by_line(frame: Frame, newborn: int) -> Line:
    """Who makes it, and how it went."""
    who = "the shim" if frame.by == "shim" else "init"
    role = ", which will be pid 1 inside" if frame.by == "init" else ""
    pid = frame.pid if frame.by == "shim" else newborn or frame.pid
    said = f"{result_word(frame.operation)} {time_word(frame.operation)}".strip() or "held"
    failed = bool(frame.operation.get("errno"))
    return line(Span(" by     ", "dim"), Span(f"{who}, pid {pid}" if pid else who, "text"),
                Span(role, "dim"),
                right=[Span(f"{said} ", "dead" if failed else "calm" if said != "held" else
                            "pressure")])


def source_line(frame: Frame, width: int) -> Line:
    """The manual page, and the function of ours."""
    call = str(frame.operation.get("call", ""))
    path, _, name = frame.symbol.partition(":")
    if not path:
        return line(Span(" source ", "dim"), Span("not ours: a trace of strace", "dim"))
    return line(Span(" source ", "dim"), Span(f"{path}  ", "text"),
                Span(fit(name, max(4, width - len(path) - len(call) - 12)).rstrip(), "strong"),
                right=[Span(f"{call} ", "dim")])


def code_lines(frame: Frame, width: int) -> list[Line]:
    """Our code that makes it; the line of the call is marked."""
    try:
        lines = sources.code(frame.symbol)
        marked = sources.line_of(frame.symbol, frame.name)
    except NotFound as error:
        return [BLANK, *wrapped(str(error), width, " ", " ", "pressure")]
    made = []
    for number, text in lines:
        here = number == marked
        made.append(line(Span(f" {G.here if here else ' '}", "focus"),
                         Span(f"{number:>4} ", "dim"),
                         Span(fit(text, max(8, width - 8)).rstrip(), "strong" if here else "code")))
    return made


def typed_lines(text: str, width: int) -> list[Line]:
    """A line of a shell, whole, over as many rows as it takes."""
    room = max(10, width - 5)
    pieces = [text[start:start + room] for start in range(0, len(text), room)]
    return [BLANK, *(line(Span("   " if at else " $ ", "dim"), Span(piece, "code"))
                     for at, piece in enumerate(pieces))]
