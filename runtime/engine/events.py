"""events.jsonl: what happened to containers, in Docker's shape, a line each.

Written by the engine (create, kill, stop, destroy, exec) and by the shims (start, die, oom, pause,
…). {"Type": "container", "Action": "die", "Actor": {"ID": …, "Attributes": {"name": "tea",
"exitCode": "137"}}, "time": 1795521787, "timeNano": …}. A full disk loses events, never a command.
Source: Docker Engine API, GET /events.
"""

from __future__ import annotations

import time

from runtime import documents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def attributes(config: dict[str, Any]) -> dict[str, str]:
    """What every event of the container carries."""
    return {**(config["Config"].get("Labels") or {}), "image": config["Config"]["Image"],
            "name": config["Name"].lstrip("/")}


def tell(root: str, action: str, config: dict[str, Any], **more: str) -> None:
    """One more event."""
    now = time.time_ns()
    try:
        documents.append_line(f"{root}/events.jsonl", {
            "Type": "container", "Action": action, "time": now // 1_000_000_000, "timeNano": now,
            "Actor": {"ID": config["Id"], "Attributes": {**attributes(config), **more}},
        })
    except OSError:
        return


def read(root: str, since_ns: int) -> list[dict[str, Any]]:
    """The events since then."""
    return [event for event in documents.read_lines(f"{root}/events.jsonl")
            if event["timeNano"] >= since_ns]
