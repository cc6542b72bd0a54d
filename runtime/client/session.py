"""What one call of the command line knows: what it is called, which root, which engine.

Made by `cli.main`, handed to every command. It holds the one way to the engine (in this process;
a daemon over HTTP would stand behind the same property) and the one way to say something, so that
stdout and stderr come out in the order they were said.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.engine.engine import Engine


def program_word() -> str:
    """What this program calls itself: "container-lab", or "docker" when called by that name."""
    name = os.environ.get("CONTAINER_LAB_PROGRAM") or (sys.argv[0] if sys.argv else "")
    return "docker" if os.path.basename(name) == "docker" else "container-lab"


class Session:
    """One call of the program."""

    __slots__ = ("program", "root", "_engine")

    def __init__(self, program: str, root: str | None = None, engine: Engine | None = None) -> None:
        self.program, self.root, self._engine = program, root, engine

    @property
    def engine(self) -> Engine:
        if self._engine is None:
            from runtime.engine.engine import Engine

            self._engine = Engine(self.root)
        return self._engine

    def say(self, text: str, end: str = "\n") -> None:
        """A result, on stdout."""
        sys.stdout.write(text + end)

    def complain(self, text: str) -> None:
        """Anything else, on stderr, behind what was already said."""
        sys.stdout.flush()
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def complain_of(self, error: BaseException) -> None:
        """An error of the engine, as the docker command shows one of its daemon."""
        self.complain(f"Error response from daemon: {sentence(error)}")


def sentence(error: BaseException) -> str:
    """The error in one line, also if it is an OSError without a message of ours."""
    if isinstance(error, OSError) and not hasattr(error, "hint"):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{(error.strerror or str(error)).lower()}"
    return str(error)
