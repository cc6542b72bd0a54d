"""The ablation board's words: the parts of a container, and the table of what one held back.

Pure functions from what `container-lab ablation --json` says to lines of spans; no Textual. Only
the parts that are left out are chosen here; the engine judges them (engine/ablation.py), and its
refusals are shown as they are.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lab.glyphs import G
from lab.widgets.line import BLANK, Line, Span, fit, line, laid_out
from lab.widgets.prose import wrapped
from runtime.engine.ablation import DANGERS, PARTS

# No container here has one of its own, unless it is asked for: nothing to leave out.
ABSENT = ("user", "time")
NAMES = {"pid": "process numbers", "mount": "mount table", "net": "network", "ipc": "shared memory",
         "uts": "host name", "user": "users", "cgroup": "view of groups", "time": "clocks",
         "seccomp": "system calls", "caps": "capabilities", "masks": "hidden files",
         "pivot": "pivot_root"}
# From this width on panes and probes stand beside each other.
TWO_COLUMNS = 88
PANE_WHAT, PROBE_WHAT = 15, 29
# The columns of what the two containers say: "the host's", "no ESRCH".
NARROWEST, USUAL = 10, 11


def parts_lines(out: Collection[str], cursor: str, armed: bool, active: bool) -> list[Line]:
    """The left side: every part, there or left out, and which could harm the host."""
    rows = []
    for part in PARTS:
        here = Span(G.here if part == cursor and active else " ", "focus")
        danger = Span(G.pressure, "pressure") if part in DANGERS else Span(" ")
        if part in out:
            sign, word, role = G.bad, "left out", "dead"
        elif part in ABSENT:
            sign, word, role = G.closed, "has none", "dim"
        else:
            sign, word, role = G.done, "there", "calm"
        name = Span(f"{part:<8}", "strong" if part == cursor else "name")
        rows.append(line(here, Span(f"{sign} ", role), name, Span(f" {word:<8} ", role), danger))
    words = "ON" if armed else "off"
    rows += [BLANK, line(Span(f" {G.pressure} ", "pressure"), Span("may harm the host", "dim")),
             line(Span("   --unsafe is ", "dim"), Span(words, "pressure" if armed else "text"))]
    return rows


def about_lines(part: str, width: int) -> list[Line]:
    """What is so without the part under the cursor, and what it could come to: two rows."""
    words = f"without {part} ({NAMES[part]}): {PARTS[part]}"
    if part in DANGERS:
        words += f". {G.pressure} {DANGERS[part]}"
    rows = wrapped(words, width, " ", " ", "text")
    return (rows + [BLANK, BLANK])[:2] if len(rows) < 3 else rows[:3]


def command(out: Collection[str], armed: bool) -> list[str]:
    """The words of the line that makes the table."""
    parts = [part for part in PARTS if part in out]
    unsafe = ["--unsafe"] if armed and any(part in DANGERS for part in parts) else []
    return ["ablation", "--json", "--without", ",".join(parts), *unsafe]


def shown(words: Sequence[str]) -> str:
    """The line as the student would type it."""
    return shlex.join(["container-lab", *(word for word in words if word != "--json")])


def nothing_lines(width: int) -> list[Line]:
    """What stands on the right before anything was started."""
    rows: list[Line] = [BLANK]
    for words in ("Leave a part out with space, then start with r: a full container and one "
                  "without it, beside each other.",
                  "What the panes show of both, and what a program inside could do: each tried for "
                  "real, without lasting effect.",
                  f"{G.bad} red: only the one without it. {G.pressure} changed: it comes to "
                  f"another lock, which holds. {G.equal} same."):
        rows += [*wrapped(words, width, " ", " ", "dim"), BLANK]
    return rows


def table_lines(found: Mapping[str, Any], width: int) -> list[Line]:
    """The right side: how much turned red, and every row."""
    red = [sum(row["red"] for row in found[key]) for key in ("panes", "probes")]
    head = line(Span(f" {G.bad if any(red) else G.equal} ", "dead" if any(red) else "dim"),
                Span(f"{red[0]} of {len(found['panes'])} pane rows", "strong"),
                Span(", ", "dim"),
                Span(f"{red[1]} of {len(found['probes'])} probes", "strong"),
                Span(" turned red", "dim"), source="the same with a shell inside",
                proof=found["line"])
    panes, probes = pane_lines(found, width), probe_lines(found, width)
    if width < TWO_COLUMNS:
        return [head, *_reddest_first(panes, probes)]
    wide = PANE_WHAT + 2 * NARROWEST + 5
    return [head, *beside(panes, probes, wide, width - wide - 1)]


def _reddest_first(panes: list[Line], probes: list[Line]) -> list[Line]:
    """In one column: what has turned red in sight, then all that has not, in its order."""
    title, *rows = panes
    heading, *more = probes
    red = [row for row in (*rows, *more) if row.spans[0].role == "dead"]
    rest = [row for row in rows if row not in red]
    last = [row for row in more if row not in red]
    return [title, *red, BLANK, *rest, heading, *last]


def pane_lines(found: Mapping[str, Any], width: int) -> list[Line]:
    """What the panes show of both containers."""
    what, value = (PANE_WHAT, NARROWEST) if width >= TWO_COLUMNS else (PROBE_WHAT, USUAL)
    rows = [_title("panes", what, value, found)]
    for row in found["panes"]:
        name = f"{row['what']} ns" if row["pane"] == "namespaces" else row["what"]
        evidence = row["evidence"]
        both = f"{row['what']} {evidence['full']} {G.dot} without {evidence['without']}"
        rows.append(_row(row["red"], False, fit(name, what), row["full"], row["without"], value,
                         both, found))
    return rows


def probe_lines(found: Mapping[str, Any], width: int) -> list[Line]:
    """What a program inside could do in either."""
    value = NARROWEST if width >= TWO_COLUMNS else USUAL
    rows = [_title("could a program inside", PROBE_WHAT, value, found)]
    for row in found["probes"]:
        rows.append(_row(row["red"], row["changed"], fit(row["question"], PROBE_WHAT),
                         outcome(row["full"]), outcome(row["without"]), value,
                         f"{row['call']} {row['without']['said']}".strip(), found, row["line"]))
    return rows


def _title(words: str, what: int, value: int, found: Mapping[str, Any]) -> Line:
    return line(Span(f"   {fit(words, what)} ", "dim"), Span(fit("full", value) + " ", "dim"),
                Span(fit("without", NARROWEST), "dim"))


def _row(red: bool, changed: bool, what: str, full: str, without: str, value: int, source: str,
         found: Mapping[str, Any], typed: str = "") -> Line:
    sign, role = ((G.bad, "dead") if red else (G.pressure, "pressure") if changed
                  else (G.equal, "dim"))
    flags = found["line"].partition(" -it ")[2].rpartition(" sh")[0]
    proof = f"docker run --rm {flags} sh -c {shlex.quote(typed)}" if typed else found["line"]
    return line(Span(f" {sign} ", role), Span(f"{what} ", "text" if red or changed else "dim"),
                Span(fit(full, value) + " ", "dim"),
                Span(fit(without, NARROWEST), role if red or changed else "dim"),
                source=source, proof=proof)


def outcome(answer: Mapping[str, Any]) -> str:
    """YES, or no with the errno."""
    return "YES" if answer["yes"] else f"no {answer['errno']}".strip()


def beside(left: list[Line], right: list[Line], wide: int, rest: int) -> list[Line]:
    """Two columns in one table; the proof of a row is the right one's, where it has one."""
    rows = []
    for at in range(max(len(left), len(right))):
        one = left[at] if at < len(left) else BLANK
        other = right[at] if at < len(right) else BLANK
        spans = [*laid_out(one, wide), Span(G.upright, "rule"), *laid_out(other, rest)]
        rows.append(Line(tuple(spans), proof=other.proof or one.proof,
                         source=other.source or one.source))
    return rows
