"""Changes to an image's config, written as Dockerfile lines: `import -c 'CMD ["sh"]'`, `commit -c`.

Used off the start path; pure data in, data out. Each instruction is one function that gets what was
written behind its word and changes the config:

    apply({}, ['CMD ["sh"]', "ENV A=b"])  → {"Cmd": ["sh"], "Env": ["A=b"]}

Only what describes how to run belongs here; FROM, RUN, COPY would make layers. Keys and sentences
are Docker's. Sources: moby builder/dockerfile (BuildFromConfig, dispatchers.go), buildkit's
frontend/dockerfile/instructions/parse.go, image-spec config.md.
"""

from __future__ import annotations

import posixpath
import re
import signal
from typing import TYPE_CHECKING, Any

from runtime.errors import Invalid
from runtime.image import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SHELL = ["/bin/sh", "-c"]
UNITS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "µs": 10**3,
         "ns": 1}
HEALTH_OPTIONS = {"interval": "Interval", "timeout": "Timeout", "start-period": "StartPeriod",
                  "start-interval": "StartInterval", "retries": "Retries"}


def apply(config: dict[str, Any], changes: Iterable[str]) -> dict[str, Any]:
    """A copy of the config with the changes made, in order. Raises Invalid and changes nothing."""
    lines = [instruction(line) for line in logical_lines("\n".join(changes))]
    for word, _ in lines:
        if word.upper() not in INSTRUCTIONS:
            raise Invalid(f"{word} is not a valid change command")
    changed = dict(config)
    for number, (word, rest) in enumerate(lines):
        word = word.upper()
        INSTRUCTIONS[word](changed, rest)
        # A new entry point does not fit the command that was meant for the old one.
        earlier = {before.upper() for before, _ in lines[:number]}
        if word == "ENTRYPOINT" and "CMD" not in earlier:
            changed.pop("Cmd", None)
    return changed


def logical_lines(text: str) -> list[str]:
    """Lines put together where one ends in a backslash; comments and empty ones left out."""
    lines, waiting = [], ""
    for line in text.split("\n"):
        if line.lstrip().startswith("#"):
            continue
        if line.rstrip().endswith("\\"):
            waiting += line.rstrip()[:-1]
            continue
        lines.append((waiting + line).strip())
        waiting = ""
    return [line for line in [*lines, waiting.strip()] if line]


def instruction(line: str) -> tuple[str, str]:
    """`CMD ["sh"]` → ("CMD", '["sh"]')."""
    word, *rest = line.split(None, 1)
    return word, rest[0].strip() if rest else ""


def environment(config: dict[str, Any]) -> dict[str, str]:
    """What $variables of a change stand for: the Env of the config so far."""
    return dict(each.partition("=")[::2] for each in config.get("Env") or [])


def command(config: dict[str, Any], rest: str) -> list[str]:
    """A JSON list as it is; anything else is a line for the image's shell."""
    listed = words.strings(rest)
    if listed is not None:
        return listed
    return [*(config.get("Shell") or SHELL), rest] if rest else []


def arguments(config: dict[str, Any], word: str, rest: str) -> list[str]:
    """The expanded words behind an instruction that needs at least one."""
    found = words.strings(rest)
    parts = words.split(rest) if found is None else found
    if not parts:
        raise Invalid(f"{word} requires at least one argument")
    return [words.expand(part, environment(config)) for part in parts]


def argument(config: dict[str, Any], word: str, rest: str) -> str:
    if not rest:
        raise Invalid(f"{word} requires exactly one argument")
    return words.expand(rest, environment(config))


def pairs(config: dict[str, Any], word: str, rest: str) -> list[tuple[str, str]]:
    """`A=b C="d e"` or the old form `A b c` → [("A", "b"), …], quotes and variables resolved."""
    parts = words.split(rest)
    if not parts:
        raise Invalid(f"{word} requires at least one argument")
    if "=" not in parts[0]:
        name, *value = rest.split(None, 1)
        if not value:
            raise Invalid(f"{word} must have two arguments")
        parts = [f"{name}={value[0]}"]
    known = environment(config)
    found = []
    for part in parts:
        name, equals, value_text = part.partition("=")
        if not equals:
            raise Invalid(f'Syntax error - can\'t find = in "{part}". '
                          "Must be of the form: name=value")
        if not name:
            raise Invalid(f"{word} names can not be blank")
        found.append((words.expand(name, known), words.expand(value_text, known)))
    return found


def set_command(config: dict[str, Any], rest: str) -> None:
    config["Cmd"] = command(config, rest)


def set_entry_point(config: dict[str, Any], rest: str) -> None:
    config["Entrypoint"] = command(config, rest)


def add_environment(config: dict[str, Any], rest: str) -> None:
    variables = environment(config)
    variables.update(pairs(config, "ENV", rest))
    config["Env"] = [f"{name}={value}" for name, value in variables.items()]


def add_labels(config: dict[str, Any], rest: str) -> None:
    config["Labels"] = {**(config.get("Labels") or {}), **dict(pairs(config, "LABEL", rest))}


def expose(config: dict[str, Any], rest: str) -> None:
    ports = dict(config.get("ExposedPorts") or {})
    for text in arguments(config, "EXPOSE", rest):
        for port in ports_of(text):
            ports[port] = {}
    config["ExposedPorts"] = ports


def ports_of(text: str) -> list[str]:
    """`80` → ["80/tcp"], `8000-8001/udp` → ["8000/udp", "8001/udp"]."""
    numbers, _, protocol = text.partition("/")
    first, _, last = numbers.rpartition(":")[2].partition("-")
    ends = [int(each) if each.isascii() and each.isdigit() else -1
            for each in (first, last or first)]
    if not 0 <= ends[0] <= ends[1] <= 65535:
        raise Invalid(f"invalid containerPort: {numbers}")
    protocol = (protocol or "tcp").lower()
    if protocol not in ("tcp", "udp", "sctp"):
        raise Invalid(f"invalid proto: {protocol}")
    return [f"{port}/{protocol}" for port in range(ends[0], ends[1] + 1)]


def set_user(config: dict[str, Any], rest: str) -> None:
    config["User"] = argument(config, "USER", rest)


def add_volumes(config: dict[str, Any], rest: str) -> None:
    paths = arguments(config, "VOLUME", rest)
    if "" in paths:
        raise Invalid("VOLUME specified can not be an empty string")
    config["Volumes"] = {**(config.get("Volumes") or {}), **{path: {} for path in paths}}


def set_working_dir(config: dict[str, Any], rest: str) -> None:
    path = posixpath.join("/", config.get("WorkingDir") or "/", argument(config, "WORKDIR", rest))
    config["WorkingDir"] = "/" + posixpath.normpath(path).lstrip("/")


def set_stop_signal(config: dict[str, Any], rest: str) -> None:
    text = argument(config, "STOPSIGNAL", rest)
    name = "SIG" + text.upper().removeprefix("SIG")
    known = text.isdigit() and 0 < int(text) <= 64 or name in signal.Signals.__members__
    if not known and not re.fullmatch(r"SIGRTM(IN\+([0-9]|1[0-5])|AX-([0-9]|1[0-4]))", name):
        raise Invalid(f"invalid signal: {text}")
    config["StopSignal"] = text


def add_trigger(config: dict[str, Any], rest: str) -> None:
    if not rest:
        raise Invalid("ONBUILD requires at least one argument")
    trigger = rest.split()[0].upper()
    if trigger == "ONBUILD":
        raise Invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if trigger in ("FROM", "MAINTAINER"):
        raise Invalid(f"{trigger} isn't allowed as an ONBUILD trigger")
    config["OnBuild"] = [*(config.get("OnBuild") or []), rest]


def set_health_check(config: dict[str, Any], rest: str) -> None:
    health: dict[str, Any] = {}
    while option := re.match(r"--([a-z-]+)=(\S+)\s*", rest):
        name, value = option.groups()
        if name not in HEALTH_OPTIONS:
            raise Invalid(f"unknown flag: {name}")
        health[HEALTH_OPTIONS[name]] = retries(value) if name == "retries" else duration(value)
        rest = rest[option.end():]
    kind, text = instruction(rest) if rest else ("", "")
    if kind.upper() == "NONE":
        if text or health:
            raise Invalid("HEALTHCHECK NONE takes no arguments")
        config["Healthcheck"] = {"Test": ["NONE"]}
        return
    if kind.upper() != "CMD":
        raise Invalid(f'Unknown type "{kind.upper()}" in HEALTHCHECK (try CMD)' if kind
                      else "HEALTHCHECK requires at least one argument")
    if not text:
        raise Invalid("Missing command after HEALTHCHECK CMD")
    listed = words.strings(text)
    test = ["CMD-SHELL", text] if listed is None else ["CMD", *listed]
    config["Healthcheck"] = {"Test": test, **health}


def retries(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise Invalid(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def duration(text: str) -> int:
    """`1m30s`, `500ms` → nanoseconds, as Go reads a duration."""
    parts = re.findall(r"([0-9]+(?:\.[0-9]+)?)(ms|us|µs|ns|h|m|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise Invalid(f'time: invalid duration "{text}"')
    return sum(round(float(number) * UNITS[unit]) for number, unit in parts)


INSTRUCTIONS: dict[str, Callable[[dict[str, Any], str], None]] = {
    "CMD": set_command, "ENTRYPOINT": set_entry_point, "ENV": add_environment,
    "LABEL": add_labels, "EXPOSE": expose, "USER": set_user, "VOLUME": add_volumes,
    "WORKDIR": set_working_dir, "STOPSIGNAL": set_stop_signal, "ONBUILD": add_trigger,
    "HEALTHCHECK": set_health_check,
}
