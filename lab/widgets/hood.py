"""Under the hood: the docker line, and the operations the start became, phase by phase.

The twin of strace, from the container's own birth certificate. Each row can say its kernel
spelling: the shell line that would have the same effect (`y` copies it). Times are microseconds.
Sources: operations.jsonl; the manual page named on each row.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any

from lab.glyphs import G
from lab.snapshot import Effect, Host, View
from lab.widgets.line import BLANK, Line, Span, fit, fit_left, line
from lab.widgets.pane import Pane
from lab.widgets.quantities import duration

# What each phase is for, in the words the course uses.
GOALS = {
    "prepare": "the shim makes ready what only the host can give",
    "isolate": "namespaces of its own",
    "root": "a file system of its own, the host's let go",
    "limit": "into its cgroup",
    "drop": "give up what root may do",
    "exec": "become the program",
    "release": "after its end",
}


def lines(view: View, host: Host, width: int, height: int, masked: bool = False) -> list[Line]:
    """The rows of the pane; `masked` leaves the phases' names to the student."""
    rows = [line(Span(" $ ", "dim"), Span(view.row.docker or view.row.command, "code"),
                 proof=view.row.docker, source="what you wrote, in Docker's words")]
    if not view.effects:
        return [*rows, BLANK, line(Span(" its birth certificate is not written yet", "dim"))]
    total = sum(effect.ns for effect in view.effects)
    rows.append(line(Span(f" {len(view.effects)} operations", "strong"),
                     Span(f"  {duration(total / 1000)} in the kernel", "dim")))
    for phase, group in groupby(view.effects, key=attrgetter("phase")):
        effects = list(group)
        rows.append(_phase("?" if masked and phase != "prepare" else phase, effects, width))
        rows += [_effect(effect, width) for effect in effects]
    return rows


def _phase(phase: str, effects: list[Effect], width: int) -> Line:
    """The name of a phase, how many, what for, as far as there is room, and their time."""
    spent = duration(sum(effect.ns for effect in effects) / 1000)
    head = f" {phase} {len(effects)}  "
    goal = fit(GOALS.get(phase, ""), max(0, width - len(head) - len(spent) - 3)).rstrip()
    return line(Span(f" {phase} ", "title"), Span(f"{len(effects)}  ", "dim"),
                Span(goal, "dim"), right=[Span(f"{spent} ", "dim")])


def _effect(effect: Effect, width: int) -> Line:
    time = duration(effect.ns / 1000)
    failed = effect.errno != 0
    words = call_words(effect, max(10, width - 14))
    return line(
        Span(f"   {words} ", "dead" if failed else "text"),
        Span(f"{time:>8} ", "dim"),
        source=f"{effect.call} {G.dot} {effect.symbol}", proof=spelling(effect),
    )


def call_words(effect: Effect, room: int) -> str:
    """The name and the arguments in that room; of a path, its end is kept."""
    text, left = arguments(effect), room - len(effect.name) - 1
    cut = fit_left if text.startswith("/") else fit
    return f"{effect.name} {cut(text, left)}" if left > 4 else fit(effect.name, room)


def arguments(effect: Effect) -> str:
    """The arguments that say something, without their names: `overlay on /…/merged`."""
    values = effect.arguments
    known = _SHORT.get(effect.name)
    if known is not None:
        try:
            return known(values)
        except (KeyError, TypeError, ValueError):
            pass
    return " ".join(_word(value) for value in values.values() if value not in (None, "", 0, []))


def _word(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _mount_words(values: Mapping[str, Any]) -> str:
    target, source = values["target"], values.get("source")
    if values.get("kind"):
        return f"{values['kind']} on {target}"
    return f"{source} on {target}" if source else f"{target} {values.get('flags') or ''}"


def _control(values: Mapping[str, Any]) -> str:
    path = os.path.basename(str(values.get("path", "")))
    text = next((values[name] for name in ("text", "value", "data") if name in values), "")
    return f"{str(text).strip()} {G.arrow} {path}"


def _path(values: Mapping[str, Any]) -> str:
    """A path; of a group's the controller and the name, which is where they differ."""
    path = str(values["path"])
    parts = path.split("/")
    if path.startswith("/sys/fs/cgroup/") and len(parts) > 5:
        return "/".join([parts[4], *([G.ellipsis] if len(parts) > 6 else []), parts[-1]])
    return path


_SHORT: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "mount": _mount_words,
    "write_control": _control,
    "write_open_control": _control,
    "mkdir": _path,
    "mkdir_at": lambda v: f"{v['name']}/",
    "make_file_at": lambda v: str(v["name"]),
    "mknod": lambda v: f"{v['path']} {v['kind']} {v['major']} {v['minor']}",
    "symlink": lambda v: f"{v['path']} {G.arrow} {v['target']}",
    "clone3": lambda v: flag_words(v["flags"]),
    "unshare": lambda v: flag_words(v["flags"]),
    "sethostname": lambda v: str(v["name"]),
    "chdir": lambda v: str(v["path"]),
    "execve": lambda v: " ".join(v["arguments"]),
}


def flag_words(flags: Any) -> str:
    """mnt uts pid of CLONE_NEWNS|CLONE_NEWUTS|CLONE_NEWPID: the kinds, as the pane names them."""
    names = str(flags).replace("CLONE_NEW", "").lower().split("|")
    return " ".join("mnt" if name == "ns" else name for name in names)


def spelling(effect: Effect) -> str:
    """The same effect as a shell line; for calls without one, the call as strace writes it."""
    maker = _SPELLINGS.get(effect.name)
    if maker is not None:
        try:
            return maker(effect.arguments)
        except (KeyError, TypeError, ValueError):
            pass
    return f"{effect.name}({', '.join(_word(value) for value in effect.arguments.values())})"


def _quote(value: Any) -> str:
    return shlex.quote(str(value))


def _spell_mount(values: Mapping[str, Any]) -> str:
    """The mount(8) line: a new file system, a bind, or only other flags for what is there."""
    kind, source, flags = values.get("kind"), values.get("source"), str(values.get("flags") or "")
    words = ["mount"]
    if kind:
        words += ["-t", str(kind)]
    if values.get("options"):
        words += ["-o", _quote(values["options"])]
    if not kind and "MS_REMOUNT" in flags:
        words += ["-o", "remount,bind,ro" if "MS_RDONLY" in flags else "remount,bind"]
    elif not kind and "MS_BIND" in flags:
        words.append("--rbind" if "MS_REC" in flags else "--bind")
    elif not kind:
        spread = next((word for word in ("PRIVATE", "SLAVE", "SHARED") if word in flags), "PRIVATE")
        words.append(f"--make-{'r' if 'MS_REC' in flags else ''}{spread.lower()}")
    if source or kind:
        words.append(_quote(source or kind))
    return " ".join([*words, _quote(values["target"])])


def _options(flags: Any) -> str:
    names = {"mnt": "mount"}
    return " ".join(f"--{names.get(word, word)}" for word in flag_words(flags).split())


def _spell_control(values: Mapping[str, Any]) -> str:
    text = next(values[name] for name in ("text", "value", "data") if name in values)
    return f"echo {_quote(str(text).strip())} > {_quote(values['path'])}"


_SPELLINGS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "mount": _spell_mount,
    "write_control": _spell_control,
    "write_open_control": _spell_control,
    "mkdir": lambda v: f"mkdir {_quote(v['path'])}",
    "sethostname": lambda v: f"hostname {_quote(v['name'])}",
    "pivot_root": lambda v: f"pivot_root {_quote(v['new_root'])} {_quote(v['put_old'])}",
    "umount2": lambda v: f"umount -l {_quote(v['target'])}",
    "chdir": lambda v: f"cd {_quote(v['path'])}",
    "symlink": lambda v: f"ln -s {_quote(v['target'])} {_quote(v['path'])}",
    "mknod": lambda v: f"mknod -m {v['mode']} {_quote(v['path'])} "
                       f"{v['kind']} {v['major']} {v['minor']}",
    "clone3": lambda v: f"unshare --fork {_options(v['flags'])}",
    "unshare": lambda v: f"unshare {_options(v['flags'])}",
    "set_link_up": lambda v: f"ip link set {_quote(v['name'])} up",
    "execve": lambda v: "exec " + " ".join(_quote(word) for word in v["arguments"]),
}


class HoodPane(Pane):
    """The operations of the start."""

    KIND = "hood"
    TITLE = "Hood"
    PARTS = frozenset({"effects"})
    PROMISE = "every operation of the start will stand here, with its time and its manual page"

    def __init__(self, id: str | None = None, classes: str = "pane") -> None:
        super().__init__(id, classes)
        self.masked = False

    def lines(self, view: View, host: Host, width: int, height: int) -> list[Line]:
        return lines(view, host, width, height, self.masked)
