"""The mounts pane: the container's mount table, and what each row is there for.

The twin of findmnt, from /proc/PID/mountinfo. The host's own table has other rows: their number
stands beside. The overlay's layers are unfolded under the root, lowest last. The number before a
row is the operation of the birth certificate that made it, as the Hood pane counts them.
Sources: proc_pid_mountinfo(5), mount_namespaces(7), Documentation/filesystems/overlayfs.rst.
"""

from __future__ import annotations

from lab.birth import Birth, births
from lab.glyphs import G
from lab.snapshot import Host, View
from lab.widgets.line import BLANK, Line, Span, fit, fit_left, line
from lab.widgets.pane import Pane
from runtime.inspect.layers import PathState
from runtime.inspect.mounts import Mount, overlay_layers, purpose

# How many rows of the upper directory stand here at most; the rest is counted.
MOST_CHANGES = 40
MEANS = {
    "copied_up": "copied up whole; the image's own is untouched",
    "whiteout": "whiteout, device 0:0: hides the one below, frees nothing",
    "opaque": "opaque: hides the whole directory below",
    "upper_only": "new: only the upper layer has it",
}
DIRECTORY = "a directory, made here to hold what changed in it"


def lines(view: View, host: Host, width: int, height: int) -> list[Line]:
    """The rows of the pane."""
    if not view.mounts:
        word = ("gone with its mount namespace" if view.row.dead
                else "no process yet, so no mount table")
        return [BLANK, line(Span(f" {word}", "dim"))]
    path = f"/proc/{view.row.pid}/mountinfo"
    rows = [line(
        Span(" mountinfo ", "name"), Span(f"{len(view.mounts)} rows", "strong", "mounts:count"),
        Span(f" inside {G.dot} {host.mounts} on the host", "dim"),
        Span(f" {G.dot} number: what made it" if view.effects and width > 64 else "",
             "dim"),
        Span("  as it was", "dim") if view.remembered else "",
        source=path, proof=f"cat {path}",
    )]
    made = births(view.mounts, view.effects)
    for mount in view.mounts:
        rows.append(_row(mount, path, width, made.get(mount.id), bool(view.effects)))
        rows += _layers(mount, view, width)
    return rows


def _row(mount: Mount, path: str, width: int, birth: Birth | None, certified: bool) -> Line:
    target_width = max(16, min(28, width // 4))
    return line(
        Span(f" {_number(birth):>3} " if certified else " ", "code" if birth else "dim"),
        Span(f"{fit_left(mount.target, target_width)} ", "name"),
        Span(fit(mount.fstype, 9), "code"), Span("ro " if mount.read_only else "rw ",
                                                 "text" if mount.read_only else "dim"),
        Span(fit(mount.propagation, 8) if width >= 100 else "", "dim"),
        Span(purpose(mount), "dim"),
        source=_origin(mount, path, birth, certified), proof=f"grep '^{mount.id} ' {path}",
    )


def _number(birth: Birth | None) -> str:
    """31, or a sign for a row that came with the tree of another, or after birth."""
    if birth is None:
        return G.dot
    return f"{G.last}{birth.made.n}" if birth.inherited else str(birth.made.n)


def _origin(mount: Mount, path: str, birth: Birth | None, certified: bool) -> str:
    """For the rule under the pane: the row, and who made it."""
    where = f"{path} row {mount.id}"
    if not certified:
        return where
    if birth is None:
        return f"{where} {G.dot} no operation of the start made it: it came later"
    by = f"made by {birth.made.n} {birth.made.call} {birth.made.symbol}"
    if birth.inherited:
        by = f"came with the tree of {birth.made.n} {birth.made.call}"
    changed = "".join(f", {each.n} {each.name}" for each in birth.changed)
    return f"row {mount.id} {G.dot} {by}{changed}"


def _layers(mount: Mount, view: View, width: int) -> list[Line]:
    """An overlay's directories: the upper one takes the writes, and so is the list of changes."""
    found = overlay_layers(mount)
    if found is None or mount.target != "/":
        return []
    lowers, upper, _ = found
    room = max(20, width - 14)
    rows = [_layer("upper", upper, room, "takes the writes", "calm")] if upper else []
    rows += [_change(one, upper) for one in view.changes[:MOST_CHANGES]]
    if len(view.changes) > MOST_CHANGES:
        rows.append(line(Span(f"        and {len(view.changes) - MOST_CHANGES} more", "dim")))
    rows += [_layer("lower", lower, room, "", "dim") for lower in lowers]
    return rows


def _layer(word: str, path: str, room: int, meaning: str, role: str) -> Line:
    shown = fit_left(path, room - len(meaning) - 2).rstrip()
    return line(Span(f"   {G.last}{G.rule} {word} ", role), Span(shown, "text"),
                Span(f"  {meaning}", "dim"), source=path, proof=f"ls -la {path}")


def _change(one: PathState, upper: str) -> Line:
    """A path of the upper directory: C copied up, A added, D deleted (a whiteout)."""
    role = {"D": "dead", "C": "pressure", "A": "calm"}.get(one.mark, "text")
    path = f"{upper}{one.path}"
    merged = one.kind == "directory" and one.word == "copied_up"
    meaning = DIRECTORY if merged else MEANS.get(one.word, one.word)
    return line(Span(f"        {one.mark} ", role), Span(one.path, "text"),
                Span(f"  {meaning}", "dim"), source=path,
                proof=f"stat {path}")


class MountsPane(Pane):
    """The mount table, and what each row is there for."""

    KIND = "mounts"
    TITLE = "Mounts"
    PARTS = frozenset({"mounts", "changes", "effects"})
    PROMISE = "the container's own mount table will stand here, row by row"

    def lines(self, view: View, host: Host, width: int, height: int) -> list[Line]:
        return lines(view, host, width, height)
