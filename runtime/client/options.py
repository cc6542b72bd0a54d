"""Flags: one table per command gives the parsing, the help text and the completion.

The twin of Docker's pflag: `--rm=true`, `-e=A=b`, bundles (`-it`), `--` and flags that end at the
image's name, each mistake in Docker's words. Runs in every command, so it imports nothing.
A flag is a tuple, a command is a `Command`:

    ("memory", "m", "bytes", BUILT, "Memory limit")      name, letter, kind, built or not, help
    parse(command, ["-m", "48m", "lab/base", "sh", "-c", "exit 3"])
        → {"memory": 50331648}, ["lab/base", "sh", "-c", "exit 3"]

A flag that Docker has and we have not stays in the table as LATER: it is recognised and refused by
name, never accepted and ignored. Source: pflag's flag.go, docker/cli's cli/required.go.
"""

from __future__ import annotations

from runtime.client import values
from runtime.errors import Invalid, LabError, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runtime.client.session import Session

    Flag = tuple[str, str, str, bool | None, str]
    Options = dict[str, Any]
    Handler = Callable[[Session, Options, list[str]], int]

# HIDDEN: refused as well, and not mentioned: Docker's own help does not show it either.
BUILT, LATER, HIDDEN = True, False, None

# Names that Docker still takes and no longer shows.
OLD_NAMES = {"net": "network", "time": "timeout", "net-alias": "network-alias"}


class ClientError(LabError):
    """A sentence of the command line itself: printed as it is, without Docker's daemon prefix."""


class HelpAsked(Exception):
    """`--help` stood among the flags."""


class Command:
    """One command: how it is called, what it takes, and the function that does it."""

    __slots__ = ("do", "use", "short", "flags", "aliases", "least", "most", "words_follow", "long")

    def __init__(self, do: Handler, use: str, short: str, flags: tuple[Flag, ...] = (),
                 aliases: str = "", least: int = 0, most: int | None = None,
                 words_follow: bool = False, long: str = "") -> None:
        self.do, self.use, self.short, self.flags = do, use, short, flags
        # "container stop, stop": Docker's two ways of saying it, as help shows them.
        self.aliases, self.long = aliases, long
        self.least, self.most = least, most
        # Flags end at the first word: what follows belongs to the container's own command.
        self.words_follow = words_follow


def parse(command: Command, arguments: list[str]) -> tuple[Options, list[str]]:
    """The flags given and the words left over. Raises ClientError in Docker's words, HelpAsked."""
    reader = _Reader(command.flags)
    words: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return reader.given, words + rest
        if len(word) < 2 or word[0] != "-":
            words.append(word)
            if command.words_follow:
                return reader.given, words + rest
        elif word.startswith("--"):
            reader.long(word, rest)
        else:
            reader.letters(word[1:], rest)
    return reader.given, words


class _Reader:
    """Reads one flag at a time, taking its value from the words behind it where it needs one."""

    def __init__(self, flags: tuple[Flag, ...]) -> None:
        self.flags = flags
        self.given: Options = {}

    def long(self, word: str, rest: list[str]) -> None:
        name, equals, value = word[2:].partition("=")
        if not name or name[0] == "-":
            raise ClientError(f"bad flag syntax: {word}")
        flag = self._find(0, OLD_NAMES.get(name, name))
        if flag is None:
            if name == "help":
                raise HelpAsked
            raise ClientError(f"unknown flag: --{name}")
        if not equals:
            value = self._value(flag, rest, word)
        self._keep(flag, value)

    def letters(self, bundle: str, rest: list[str]) -> None:
        while bundle:
            flag = self._find(1, bundle[0])
            if flag is None:
                if bundle[0] == "h":
                    raise HelpAsked
                raise ClientError(f"unknown shorthand flag: '{bundle[0]}' in -{bundle}")
            if len(bundle) > 2 and bundle[1] == "=":
                return self._keep(flag, bundle[2:])
            if flag[2] != "bool":
                value = bundle[1:] or self._value(flag, rest, f"'{bundle[0]}' in -{bundle}")
                return self._keep(flag, value)
            self._keep(flag, "true")
            bundle = bundle[1:]

    def _find(self, place: int, word: str) -> Flag | None:
        for flag in self.flags:
            if flag[place] == word:
                return flag
        return None

    @staticmethod
    def _value(flag: Flag, rest: list[str], shown: str) -> str:
        if flag[2] == "bool":
            return "true"
        if not rest:
            raise ClientError(f"flag needs an argument: {shown}")
        return rest.pop(0)

    def _keep(self, flag: Flag, text: str) -> None:
        name, letter, kind, built, _ = flag
        _word, repeats, read = values.KINDS[kind]
        try:
            value = read(text)
        except Invalid as error:
            label = f"-{letter}, --{name}" if letter else f"--{name}"
            raise ClientError(f'invalid argument {values.quoted(text)} for "{label}" flag: '
                              f"{error.message}") from None
        if not built:
            raise Unsupported(f"--{name} is not built yet", exit_code=125)
        if repeats:
            self.given.setdefault(name, []).append(value)
        else:
            self.given[name] = value


def count_words(command: Command, path: str, words: list[str]) -> None:
    """Raise ClientError if there are too few or too many words; `path` is "docker container ls"."""
    if command.least <= len(words) and (command.most is None or len(words) <= command.most):
        return
    least, most = command.least, command.most
    see = "Run"
    if most == 0:
        wanted = "accepts no arguments"
    elif most is None:
        wanted, see = f"requires at least {least} {_plural(least)}", "See"
    elif least == most:
        wanted = f"requires {least} {_plural(least)}"
    elif least == 0:
        # SRun is what Docker prints.
        wanted, see = f"requires at most {most} {_plural(most)}", "SRun"
    else:
        wanted = f"requires at least {least} and at most {most} {_plural(most)}"
    program = path.split(" ", 1)[0]
    raise ClientError(f"{program}: '{path}' {wanted}\n\n{usage(command, path)}\n\n"
                      f"{see} '{path} --help' for more information")


def usage(command: Command, path: str) -> str:
    """The usage line: "Usage:  docker run [OPTIONS] IMAGE [COMMAND] [ARG...]"."""
    return f"Usage:  {path} {command.use}".rstrip().replace("\n\t", f"\n\t{path} ")


def _plural(count: int) -> str:
    return "argument" if count == 1 else "arguments"
