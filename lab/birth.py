"""Which operation of the birth certificate made a row of the mount table.

A pure function over what the sampler read. The certificate names what it mounted as the container
sees it ("/dev/pts"), its root as the host does; the kernel's table has no memory of who made a row,
so the two are matched by the path. Rows of one path are matched in order: the first operation on it
made the first. A row that no operation names came as part of a tree that was bound, or after birth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.snapshot import Effect
from runtime.inspect.mounts import Mount

# What puts a mount somewhere, and what changes one that is there.
MAKERS = ("mount", "move_mount")
CHANGERS = ("mount", "mount_setattr")


@dataclass(frozen=True, slots=True)
class Birth:
    """The operation that made a row, and those that changed it afterwards."""

    made: Effect
    changed: tuple[Effect, ...] = ()
    # It is a part of the tree that `made` bound, not the mount that it named.
    inherited: bool = False


def births(table: Sequence[Mount], effects: Sequence[Effect]) -> dict[int, Birth]:
    """{mount id: its birth} for every row that can be told."""
    root = _root_target(effects)
    makers: dict[str, list[Effect]] = {}
    changers: dict[str, list[Effect]] = {}
    for effect in effects:
        target = _inside(str(effect.arguments.get("target", "")), root)
        if effect.errno or not target:
            continue
        if makes(effect):
            makers.setdefault(target, []).append(effect)
        elif effect.name in CHANGERS:
            changers.setdefault(target, []).append(effect)
    found: dict[int, Birth] = {}
    for row in table:
        waiting = makers.get(row.target)
        if waiting:
            found[row.id] = Birth(waiting.pop(0), tuple(changers.get(row.target, ())))
    return found | _inherited(table, found, _whole_trees(effects))


def makes(effect: Effect) -> bool:
    """Does the call put a mount there, or only change one?"""
    if effect.name == "move_mount":
        return True
    flags = str(effect.arguments.get("flags") or "")
    if effect.name != "mount" or "MS_REMOUNT" in flags:
        return False
    return bool(effect.arguments.get("kind")) or "MS_BIND" in flags or "MS_MOVE" in flags


def _root_target(effects: Sequence[Effect]) -> str:
    """What the root is called before it is one: the target of the first mount that makes."""
    return next((str(effect.arguments.get("target", "")) for effect in effects
                 if effect.name in MAKERS and makes(effect)), "")


def _inside(target: str, root: str) -> str:
    """A path as the container sees it: the root's own is "/"."""
    if root and target == root:
        return "/"
    if root and target.startswith(f"{root}/"):
        return target[len(root):]
    return target.rstrip("/") or target


def _whole_trees(effects: Sequence[Effect]) -> set[int]:
    """The numbers of the operations that attached a mount with all that lies below it."""
    whole, opened = set(), {}
    for effect in effects:
        if effect.name == "open_tree":
            opened[effect.result] = bool(effect.arguments.get("recursive"))
        elif effect.name == "move_mount" and opened.get(effect.arguments.get("tree")):
            whole.add(effect.n)
        if effect.name == "mount" and "MS_REC" in str(effect.arguments.get("flags") or ""):
            whole.add(effect.n)
    return whole


def _inherited(table: Sequence[Mount], found: dict[int, Birth],
               whole: set[int]) -> dict[int, Birth]:
    """Rows below a bound tree: they came with the nearest row above that an operation made."""
    parents = {row.id: row.parent for row in table}
    more: dict[int, Birth] = {}
    for row in table:
        above = parents.get(row.id, 0)
        while above in parents and above not in found:
            above = parents[above]
        if row.id not in found and above in found and found[above].made.n in whole:
            more[row.id] = Birth(found[above].made, found[above].changed, inherited=True)
    return more
