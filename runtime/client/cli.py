"""The docker command, ours: finds the command, reads its flags, does it, turns errors into codes.

    container-lab [--root DIR] run --rm lab/base true
    main(["run", "--rm", "lab/base", "true"]) → 0

Called by `lab/start.py`. Only the file of the command that is asked for is imported: `run` is the
start path, and what `ps` needs would slow it down. Exit codes are Docker's: 125 for a flag that
is wrong or not built, 1 for what the engine refuses, else the container's own.
"""

from __future__ import annotations

import os
import sys

from runtime.client import options
from runtime.client.commands import (
    FAMILIES,
    GROUPS,
    LATER_COMMANDS,
    LATER_IN_GROUP,
    SECOND_NAMES,
    TOP,
    find,
)
from runtime.client.options import ClientError, Command
from runtime.client.session import Session, program_word, sentence
from runtime.errors import LabError, Unsupported

def main(argv: list[str]) -> int:
    """Do what the arguments say; returns the exit code."""
    open_missing_streams()
    session = Session(program_word())
    try:
        code = _dispatch(session, argv)
        sys.stdout.flush()
        return code
    except Unsupported as error:
        session.complain(f"{session.program}: {sentence(error)}")
        return error.exit_code
    except ClientError as error:
        session.complain(sentence(error))
        return error.exit_code
    except BrokenPipeError:
        # The reader went away. Nothing more can be said to it, also not when Python exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
    except UnicodeError:
        session.complain(f"{session.program}: read the command line: an argument or a variable is "
                         "not UTF-8, which JSON, and so every state file, has to be")
        return 125
    except (LabError, OSError) as error:
        session.complain_of(error)
        return 1
    except KeyboardInterrupt:
        return 130


def open_missing_streams() -> None:
    """Have 0, 1 and 2 be something: else the next socket gets that number, and is taken for stdin.

    `container-lab run -i lab/base <&-` would read the shim's answers as what somebody types.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name, fd in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, open(fd, "w", closefd=False))


def _dispatch(session: Session, argv: list[str]) -> int:
    program = session.program
    given, words = _read(program, Command(_no_command, "[OPTIONS] COMMAND [ARG...]", "", TOP, "",
                                          words_follow=True), argv)
    if given is None or (not words and "version" not in given):
        return _root_help(session, to_stdout=given is None)
    session.root = os.path.abspath(given["root"]) if "root" in given else None
    if given.get("version"):
        words = ["version", "--short"]
    if words[0] == "help":
        return _help(session, words[1:])
    if words[0] in GROUPS:
        return _group(session, words[0], words[1:])
    return _command(session, words[0], words[0], words[1:])


def _no_command(session: Session, given: options.Options, words: list[str]) -> int:
    raise AssertionError("the program itself is not a command")


def _command(session: Session, name: str, path: str, arguments: list[str]) -> int:
    command = find(name)
    if command is None:
        raise _unknown(session.program, path)
    path = f"{session.program} {path}"
    given, words = _read(path, command, arguments)
    if given is None:
        from runtime.client import help

        session.say(help.command_help(command, path))
        return 0
    options.count_words(command, path, words)
    return command.do(session, given, words)


def _read(path: str, command: Command, arguments: list[str]
          ) -> tuple[options.Options | None, list[str]]:
    """The flags and words, or None where help was asked for."""
    try:
        return options.parse(command, arguments)
    except options.HelpAsked:
        return None, []
    except ClientError as error:
        raise ClientError(f"{error}\n\n{options.usage(command, path)}\n\n"
                          f"Run '{path} --help' for more information", exit_code=125) from None


def _unknown(program: str, path: str) -> LabError:
    group, _, word = path.rpartition(" ")
    if word in (LATER_IN_GROUP.get(group, ()) if group else LATER_COMMANDS):
        return Unsupported(f"{path} is not built yet", exit_code=125)
    place = f"{program} {group}".rstrip()
    lines = f"\n\nUsage:  {place}" if group else ""
    return ClientError(f"{program}: unknown command: {program} {path}{lines}\n\n"
                       f"Run '{place} --help' for more information")


def _group(session: Session, group: str, words: list[str]) -> int:
    title, names = GROUPS[group]
    if words and words[0] in ("--help", "-h", "help"):
        session.say(_group_help(session.program, group))
        return 0
    if not words:
        session.complain(_group_help(session.program, group))
        return 0
    path = f"{session.program} {group}"
    _read(path, Command(_no_command, "COMMAND", title, words_follow=True), words)
    return _command(session, names.get(words[0], ""), f"{group} {words[0]}", words[1:])


def _group_help(program: str, group: str) -> str:
    from runtime.client import help

    title, names = GROUPS[group]
    rows = [(word, getattr(find(name), "short", "")) for word, name in names.items()
            if word not in SECOND_NAMES]
    later = ", ".join(LATER_IN_GROUP[group])
    return (f"Usage:  {program} {group} COMMAND\n\n{title}\n\nCommands:\n{help.listing(rows)}\n\n"
            + help.fill(f"Not built yet: {later}", help.columns())
            + f"\n\nRun '{program} {group} COMMAND --help' for more information on a command.")


def _help(session: Session, words: list[str]) -> int:
    if not words:
        return _root_help(session, to_stdout=True)
    known = words[0] in FAMILIES or words[0] in GROUPS or words[0] in LATER_COMMANDS
    if not known:
        raise ClientError(f"unknown help topic: {' '.join(words)}")
    return _dispatch(session, [*words, "--help"])


def _root_help(session: Session, to_stdout: bool) -> int:
    from runtime.client import overview

    text = overview.text(session.program)
    session.say(text) if to_stdout else session.complain(text)
    return 0
