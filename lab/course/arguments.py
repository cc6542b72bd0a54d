"""The command line of the course: its verbs and their options.

    container-lab lesson check copy-up 3 --sure fairly
    parser().parse_args(["check", "copy-up", "3"])  ->  Namespace(command="check", answer="3", …)

Runs in the process of the command, before anything is read. A mistake is Invalid, with exit code 2
and one line, where argparse would print its whole usage.
"""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from runtime.errors import Invalid

PROGRAM = "container-lab lesson"


class Parser(argparse.ArgumentParser):
    """argparse, with one line for a mistake instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        raise Invalid(f"{self.prog}: {message}", f"see {self.prog} --help", exit_code=2)


def parser() -> Parser:
    """The command line of the course."""
    top = Parser(prog=PROGRAM, description="The course, line by line.")
    top.add_argument("--root", help="where the lab keeps its state")
    verbs = top.add_subparsers(dest="command", required=True, metavar="COMMAND",
                               parser_class=Parser)
    one = _verb(verbs, "list", "every lesson, and how far you are")
    one = _with_lesson(_verb(verbs, "show", "the step you are at"))
    one.add_argument("--step", help="another step, by its id or number")
    one = _with_lesson(_verb(verbs, "run", "play a lesson, line by line"))
    one.add_argument("--solve", action="store_true",
                     help="type the solutions into a shell, and check every step")
    one = _with_lesson(_verb(verbs, "check", "look whether the step is done, then go on"))
    one.add_argument("answer", nargs="?", help="your prediction or answer, where one is asked for")
    one.add_argument("--sure", choices=("guess", "fairly", "sure"), default="",
                     help="how sure you are of a prediction")
    one = _with_lesson(_verb(verbs, "hint", "the next hint"))
    one = _with_lesson(_verb(verbs, "reset", "remove what a lesson made, and begin it again"))
    one.add_argument("--step", action="store_true", help="only the step you are at")
    one.add_argument("--all", action="store_true", help="every lesson that was begun")
    one.add_argument("-y", "--yes", action="store_true", help="do not ask")
    one = _verb(verbs, "lint", "proof-read the course")
    one.add_argument("folder", nargs="?", help="another course (default: the one that came along)")
    return top


def _verb(verbs: Any, name: str, about: str) -> Parser:
    one: Parser = verbs.add_parser(name, help=about, description=about)
    one.add_argument("--json", action="store_true", help="as JSON")
    return one


def _with_lesson(one: Parser) -> Parser:
    one.add_argument("lesson", nargs="?", help="its id or number (default: the last one)")
    return one
