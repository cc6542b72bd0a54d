"""`--format`: the part of Go's text/template that people use with Docker.

Pipelines, variables, if / else / range / with, {{- trims -}}, and Docker's functions over plain
JSON data; mistakes in Go's words, with its line and column:

    parse("{{.Name}}").render({"Name": "/tea"}) → "/tea"
    parse("{{.Name").render(…)                  → TemplateError: template: :1: unclosed action

Reading is in `template_parser.py`, the functions are in `template_functions.py`, running is here.
Not like Go: there are no types behind the data, so a struct prints as a map does. Off the start
path. Sources: Go text/template, docker/cli templates/templates.go.
"""

from __future__ import annotations

from runtime.client import template_functions, template_parser
from runtime.client.template_functions import TemplateError, text, true

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.client.template_parser import Node

# What Go prints for an empty pointer, list or map hangs on its type; JSON has null for all three.
LISTS = frozenset((
    "Cmd", "Entrypoint", "Env", "OnBuild", "ExecIDs", "Binds", "CapAdd", "CapDrop", "Aliases",
    "DeviceCgroupRules", "DeviceRequests", "ExtraHosts", "GroupAdd", "Links", "SecurityOpt",
    "VolumesFrom", "DNSNames", "SecondaryIPAddresses", "SecondaryIPv6Addresses", "Mounts",
    "RepoTags", "RepoDigests", "Shell", "Args"))
MAPS = frozenset(("Volumes", "Labels", "DriverOpts", "Ports", "PortBindings", "ExposedPorts"))


def parse(source: str, name: str = "") -> Template:
    """Read a template. Raises TemplateError."""
    return Template(template_parser.parse(source, name), name)


class Template:
    """A template that was read, and can be run over data again and again."""

    def __init__(self, nodes: list[Node], name: str) -> None:
        self.nodes, self.name = nodes, name

    def render(self, data: Any) -> str:
        """The text for this data. Raises TemplateError."""
        return "".join(_Run(self.name, data).block(self.nodes, data))


class _Run:
    """One pass over the nodes, with the variables of it."""

    def __init__(self, name: str, data: Any) -> None:
        self.name = name
        self.variables: dict[str, Any] = {"$": data}

    def block(self, nodes: list[Node], dot: Any) -> list[str]:
        parts: list[str] = []
        for node in nodes:
            kind = node[0]
            if kind == "text":
                parts.append(node[1])
            elif kind == "action":
                parts.append(self._action(node[1], dot))
            elif kind == "range":
                parts += self._range(node, dot)
            else:
                parts += self._choice(node, dot)
        return parts

    def _action(self, pipe: Node, dot: Any) -> str:
        value = self.value(pipe, dot)
        if pipe[1]:
            return ""
        if value is None:
            field = pipe[3][-1][0]
            name = field[2][-1] if field[0] == "field" and field[2] else ""
            return "[]" if name in LISTS else "map[]" if name in MAPS else "<no value>"
        return text(value)

    def _choice(self, node: Node, dot: Any) -> list[str]:
        kind, pipe, then, otherwise = node
        value = self.value(pipe, dot)
        if true(value):
            return self.block(then, value if kind == "with" else dot)
        return self.block(otherwise, dot)

    def _range(self, node: Node, dot: Any) -> list[str]:
        _, pipe, body, otherwise = node
        names = pipe[1]
        over = self.value(("pipe", [], False, pipe[3]), dot)
        if isinstance(over, dict):
            pairs = [(key, over[key]) for key in sorted(over)]
        elif isinstance(over, int) and not isinstance(over, bool):
            pairs = [(number, number) for number in range(over)]
        elif isinstance(over, (str, float, bool)):
            head = pipe[3][-1][0]
            raise self._failed(head, f"range can't iterate over {text(over)}")
        else:
            pairs = list(enumerate(over or []))
        parts: list[str] = []
        for key, value in pairs:
            if names:
                self.variables[names[-1]] = value
            if len(names) == 2:
                self.variables[names[0]] = key
            parts += self.block(body, value)
        return parts if pairs else self.block(otherwise, dot)

    def value(self, pipe: Node, dot: Any) -> Any:
        """The value of a pipeline: each command gets the one before as its last argument."""
        _, names, _, commands = pipe
        last: list[Any] = []
        for command in commands:
            last = [self._command(command, dot, last)]
        for name in names:
            self.variables[name] = last[0]
        return last[0]

    def _command(self, command: list[Node], dot: Any, piped: list[Any]) -> Any:
        head = command[0]
        if head[0] == "function":
            return self._call(head, command[1:], dot, piped)
        arguments = [self._operand(node, dot) for node in command[1:]] + piped
        value = self._operand(head, dot)
        if callable(value):
            return value(*arguments)
        if arguments:
            raise self._failed(head, f"can't give argument to non-function {head[3]}")
        return value

    def _call(self, head: Node, operands: list[Node], dot: Any, piped: list[Any]) -> Any:
        name = head[1]
        if name in ("and", "or"):
            return self._lazy(name, operands, dot, piped)
        arguments = [self._operand(node, dot) for node in operands] + piped
        try:
            return template_functions.FUNCTIONS[name](*arguments)
        except (TypeError, AttributeError):
            given = " ".join(text(value) for value in arguments) or "nothing"
            raise self._failed(head, f"error calling {name}: it does not take {given}") from None
        except (ValueError, LookupError) as error:
            raise self._failed(head, f"error calling {name}: {error.args[0]}") from None

    def _lazy(self, name: str, operands: list[Node], dot: Any, piped: list[Any]) -> Any:
        value: Any = None
        for node in operands:
            value = self._operand(node, dot)
            if true(value) == (name == "or"):
                return value
        return piped[0] if piped else value

    def _operand(self, node: Node, dot: Any) -> Any:
        kind = node[0]
        if kind == "literal":
            return node[1]
        if kind == "pipe":
            return self.value(node, dot)
        if kind == "function":
            return self._call(node, [], dot, [])
        _, base, names, _, _ = node
        value = dot
        if base == "$" or isinstance(base, str) and base.startswith("$"):
            if base not in self.variables:
                raise TemplateError(f"template: {self.name}:{node[-1].partition(':')[0]}: "
                                    f'undefined variable "{base}"')
            value = self.variables[base]
        elif base is not None:
            value = self._operand(base, dot)
        for name in names:
            value = self._field(node, value, name)
        return value

    def _field(self, node: Node, value: Any, name: str) -> Any:
        if isinstance(value, dict):
            if name in value:
                return value[name]
            kind = getattr(value, "kind", "")
            if kind:
                raise self._failed(node, f"can't evaluate field {name} in type {kind}")
            raise self._failed(node, f'map has no entry for key "{name}"')
        if value is None:
            raise self._failed(node, f"nil pointer evaluating interface {{}}.{name}")
        kind = {str: "string", int: "int", bool: "bool", float: "float64"}.get(type(value), "[]")
        raise self._failed(node, f"can't evaluate field {name} in type {kind}")

    def _failed(self, node: Node, why: str) -> TemplateError:
        shown, place = node[-2], node[-1]
        return TemplateError(f'template: {self.name}:{place}: executing "{self.name}" at '
                             f"<{shown}>: {why}")
