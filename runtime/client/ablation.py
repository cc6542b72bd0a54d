"""`ablation` and `probe`: what a part of a container holds back. Both are ours; Docker has neither.

`ablation --without pid` starts a full container and one that lacks the part, and prints beside
each other what the panes show of both and what a program inside could do. `probe NAME` asks a
container that runs. The lab's board shows the same table.
"""

from __future__ import annotations

from runtime.client import help
from runtime.client.options import BUILT, ClientError, Command
from runtime.client.without import UNSAFE, WITHOUT, host_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.client.options import Options
    from runtime.client.session import Session

# A probe that is changed and not red has come to the next lock, which holds.
RED, CHANGED, SAME = "✖ red", "▲ changed", "= same"


def ablation(session: Session, given: Options, words: list[str]) -> int:
    """Both containers, compared."""
    asked = host_fields(given).get("ContainerLab")
    if not asked:
        raise ClientError("ablation compares a container with one that lacks something: "
                          "--without pid")
    found = session.engine.compare(asked["Without"], bool(asked.get("Unsafe")),
                                   given.get("image", "lab/base"))
    session.say(_json(found) if given.get("json") else board(found))
    return 0


def board(found: dict[str, Any]) -> str:
    """The table, and how much of it is red."""
    rows = [["", "full container", f"without {','.join(found['without'])}", ""]]
    section = ""
    for row in found["panes"]:
        if row["pane"] != section:
            section = row["pane"]
            rows.append([section, "", "", ""])
        rows.append([f"  {row['what']}", value(row, "full"), value(row, "without"),
                     RED if row["red"] else SAME])
    rows.append(["could a program inside …", "", "", ""])
    rows += [[f"  {row['question']}", outcome(row["full"]), outcome(row["without"]), verdict(row)]
             for row in found["probes"]]
    widths = [max(len(row[column]) for row in rows) + 2 for column in range(3)]
    lines = ["".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[3]]).rstrip()
             for row in rows]
    panes, asked = (sum(row["red"] for row in found[key]) for key in ("panes", "probes"))
    return "\n".join([*lines, "", help.fill(
        f"{_count(panes, 'row')} of the panes and {_count(asked, 'probe')} turned red.",
        help.columns()), f"By hand: {found['line']}"])


def value(row: dict[str, Any], which: str) -> str:
    """What the pane says; of a namespace with the last digits of its inode."""
    end = f" {row['evidence'][which][-5:]}" if row["pane"] == "namespaces" else ""
    return f"{row[which]}{end}"


def outcome(answer: dict[str, Any]) -> str:
    """"yes", or "no" with the errno or what was found instead."""
    if answer["yes"]:
        return "YES"
    return f"no, {answer['errno']}" if answer["errno"] else "no"


def verdict(row: dict[str, Any]) -> str:
    """What became of a probe when the part was left out."""
    return RED if row["red"] else CHANGED if row["changed"] else SAME


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def probe(session: Session, given: Options, words: list[str]) -> int:
    """Ask a container that runs."""
    found = session.engine.probe(words[0])
    if given.get("json"):
        session.say(_json(found))
        return 0
    width = max(len(row["question"]) for row in found) + 2
    for row in found:
        said = f"  {row['said']}" if row["said"] else ""
        session.say(f"{row['question'].ljust(width)}{outcome(row).ljust(18)}"
                    f"{row['call'].ljust(28)}{said}".rstrip())
    return 0


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, indent=1)


JSON = ("json", "", "bool", BUILT, "Print in JSON format")
IMAGE = ("image", "", "string", BUILT, 'The image of both containers (default "lab/base")')

COMMANDS = {
    "ablation": Command(
        ablation, "[OPTIONS]", "Compare a full container with one that lacks a part",
        (IMAGE, JSON, UNSAFE, WITHOUT), most=0,
        long="Starts both, shows what the panes see of each and what a program inside could do "
             "(each\ntried for real, with its errno), and removes both. What the part held back is "
             "red.\nThis command is container-lab's own."),
    "probe": Command(
        probe, "[OPTIONS] CONTAINER", "Try what a program inside can do to the host, or see of it",
        (JSON,), least=1, most=1,
        long="Each attempt is real and without lasting effect. This command is container-lab's "
             "own."),
}
