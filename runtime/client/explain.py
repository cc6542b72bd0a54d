"""why, operations, clean: what this lab can say that Docker cannot.

`why NAME` prints the card of a death: what the kernel, the shim and Docker each say of it, and the
file that proves it. `operations NAME` prints the birth certificate: every effect on the kernel that
made the container, in order. `clean` removes what the ledger says is ours.
"""

from __future__ import annotations

import os

from runtime.client import help, tables
from runtime.client.options import BUILT, Command
from runtime.inspect.operations import result_word, time_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.client.options import Options
    from runtime.client.session import Session
    from runtime.engine.engine import Container

UNTOLD = ("{} was run by command line and does not tell what it asks of the kernel; only our own "
          "runtime does, and can be stepped (leave --runtime out)")
CARD_WIDTH = 80
WHO_WIDTH = 12


def why(session: Session, given: Options, words: list[str]) -> int:
    """The card: who did what, and where it can be read."""
    container = session.engine.find(words[0])
    rows = session.engine.why(container.id)
    if given.get("json"):
        session.say(_json([{"who": who, "says": says, "evidence": evidence}
                           for who, says, evidence in rows]))
        return 0
    session.say("\n".join(card(container, rows, max(40, min(help.columns(), 120)))))
    return 0


def card(container: Container, rows: list[tuple[str, str, str]], width: int = CARD_WIDTH
         ) -> list[str]:
    """The lines of the card; an evidence that does not fit beside its sentence goes below it."""
    lines = [_sides(*_title(container), width)]
    for who, says, evidence in rows:
        lines += _row(who, says, evidence, width)
    return lines


def _title(container: Container) -> tuple[str, str]:
    name, code = container.name, container.exit_code
    if container.status in ("running", "paused"):
        return f" {name} is not dead.", f"pid {container.pid}, {container.status}"
    if container.status == "created":
        return f" {name} has not lived yet.", container.status
    equals = f" = 128 + {code - 128}" if code > 128 else ""
    return f" {name} is dead. Why?", f"exit {code}{equals}"


def _row(who: str, says: str, evidence: str, width: int) -> list[str]:
    left = f" {who.ljust(WHO_WIDTH)} {says}"
    if len(left) + len(evidence) + 2 <= width:
        return [_sides(left, evidence, width)]
    lines = help.fill(says, width - WHO_WIDTH - 2).split("\n")
    indent = " " * (WHO_WIDTH + 2)
    told = [f" {who.ljust(WHO_WIDTH)} {lines[0]}", *(indent + line for line in lines[1:])]
    if evidence and len(told[-1]) + len(evidence) + 2 <= width:
        return [*told[:-1], _sides(told[-1], evidence, width)]
    return told + ([_sides("", evidence, width)] if evidence else [])


def _sides(left: str, right: str, width: int) -> str:
    return (left + right.rjust(width - len(left))).rstrip()


def operations(session: Session, given: Options, words: list[str]) -> int:
    """The birth certificate of a container."""
    if given.get("diff"):
        from runtime.client import difference

        return difference.show(session, given, words[0], given["diff"])
    found = session.engine.operations(words[0])
    if given.get("json"):
        session.say(_json(found))
        return 0
    rows = [["N", "PHASE", "BY", "CALL", "RESULT", "TIME", "SYMBOL"]]
    rows += [_operation(operation) for operation in found]
    session.say(tables.render(rows, narrowest=4, gap=2))
    other = session.engine.find(words[0]).config["HostConfig"].get("Runtime")
    if other and other != "container-lab":
        session.say(f"\n{help.fill(UNTOLD.format(os.path.basename(other)), help.columns())}")
    return 0


def _operation(operation: dict[str, Any]) -> list[str]:
    call = f"{operation['name']}({_arguments(operation.get('arguments') or {})})"
    return [str(operation.get("n", "")), operation["phase"], operation.get("by", ""),
            call if len(call) <= 72 else call[:71] + "…", result_word(operation),
            time_word(operation), operation.get("symbol", "")]


def _arguments(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in arguments.items())


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, indent=1)


def clean(session: Session, given: Options, words: list[str]) -> int:
    """Remove every host object that we made. What the student has done in the course stays."""
    removed = session.engine.clean()
    for line in removed:
        session.say(line)
    if not removed:
        session.say(f"there was nothing of ours under {session.engine.root}")
    kept = os.path.join(session.engine.root, "progress")
    if os.path.isdir(kept):
        session.say(f"your progress in the course stays in {kept}")
    return 0


JSON = ("json", "", "bool", BUILT, "Print in JSON format")

COMMANDS = {
    "why": Command(why, "[OPTIONS] CONTAINER",
                   "Say why a container ended: the kernel, the shim and Docker each", (JSON,),
                   least=1, most=1),
    "operations": Command(operations, "[OPTIONS] CONTAINER",
                          "List every effect on the kernel that made a container", (
                              ("diff", "", "string", BUILT,
                               "Lay another start beside it: a container, or the path (with a /) "
                               "of what strace -f -y -o wrote"),
                              JSON), least=1, most=1),
    "clean": Command(clean, "", "Remove exactly what this program made and left on the host",
                     most=0,
                     long="Ends what still runs under this root, and removes all of it: "
                          "containers, images,\ncgroups, mounts, run files. Each is reported."),
}
