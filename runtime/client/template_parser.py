"""Reads a Go template into nodes, with Go's words for what is wrong with it.

Nodes are tuples; the last two members of what can fail at run time are how it looks in the source
and where it stands ("1:2", line and column from 0):

    ("text", "…")   ("action", pipe)   ("if" | "with" | "range", pipe, nodes, else_nodes)
    pipe            ("pipe", ["$k", "$v"], declares, [command, …]),  a command is a list of operands
    operand         ("field", base, ["State", "Pid"], shown, place)   base: None, "$x" or an operand
                    ("literal", 48)   ("function", "json", shown, place)   a pipe in parentheses

Source: Go text/template/parse.
"""

from __future__ import annotations

import ast
import re

from runtime.client.template_functions import FUNCTIONS, TemplateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Node = tuple[Any, ...]

TOKEN = re.compile(r"""
    \s* (?: (?P<string> "(?:\\.|[^"\\\n])*" | `[^`]*`)
    | (?P<number> [-+]? \d [\w.]*)
    | (?P<variable> \$ \w*)
    | (?P<field> \. \w+)
    | (?P<word> [^\W\d] \w*)
    | (?P<sign> := | [=|(),.])
    )""", re.VERBOSE)
ACTION = re.compile(r"\{\{(- )?")


def parse(source: str, name: str) -> list[Node]:
    """The nodes of a template. Raises TemplateError."""
    return _Parser(source, name).whole()


class _Parser:
    def __init__(self, source: str, name: str) -> None:
        self.source, self.name = source, name
        self.pieces = self._pieces()
        self.tokens: list[tuple[str, str, int]] = []

    def _error(self, why: str, position: int = 0) -> TemplateError:
        line = self.source.count("\n", 0, position) + 1
        return TemplateError(f"template: {self.name}:{line}: {why}")

    def _pieces(self) -> list[tuple[str, str, int]]:
        """Text and actions in turn: ("text"|"action", source, position)."""
        pieces, at, trim = [], 0, False
        while True:
            opening = ACTION.search(self.source, at)
            end = opening.start() if opening else len(self.source)
            before = self.source[at:end]
            before = before.lstrip() if trim else before
            if opening and opening.group(1):
                before = before.rstrip()
            if before:
                pieces.append(("text", before, at))
            if not opening:
                return pieces
            close = self._closing(opening.end())
            inner = self.source[opening.end():close]
            trim = inner.endswith(" -")
            inner = inner.removesuffix(" -")
            if not inner.lstrip().startswith("/*"):
                pieces.append(("action", inner, opening.end()))
            at = close + 2

    def _closing(self, start: int) -> int:
        at = start
        while at < len(self.source):
            if self.source.startswith("}}", at):
                return at
            if self.source[at] in "\"`":
                at = self._quoted(at)
            at += 1
        raise self._error("unclosed action", len(self.source))

    def _quoted(self, start: int) -> int:
        """Where the string that begins here ends."""
        quote, at = self.source[start], start + 1
        while at < len(self.source) and self.source[at] != quote:
            at += 2 if self.source[at] == "\\" and quote == '"' else 1
        if at >= len(self.source):
            what = "quoted" if quote == '"' else "raw quoted"
            raise self._error(f"unterminated {what} string", start)
        return at

    def whole(self) -> list[Node]:
        nodes, closer = self._nodes()
        if closer:
            raise self._error(f"unexpected {{{{{closer}}}}}")
        return nodes

    def _nodes(self) -> tuple[list[Node], str]:
        """Nodes up to an {{end}} or {{else}}, and which it was."""
        nodes: list[Node] = []
        while self.pieces:
            kind, inner, position = self.pieces.pop(0)
            if kind == "text":
                nodes.append(("text", inner))
                continue
            self.tokens = self._read(inner, position)
            if not self.tokens:
                raise self._error("missing value for command", position)
            word = self.tokens[0][1]
            if word in ("end", "else"):
                return nodes, " ".join(token[1] for token in self.tokens[:2])
            if word in ("if", "range", "with"):
                self.tokens.pop(0)
                nodes.append(self._control(word, position))
            else:
                nodes.append(("action", self._pipe()))
                self._finished(position)
        return nodes, ""

    def _control(self, word: str, position: int) -> Node:
        if not self.tokens:
            raise self._error(f"missing value for {word}", position)
        pipe = self._pipe()
        self._finished(position)
        then, closer = self._nodes()
        otherwise: list[Node] = []
        if closer in ("else if", "else with"):
            # {{else if …}} is an if of its own, inside, that shares this end.
            self.tokens = self.tokens[2:]
            otherwise = [self._control(closer.split()[1], position)]
            closer = "end"
        elif closer == "else":
            otherwise, closer = self._nodes()
        if closer != "end":
            raise self._error("unexpected EOF", len(self.source))
        return (word, pipe, then, otherwise)

    def _read(self, inner: str, position: int) -> list[tuple[str, str, int]]:
        tokens, at = [], 0
        while inner[at:].strip():
            match = TOKEN.match(inner, at)
            if not match:
                bad = inner[at:].lstrip()[0]
                why = "unterminated quoted string" if bad in "\"`" else \
                    f"unexpected {bad!r} in command"
                raise self._error(why, position + at)
            kind = match.lastgroup or ""
            tokens.append((kind, match.group(kind), position + match.start(kind)))
            at = match.end()
        return tokens

    def _finished(self, position: int) -> None:
        if self.tokens:
            raise self._error(f"unexpected <{self.tokens[0][1]}> in command", position)

    def _pipe(self) -> Node:
        names: list[str] = []
        shape = "".join(token[1] if token[0] == "sign" else token[0][0] for token in self.tokens)
        if shape.startswith(("v:=", "v=", "v,v:=")):
            count = 2 if shape.startswith("v,") else 1
            names = [self.tokens[2 * number][1] for number in range(count)]
            self.tokens = self.tokens[2 * count:]
        commands = [self._command()]
        while self.tokens and self.tokens[0][1] == "|":
            self.tokens.pop(0)
            commands.append(self._command())
        return ("pipe", names, bool(names), commands)

    def _command(self) -> list[Node]:
        operands: list[Node] = []
        start, before = self.tokens[0][2] if self.tokens else 0, list(self.tokens)
        while self.tokens and self.tokens[0][1] not in ("|", ")"):
            operands.append(self._operand())
        if not operands:
            raise self._error("missing value for command", len(self.source))
        if operands[0] == ("literal", None):
            raise TemplateError(f'template: {self.name}:{self._place(start)}: executing '
                                f'"{self.name}" at <nil>: nil is not a command')
        if operands[0][0] == "function":
            # A mistake in a call is told with the whole call.
            _, word, at = before[len(before) - len(self.tokens) - 1]
            operands[0] = (*operands[0][:2], self.source[start:at + len(word)], operands[0][3])
        return operands

    def _operand(self) -> Node:
        kind, word, position = self.tokens.pop(0)
        if kind == "string":
            return ("literal", word[1:-1] if word[0] == "`" else ast.literal_eval(word))
        if kind == "number":
            return ("literal", self._number(word, position))
        if kind == "word":
            return self._word(word, position)
        if word == "(":
            inner = self._pipe()
            if not self.tokens or self.tokens.pop(0)[1] != ")":
                raise self._error("unclosed left paren", position)
            return self._fields(inner, [], "(…)", position)
        if kind == "variable":
            return self._fields(word, [], word, position)
        if kind == "field":
            return self._fields(None, [word[1:]], word, position)
        if word == ".":
            return ("field", None, [], ".", self._place(position))
        raise self._error(f"unexpected <{word}> in operand", position)

    def _fields(self, base: Any, names: list[str], shown: str, position: int) -> Node:
        end = position + len(shown)
        while self.tokens and self.tokens[0][0] == "field" and (
                shown == "(…)" or self.tokens[0][2] == end):
            _, word, position = self.tokens.pop(0)
            names.append(word[1:])
            shown, end = shown + word, position + len(word)
        return ("field", base, names, shown, self._place(position))

    def _word(self, word: str, position: int) -> Node:
        if word in ("true", "false", "nil"):
            return ("literal", {"true": True, "false": False, "nil": None}[word])
        if word not in FUNCTIONS:
            raise self._error(f'function "{word}" not defined', position)
        return ("function", word, word, self._place(position))

    def _number(self, word: str, position: int) -> int | float:
        try:
            return int(word, 0)
        except ValueError:
            pass
        try:
            return float(word)
        except ValueError:
            raise self._error(f'bad number syntax: "{word}"', position) from None

    def _place(self, position: int) -> str:
        line = self.source.rfind("\n", 0, position) + 1
        return f"{self.source.count(chr(10), 0, position) + 1}:{position - line}"
