"""The doctor: what this host can do, what it cannot, why, and the command that would change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from lab import actions
from lab.glyphs import G
from lab.screens.screen import PageScreen, rule
from lab.widgets.line import BLANK, Line, Span, line
from lab.widgets.prose import wrapped

SIGNS = {"missing": ("closed", "dim"), "partly": ("pressure", "pressure"),
         "unknown": ("open", "dim")}


def doctor_lines(report: Any, lessons: list[Any], width: int) -> list[Line]:
    """The report: every item, then the lessons it closes."""
    rows: list[Line] = [BLANK]
    for item in merged(report.items):
        sign, role = SIGNS.get(item.state, ("done", "calm"))
        # Wrapped behind the name, and then without the indent that stands for it.
        found = wrapped(item.found, width, " " * 18, " " * 18)
        rows.append(line(Span(f" {getattr(G, sign)} ", role), Span(f"{item.name:<15}", "strong"),
                         *found[0].spans[1:], proof=item.command))
        rows += found[1:]
        if item.reason:
            rows += wrapped(item.reason, width, " " * 18, " " * 18, "dim")
        if item.command:
            rows += wrapped(f"$ {item.command}", width, " " * 18, " " * 20, "code")
    closed = [(one, unmet[0]) for one in lessons if (unmet := one.unmet(report))]
    rows.append(BLANK)
    if not closed:
        rows.append(line(Span(f" {G.done} ", "calm"), Span("every lesson can be played here")))
    for one, unmet in closed:
        rows.append(line(Span(f" {G.closed} ", "dim"), Span(one.title, "strong"),
                         Span(f"  {unmet[1]}", "dim")))
    return rows


def merged(items: Sequence[Any]) -> list[Any]:
    """Those of one group that say the same in one row, as on the command line: `mnt pid net`."""
    alike: dict[tuple[str, ...], list[Any]] = {}
    for item in items:
        key = (item.group, item.state, item.found, item.reason) if item.group else (item.name,)
        alike.setdefault(key, []).append(item)
    return [replace(same[0], name=same[0].group,
                    found=f"{' '.join(one.name for one in same)}: {same[0].found}")
            if same[0].group else same[0] for same in alike.values()]


class DoctorScreen(PageScreen):
    """The report on the screen."""

    NAME: ClassVar[str] = "doctor"
    BINDINGS = actions.bindings("doctor")

    def on_mount(self) -> None:
        self.lab.examine()

    def paint(self) -> None:
        super().paint()
        self.line_of("title").put([rule("doctor")])
        self.line_of("foot").put([rule(right="container-lab doctor --json says the same")])
        page = self.line_of("page")
        if self.lab.report is None:
            page.put([BLANK, line(Span(f" {self.lab.examining or 'looking at this host'}", "dim"))])
            return
        lessons = list(self.lab.course.lessons()) if self.lab.course else []
        # One column is the scroll bar's.
        page.put(doctor_lines(self.lab.report, lessons, max(40, page.size.width - 1)))
        below = len(page.rows) - page.top - page.size.height
        more = f"{below} more rows below" if below > 0 else ""
        self.line_of("foot").put([rule(more, right="container-lab doctor --json says the same")])

    def examined(self) -> None:
        """The doctor has looked."""
        self.paint()

    def action_up(self) -> None:
        self.line_of("page").scroll_rows(-2)
        self.paint()

    def action_down(self) -> None:
        self.line_of("page").scroll_rows(2)
        self.paint()
