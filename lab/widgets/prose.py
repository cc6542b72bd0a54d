"""Prose: the Markdown of a lesson as lines of a given width. A pure function.

Textual's own Markdown widget makes one widget of every paragraph, and its parser costs memory and
start-up time; a lesson needs paragraphs, lists, `code`, **strong**, *emphasis*, quotations and
indented commands. Source: CommonMark, the parts the course's linter lets through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len

from lab.glyphs import G
from lab.widgets.line import BLANK, Line, Span, line

_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*|(?<![\w*])[*_]([^*_\s][^*_]*)[*_](?![\w*])")
_ITEM = re.compile(r"^(\s*)([-*]|\d+[.)])\s+(.*)$")


def prose(markdown: str, width: int, indent: str = " ") -> list[Line]:
    """The lines of a text, wrapped to the width."""
    rows: list[Line] = []
    before = ""
    for kind, text in _blocks(markdown):
        if rows and not (kind == before == "item"):
            rows.append(BLANK)
        rows += _block(kind, text, width, indent)
        before = kind
    return rows


def _blocks(markdown: str) -> Iterator[tuple[str, str]]:
    """(kind, text): text, item, code, quote, heading. Lines of one paragraph are joined."""
    kind, held, fenced = "", list[str](), False
    for raw in markdown.splitlines():
        if raw.startswith("```"):
            if held:
                yield kind, _join(kind, held)
            kind, held, fenced = "code", [], not fenced
            continue
        now = "code" if fenced else _kind(raw, kind)
        if held and (now != kind or _begins(raw)):
            yield kind, _join(kind, held)
            held = []
        kind = now
        if now:
            held.append(raw)
    if held:
        yield kind, _join(kind, held)


def _begins(raw: str) -> bool:
    return bool(_ITEM.match(raw)) or raw.startswith("#")


def _kind(raw: str, before: str) -> str:
    if not raw.strip():
        return ""
    if raw.startswith("#"):
        return "heading"
    if raw.startswith(">"):
        return "quote"
    if _ITEM.match(raw):
        return "item"
    if raw.startswith("    ") and before in ("", "code"):
        return "code"
    # A line without a mark goes on with the paragraph or the item above it.
    return before if before in ("item", "text", "quote") else "text"


def _join(kind: str, held: list[str]) -> str:
    if kind == "code":
        return "\n".join(row.removeprefix("    ") for row in held)
    if kind == "quote":
        return " ".join(row.lstrip("> ") for row in held)
    return " ".join(row.strip() for row in held)


def _block(kind: str, text: str, width: int, indent: str) -> list[Line]:
    if kind == "code":
        return _lines_to_type(text, width, indent + "  ")
    if kind == "heading":
        return [line(Span(f"{indent}{text.lstrip('# ')}", "title"))]
    if kind == "quote":
        return wrapped(text, width, indent + f"{G.upright} ", indent + f"{G.upright} ", "dim")
    found = _ITEM.match(text) if kind == "item" else None
    if found:
        mark = G.dot if found[2] in "-*" else found[2]
        lead = f"{indent}{found[1]}{mark} "
        return wrapped(found[3], width, lead, " " * cell_len(lead))
    return wrapped(text, width, indent, indent)


def _lines_to_type(text: str, width: int, indent: str) -> list[Line]:
    """A block of code; where a backslash goes on in the next line, the last one knows the whole."""
    rows: list[Line] = []
    whole = ""
    for row in text.split("\n"):
        whole = f"{whole} {row.strip()}".strip()
        made = code(row, width, indent)
        goes_on = whole.endswith("\\")
        rows += [*made[:-1], made[-1]._replace(proof="" if goes_on else whole)]
        whole = whole[:-1].rstrip() if goes_on else ""
    return rows


def code(text: str, width: int, indent: str) -> list[Line]:
    """A line to type, in as many rows as it takes; the last row knows the whole of it.

    Its own indent stays: a profile in JSON is read by it.
    """
    bare = text.lstrip(" ")
    indent += " " * (len(text) - len(bare))
    rows, room = [indent], width - 1
    for word in bare.split(" "):
        if cell_len(rows[-1]) + cell_len(word) + 1 > room and rows[-1].strip():
            rows.append(f"{indent}  ")
        rows[-1] += word if rows[-1].endswith("  ") and not rows[-1].strip() else f" {word}"
    made = [line(Span(row, "code")) for row in rows]
    return [*made[:-1], made[-1]._replace(proof=text.strip())]


def inline(text: str, role: str = "text") -> list[Span]:
    """The spans of one paragraph, with `code`, **strong** and *emphasis* told apart."""
    spans, last = [], 0
    for hit in _INLINE.finditer(text):
        if hit.start() > last:
            spans.append(Span(text[last:hit.start()], role))
        if hit[1] is not None:
            spans.append(Span(hit[1], "code"))
        elif hit[2] is not None:
            spans += inline(hit[2], "strong") if "`" in hit[2] else [Span(hit[2], "strong")]
        else:
            spans.append(Span(hit[3], "emphasis"))
        last = hit.end()
    if last < len(text):
        spans.append(Span(text[last:], role))
    return spans


def wrapped(text: str, width: int, first: str, rest: str, role: str = "text") -> list[Line]:
    """A paragraph in lines of at most `width` cells; `first` and `rest` are the indents."""
    rows: list[list[Span]] = [[Span(first, "dim")]]
    used, empty = cell_len(first), True
    for word in _words(inline(text, role)):
        cells = sum(cell_len(span.text) for span in word)
        if not empty and used + 1 + cells > width - 1:
            rows.append([Span(rest, "dim")])
            used, empty = cell_len(rest), True
        if not empty:
            rows[-1].append(Span(" ", word[0].role if word[0].role == "code" else role))
            used += 1
        rows[-1] += word
        used, empty = used + cells, False
    return [Line(tuple(row)) for row in rows]


def _words(spans: list[Span]) -> Iterator[list[Span]]:
    """What stands between spaces; a word that changes its role in the middle stays whole."""
    word: list[Span] = []
    for span in spans:
        for piece in re.split(r"(\s+)", span.text):
            if piece.isspace():
                if word:
                    yield word
                word = []
            elif piece:
                word.append(Span(piece, span.role))
    if word:
        yield word
