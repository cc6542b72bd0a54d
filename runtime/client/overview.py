"""The help of the program itself: every command, in Docker's order, and what is not built.

Read only for `container-lab --help`; imports every family of commands for its one-line texts.
"""

from __future__ import annotations

from runtime.client import commands, help

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.client.options import Flag

USUAL = ("run", "exec", "ps", "images", "version", "info")
LAB = ("why", "operations", "ablation", "probe", "clean", "completion")
# These belong to other parts of the program; its launcher sends them there.
OTHERS = [
    ("lesson", "The course, line by line: list, show, run, check, hint, reset"),
    ("doctor", "Say what this host can do, and which lessons that opens"),
]


def text(program: str) -> str:
    """The whole of it."""
    names = [name for name in commands.FAMILIES if " " not in name and not name.startswith("_")]
    others = sorted(name for name in names if name not in USUAL and name not in LAB)
    groups = [(name, title) for name, (title, _) in commands.GROUPS.items()]
    top: list[Flag] = [flag for flag in commands.TOP if flag[3]]
    later_flags = " ".join(f"--{flag[0]}" for flag in commands.TOP if not flag[3])
    width = help.columns()
    return "\n\n".join([
        f"Usage:  {program} [OPTIONS] COMMAND",
        "Containers with the kernel on the screen. Without a command it opens the lab.",
        "Common Commands:\n" + help.listing(_rows(USUAL)),
        "Management Commands:\n" + help.listing(groups),
        "Commands:\n" + help.listing(_rows(others)),
        "Of the lab:\n" + help.listing(sorted(_rows(LAB) + OTHERS)),
        help.fill("Docker has these too; they are not built yet: "
                  + ", ".join(commands.LATER_COMMANDS) + "; " + later_flags, width),
        "Global Options:\n" + help.flag_lines(top, width - 1),
        f"Run '{program} COMMAND --help' for more information on a command.",
    ])


def _rows(names: tuple[str, ...] | list[str]) -> list[tuple[str, str]]:
    return [(name, getattr(commands.find(name), "short", "")) for name in names]
