r"""Which layer of an overlay serves a path, and what the container changed: from the directories.

The twin of `docker diff` and dive, in the caller's process; reads only. The kernel keeps no table
of copy-ups: the upper directory *is* the record. A path there over one of the image is a copy-up; a
character device 0:0 is a whiteout, a deleted path; a directory with the attribute
`trusted.overlay.opaque` = y (in a user namespace `user.overlay.opaque`) hides what is below it.
  state(source, layers, "/etc/motd") == PathState("/etc/motd", "copied_up", layer="/…/upper", …)
Followed as the kernel does without redirect_dir and metacopy, which are off by default.
Source: Documentation/filesystems/overlayfs.rst; ovl_lookup in fs/overlayfs/namei.c.
"""

from __future__ import annotations

import stat as modes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from runtime.inspect.mounts import Mount, overlay_layers
from runtime.inspect.source import Gone, Source, Stat, names

WORDS = ("copied_up", "whiteout", "opaque", "lower_only", "upper_only", "absent")
_KINDS = {modes.S_IFDIR: "directory", modes.S_IFREG: "file", modes.S_IFLNK: "link",
          modes.S_IFCHR: "device", modes.S_IFBLK: "device", modes.S_IFIFO: "pipe",
          modes.S_IFSOCK: "socket"}


@dataclass(frozen=True, slots=True)
class Layers:
    """The directories of one overlay: `lowers` topmost first, as in the mount option."""

    upper: str
    lowers: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """From the top down, in the order the kernel looks."""
        return (self.upper, *self.lowers) if self.upper else self.lowers


@dataclass(frozen=True, slots=True)
class PathState:
    """A path of the merged directory: the word, the layer that serves it, every layer with one."""

    path: str
    word: str
    layer: str = ""
    held_by: tuple[str, ...] = ()
    kind: str = ""
    size_bytes: int = 0

    @property
    def mark(self) -> str:
        """The letter of docker diff: C changed, A added, D deleted; blank when untouched."""
        return {"copied_up": "C", "opaque": "C", "upper_only": "A", "whiteout": "D"}.get(
            self.word, " ")


def layers_of(mount: Mount) -> Layers | None:
    """The layers of an overlay mount; None of another mount."""
    found = overlay_layers(mount)
    return Layers(found[1], found[0]) if found else None


def state(source: Source, layers: Layers, path: str) -> PathState:
    """What the overlay made of the path. `..` and links are not followed: name the real path."""
    parts = [part for part in path.split("/") if part and part != "."]
    path = "/" + "/".join(parts)
    seen = lookup(source, layers.all, parts)
    below = lookup(source, layers.lowers, parts)
    above = entry(source, layers.upper, parts) if layers.upper else None
    if above and is_whiteout(source, _join(layers.upper, parts), above):
        return PathState(path, "whiteout", "", tuple(layer for layer, _ in below), "device")
    if not seen:
        return PathState(path, "absent")
    layer, top = seen[0]
    held = tuple(dict.fromkeys([layer, *(name for name, _ in below)]))
    word = _word(source, layers, parts, above is not None, bool(below))
    return PathState(path, word, layer, held, kind_of(top), top.size_bytes)


def _word(source: Source, layers: Layers, parts: Sequence[str], above: bool, below: bool) -> str:
    if not above:
        return "lower_only"
    if not below:
        # A directory made in a merged one is marked opaque too, only to save lookups: new is new.
        return "upper_only"
    return "opaque" if is_opaque(source, _join(layers.upper, parts)) else "copied_up"


def serving(source: Source, layers: Layers, path: str) -> str | None:
    """The layer directory that a reader of the path reads from; None when nobody has it."""
    return state(source, layers, path).layer or None


def lookup(source: Source, directories: Sequence[str], parts: Sequence[str],
           ) -> list[tuple[str, Stat]]:
    """(layer, what it has) of every layer that shows the path, from the top down.

    More than one only for directories, whose names are merged. Step by step from the root, since
    a whiteout or an opaque directory on the way cuts off every layer below.
    """
    stack = [(d, found) for d in directories if (found := entry(source, d, ())) is not None]
    for depth in range(1, len(parts) + 1):
        stack = list(_step(source, [layer for layer, _ in stack], parts[:depth]))
    return stack


def _step(source: Source, layers: Sequence[str], parts: Sequence[str],
          ) -> Iterator[tuple[str, Stat]]:
    covered = False
    for layer in layers:
        found = entry(source, layer, parts)
        if found is None:
            continue
        path = _join(layer, parts)
        if is_whiteout(source, path, found):
            return
        directory = modes.S_ISDIR(found.mode)
        if directory or not covered:
            yield layer, found
        if not directory or is_opaque(source, path):
            return
        covered = True


def entry(source: Source, layer: str, parts: Sequence[str]) -> Stat | None:
    """What one layer directory has at the path, whether it shows or not."""
    try:
        return source.lstat(_join(layer, parts))
    except Gone:
        return None


def is_whiteout(source: Source, path: str, found: Stat) -> bool:
    """A deleted path: a character device 0:0, or an empty file so marked (Linux 6.7, nesting)."""
    if modes.S_ISCHR(found.mode):
        return found.device == (0, 0)
    if modes.S_ISREG(found.mode) and found.size_bytes == 0:
        return _attribute(source, path, "whiteout") is not None
    return False


def is_opaque(source: Source, path: str) -> bool:
    """A directory that hides what lower layers have under its name."""
    return _attribute(source, path, "opaque") == b"y"


def _attribute(source: Source, path: str, name: str) -> bytes | None:
    for prefix in ("trusted.overlay.", "user.overlay."):
        try:
            value = source.lxattr(path, prefix + name)
        except Gone:
            return None
        if value is not None:
            return value
    return None


def kind_of(found: Stat) -> str:
    """`file`, `directory`, `link`, `device`, `pipe` or `socket`."""
    return _KINDS.get(modes.S_IFMT(found.mode), "")


def changes(source: Source, layers: Layers, limit: int = 5000) -> list[PathState]:
    """The upper directory as a listing with marks, as docker diff; at most `limit` rows."""
    found: list[PathState] = []
    for parts in _walk(source, layers.upper, []):
        if len(found) >= limit:
            break
        found.append(state(source, layers, "/".join(parts)))
    return found


def _walk(source: Source, top: str, parts: list[str]) -> Iterator[list[str]]:
    for name in names(source, _join(top, parts)):
        inner = [*parts, name]
        yield inner
        found = entry(source, top, inner)
        if found and modes.S_ISDIR(found.mode):
            yield from _walk(source, top, inner)


def _join(layer: str, parts: Sequence[str]) -> str:
    return "/".join((layer.rstrip("/"), *parts)) if parts else layer
