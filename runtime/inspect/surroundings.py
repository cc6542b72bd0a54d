"""What the doctor must know of its own process: who runs it, where, with which terminal.

In the caller's process. Everything else the doctor reads through its Source; these are of the
program, not of the host, and a test passes its own:
  Surroundings(uid=1000, user="ann", machine="x86_64", search=("/usr/bin",), columns=80, …)
Sources: environ(7), statvfs(3), no-color.org.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import sys
from dataclasses import dataclass

PACKAGES = ("textual", "rich", "psutil", "pyroute2")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The process that asks. `colours` is 0 (none), 16, 256 or 16777216."""

    uid: int
    user: str
    machine: str
    search: tuple[str, ...]
    terminal: bool
    columns: int
    lines: int
    colours: int
    utf8: bool
    python: tuple[int, int, int]
    packages: tuple[str, ...]
    root_parent: str
    root_writable: bool
    root_free_bytes: int

    @classmethod
    def here(cls, root: str) -> Surroundings:
        """Those of this process, for a state directory at `root`."""
        uid = os.geteuid()
        terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
        columns, lines = os.get_terminal_size() if terminal else (0, 0)
        parent = nearest_existing(root)
        free = os.statvfs(parent)
        return cls(
            uid=uid, user=_user(uid), machine=os.uname().machine, search=_search(),
            terminal=terminal, columns=columns, lines=lines, colours=_colours(),
            utf8="utf" in (getattr(sys.stdout, "encoding", None) or "").lower(),
            python=sys.version_info[:3], packages=tuple(p for p in PACKAGES if _installed(p)),
            root_parent=parent, root_writable=os.access(parent, os.W_OK | os.X_OK),
            root_free_bytes=free.f_bavail * free.f_frsize,
        )


def default_root() -> str:
    """Where the lab keeps its state if nobody says otherwise: engine/store.py has it so, too."""
    if os.geteuid() == 0:
        return "/var/lib/container-lab"
    home = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return f"{os.path.realpath(home)}/container-lab"


def nearest_existing(path: str) -> str:
    """The path, or the closest directory above it that is there."""
    path = os.path.abspath(path)
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _search() -> tuple[str, ...]:
    # The tools of an administrator are looked for also where a user's PATH does not lead.
    wanted = [*os.environ.get("PATH", os.defpath).split(":"), "/usr/sbin", "/sbin"]
    return tuple(dict.fromkeys(directory for directory in wanted if directory))


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _installed(package: str) -> bool:
    # The program starts Python without its site directories, and finds its own when it needs them.
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    beside = os.path.dirname(os.path.dirname(sys.executable))
    return importlib.util.find_spec(package) is not None or os.path.isdir(
        f"{beside}/lib/{version}/site-packages/{package}")


def _colours() -> int:
    term = os.environ.get("TERM", "dumb")
    if os.environ.get("NO_COLOR") or term in ("dumb", ""):
        return 0
    if os.environ.get("COLORTERM", "") in ("truecolor", "24bit"):
        return 1 << 24
    return 256 if "256" in term else 16
