"""The live side: the panes as tabs, the one that is seen, and the rule with the cursor's proof.

Used by the lesson and the free lab alike, so that a pane is in the same place in both. Only what is
seen is built, and `parts` tells the sampler to read no more than that.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from textual.containers import Vertical
from textual.widget import Widget

from lab.glyphs import G
from lab.snapshot import Snapshot
from lab.widgets.cgroups import CgroupsPane
from lab.widgets.hood import HoodPane
from lab.widgets.lifecycle import LifecyclePane
from lab.widgets.line import Line, Span, fit_left, line
from lab.widgets.live_table import LiveTable
from lab.widgets.mounts import MountsPane
from lab.widgets.namespaces import NamespacesPane
from lab.widgets.pane import Pane
from lab.widgets.processes import ProcessesPane
from lab.widgets.security import SecurityPane

PANES: tuple[type[Pane], ...] = (
    CgroupsPane, NamespacesPane, MountsPane, LifecyclePane, ProcessesPane, HoodPane, SecurityPane,
)
# What authors may call a pane in lesson.toml.
ALIASES = {
    "cgroup": "cgroups", "memory": "cgroups", "cpu": "cgroups", "limits": "cgroups",
    "ns": "namespaces", "mount": "mounts", "layers": "mounts", "diff": "mounts",
    "procs": "processes", "proc": "processes", "events": "lifecycle", "states": "lifecycle",
    "trace": "hood", "operations": "hood", "capabilities": "security", "caps": "security",
    "seccomp": "security", "masks": "security",
}


# Below this width the tabs have short names, so that the container's name has room beside them.
NARROW = 76
# Rows that a copied line may take under the pane.
MOST_PROOF = 5
SHORT = {"Namespaces": "NS", "Lifecycle": "Life", "Processes": "Procs", "Security": "Sec"}


def kind_of(word: str) -> str:
    """The pane that a lesson's word means: "memory" is "cgroups"."""
    word = word.partition(":")[0]
    return ALIASES.get(word, word)


class LiveSide(Vertical):
    """Tabs, panes, proof. `select`, `show` and `parts` are all a screen needs."""

    def __init__(self, kinds: Sequence[str] = (), id: str = "live-side") -> None:
        super().__init__(id=id)
        known = [pane.KIND for pane in PANES]
        wished = [kind for kind in dict.fromkeys(map(kind_of, kinds)) if kind in known]
        self.active = self.inside = wished[0] if wished else known[0]
        beside = wished[1] if len(wished) > 1 else "processes"
        self.beside = beside if beside != self.active else "lifecycle"
        self.snapshot = Snapshot()
        self.told: tuple[str, str] = ("", "")
        # A pane that stands outside and takes the keys for its kind while it is seen.
        self.lent: Pane | None = None
        self._sought = ""

    def compose(self) -> Iterator[Widget]:
        yield LiveTable(id="tabs", classes="one")
        for pane in PANES:
            yield pane(id=f"pane-{pane.KIND}")
        yield LiveTable(id="companion-title", classes="one")
        companion = next(pane for pane in PANES if self.beside == pane.KIND)
        yield companion(id="companion", classes="companion")
        yield LiveTable(id="proof", classes="one")

    def on_mount(self) -> None:
        self.select(self.active)

    @property
    def pane(self) -> Pane:
        """The pane that has the keys."""
        if self.lent is not None and self._is_outside(self.active):
            return self.lent
        return self.query_one(f"#pane-{self.active}", Pane)

    def _is_outside(self, kind: str) -> bool:
        """Whether that pane is seen outside already: the same pane is never shown twice."""
        lent = self.lent
        return lent is not None and kind == lent.KIND and bool(lent.size.width)

    def select(self, kind: str) -> None:
        """Show the pane of that kind, or give the keys to the one that is seen outside."""
        kind = kind_of(kind)
        if kind not in [pane.KIND for pane in PANES]:
            return
        self.active, self.told, self._sought = kind, ("", ""), ""
        if not self._is_outside(kind):
            self.inside = kind
        for pane in self.query(".pane").results(Pane):
            pane.set_class(self.inside == pane.KIND, "-active")
            pane.shows_cursor = pane is self.pane
        if self.lent is not None:
            self.lent.shows_cursor = self.lent is self.pane
            self.lent.refresh()
        self._companion()
        self.query_one(f"#pane-{self.inside}", Pane).show(self.snapshot)
        self.pane.show(self.snapshot)
        self.call_after_refresh(self._settle)
        self.paint()

    def _companion(self) -> None:
        """The pane below the one that is seen, unless it is seen already."""
        twice = self.inside == self.beside or self._is_outside(self.beside)
        for name in ("companion", "companion-title"):
            self.query_one(f"#{name}").set_class(twice, "gone")

    def lend(self, pane: Pane) -> None:
        """That pane stands outside; while it is seen, its kind is not shown in here as well."""
        self.lent = pane
        self.call_after_refresh(self._resized)

    def on_resize(self) -> None:
        """At another width the pane outside may have come or gone."""
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        outside = self._is_outside(self.active)
        if outside == (self.inside == self.active):
            if outside:
                self.inside = next(pane.KIND for pane in PANES if self.active != pane.KIND)
            self.select(self.active)
        self._companion()
        self.paint()

    def point(self, focus: str) -> None:
        """Show the pane of a lesson's focus, with the cursor on its row: "layers:/etc/passwd".

        A row that is not there yet is looked for until it comes, or the student moves the cursor.
        """
        self.select(focus)
        word = focus.partition(":")[2].lower()
        self._sought = word or ("upper" if focus in ("layers", "diff") else "")
        self._seek()

    def _seek(self) -> None:
        if not self._sought:
            return
        if self.pane.cursor_to(self._sought):
            self._sought = ""
        elif self._sought.startswith("/"):
            self.pane.cursor_to("upper")

    def select_number(self, number: int) -> None:
        """Show the pane of that digit."""
        if 1 <= number <= len(PANES):
            self.select(PANES[number - 1].KIND)

    def turn(self, steps: int) -> None:
        """The next pane, or the one before."""
        kinds = [pane.KIND for pane in PANES]
        self.select(kinds[(kinds.index(self.active) + steps) % len(kinds)])

    def show(self, snapshot: Snapshot) -> None:
        """Show this moment in every pane that is seen."""
        before, self.snapshot = self.snapshot, snapshot
        self.query_one(f"#pane-{self.inside}", Pane).show(snapshot)
        self._seek()
        companion = self.query_one("#companion", Pane)
        if companion.display and companion.size.height:
            companion.show(snapshot)
        if _name(before) != _name(snapshot) or self.pane.current is None:
            self._settle()
            self.paint()

    def parts(self) -> frozenset[str]:
        """What the panes that are seen need to have read."""
        parts = {*self.pane.PARTS, *self.query_one(f"#pane-{self.inside}", Pane).PARTS}
        companion = self.query_one("#companion", Pane)
        if companion.display and companion.size.height:
            parts |= companion.PARTS
        return frozenset(parts)

    def _settle(self) -> None:
        self.pane.settle_cursor()
        self._seek()
        self.pane.refresh()
        self.paint()

    # The two rules

    def paint(self) -> None:
        """The tabs, and the proof of the value under the cursor."""
        if not self.is_mounted:
            return
        self.query_one("#tabs", LiveTable).put([self._tabs()])
        title = next(pane.TITLE for pane in PANES if self.beside == pane.KIND)
        stroke = Span(G.rule, "rule")
        self.query_one("#companion-title", LiveTable).put(
            [Line((Span(G.rule * 2, "rule"), Span(f" {title} ", "dim")), fill=stroke)])
        rows = self._told() if any(self.told) else [self._proof()]
        proof = self.query_one("#proof", LiveTable)
        proof.styles.height = len(rows)
        proof.put(rows)

    def _tabs(self) -> Line:
        short = self.size.width < NARROW
        spans = [Span(G.rule * 2, "rule")]
        for number, pane in enumerate(PANES):
            here = self.active == pane.KIND
            mark = G.here if here else ""
            title = SHORT.get(pane.TITLE, pane.TITLE) if short else pane.TITLE
            role = "focus" if here else "text" if self.inside == pane.KIND else "dim"
            spans.append(Span(f" {mark}{title} ", role))
            spans.append(Span(G.rule if number < len(PANES) - 1 else "", "rule"))
        name = _name(self.snapshot)
        right = (Span(f" {name} ", "strong"), Span(G.rule * 2, "rule")) if name else ()
        return Line(tuple(spans), right, fill=Span(G.rule, "rule"))

    def _proof(self) -> Line:
        stroke = Span(G.rule, "rule")
        width = self.size.width
        current = self.pane.current
        if current is None or not current.proof:
            return line(stroke, fill=stroke)
        tail = " y copies the proof "
        words = fit_left(current.source or current.proof, max(8, width - len(tail) - 8)).strip()
        if len(words) < 4:
            return line(stroke, fill=stroke)
        return Line((stroke, stroke, Span(f" {words} ", "dim")),
                    (Span(" y", "key"), Span(tail[2:], "dim"), stroke, stroke), fill=stroke)

    def _told(self) -> list[Line]:
        """What `y` has done, and the whole line, in as many rows as it takes."""
        words, command = self.told
        stroke = Span(G.rule, "rule")
        head = Line((stroke, stroke, Span(f" {words} ", "focus")), fill=stroke)
        rows = textwrap.wrap(command, max(20, self.size.width - 4), break_on_hyphens=False)
        return [head, *(line(Span("   " if number else " $ ", "dim"), Span(row, "code"))
                        for number, row in enumerate(rows[:MOST_PROOF]))]

    def on_live_table_moved(self, event: LiveTable.Moved) -> None:
        event.stop()
        self.moved()

    def moved(self) -> None:
        """Another row is under the cursor, or the row says something else."""
        self._seek()
        current = self.pane.current
        if self.told[1] and (current is None or current.proof != self.told[1]):
            self.told = ("", "")
        self.paint()

    def step_cursor(self, steps: int) -> None:
        """Move the cursor of the pane that has the keys."""
        self.told, self._sought = ("", ""), ""
        self.pane.step_cursor(steps)
        self.paint()

    def take_proof(self) -> str:
        """The shell line under the cursor, shown under the pane as well; "" when there is none."""
        current = self.pane.current
        proof = current.proof if current else ""
        # Whether the terminal takes it (OSC 52) it does not say: so neither do we.
        self.told = (("sent to the terminal's clipboard", proof) if proof
                     else ("nothing to prove here yet: no value is under the cursor", ""))
        self.paint()
        return proof


def _name(snapshot: Snapshot) -> str:
    return snapshot.shown.row.name if snapshot.shown else ""
