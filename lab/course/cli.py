"""container-lab lesson list|show|run|check|hint|reset|lint: the course without a screen.

    container-lab lesson list --json      [{"id": "copy-up", "track": "layers", "state": "new", …}]
    container-lab lesson run copy-up      read, predict, do: line by line, for a screen reader
    container-lab lesson run copy-up --solve
    container-lab lesson check copy-up    exit code 0: met, 1: not yet

Runs in the process of the command. Exit codes: 0 good, 1 not met or not possible (one line says
why), 2 a wrong command line, 130 interrupted.
"""

from __future__ import annotations

import sys

from lab.course import commands_play, commands_read
from lab.course.arguments import parser
from lab.course.session import Session
from runtime.errors import LabError

COMMANDS = {
    "list": commands_read.list_, "show": commands_read.show, "lint": commands_read.lint,
    "run": commands_play.run, "check": commands_play.check, "hint": commands_play.hint,
    "reset": commands_play.reset,
}


def main(argv: list[str], root: str | None = None) -> int:
    """Do what the arguments say; returns the exit code."""
    try:
        arguments = parser().parse_args(argv)
        session = Session(arguments.root or root, bool(getattr(arguments, "json", False)))
        code: int = COMMANDS[arguments.command](session, arguments)
        session.tell_notice()
        return code
    except LabError as error:
        print(f"container-lab: {error}", file=sys.stderr)
        return error.exit_code
    except SystemExit as leaving:  # argparse's --help
        return int(leaving.code or 0)
    except KeyboardInterrupt:
        print()
        return 130
    except BrokenPipeError:
        return 141
    except OSError as error:
        print(f"container-lab: {_unusable(error)}", file=sys.stderr)
        return 1


def _unusable(error: OSError) -> str:
    """What of the lab's state could not be read or written, in one line."""
    what = f"use {error.filename}" if error.filename else "use the lab's state"
    denied = isinstance(error, PermissionError)
    hint = " (sudo, or --root DIR for a lab of your own)" if denied else ""
    return f"{what}: {(error.strerror or str(error)).lower()}{hint}"
