"""The mounts pane: the container's mount table, and what each row is there for.

The twin of findmnt, from /proc/PID/mountinfo. The host's own table has other rows: their number
stands beside. The overlay's layers are unfolded under the root, lowest last.
Sources: proc_pid_mountinfo(5), mount_namespaces(7), Documentation/filesystems/overlayfs.rst.
"""

from __future__ import annotations

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
        Span("  as it was", "dim") if view.remembered else "",
        source=path, proof=f"cat {path}",
    )]
    for mount in view.mounts:
        rows.append(_row(mount, path, width))
        rows += _layers(mount, view, width)
    return rows


def _row(mount: Mount, path: str, width: int) -> Line:
    target_width = max(16, min(28, width // 4))
    return line(
        Span(f" {fit_left(mount.target, target_width)} ", "name"),
        Span(fit(mount.fstype, 9), "code"), Span("ro " if mount.read_only else "rw ",
                                                 "text" if mount.read_only else "dim"),
        Span(fit(mount.propagation, 8) if width >= 100 else "", "dim"),
        Span(purpose(mount), "dim"),
        source=f"{path}  row {mount.id}", proof=f"grep '^{mount.id} ' {path}",
    )


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
    PARTS = frozenset({"mounts", "changes"})
    PROMISE = "the container's own mount table will stand here, row by row"

    def lines(self, view: View, host: Host, width: int, height: int) -> list[Line]:
        return lines(view, host, width, height)
