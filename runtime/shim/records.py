"""What the shim writes down: the state, the birth certificate, events.

Runs in the shim. A full disk must not end a container, nor make its end unknown: what cannot be
written is told in the evidence, and a state is then written over the old one in place, whose block
on the disk is there already.
"""

from __future__ import annotations

import os
import time

from runtime import documents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.shim.evidence import Evidence


class Records:
    """The files of one container, and the lab's events.jsonl."""

    def __init__(self, request: dict[str, Any], evidence: Evidence) -> None:
        self.request, self.evidence = request, evidence
        self.directory: str = request["directory"]

    def write(self, name: str, value: Any) -> bool:
        """A document of the container's. False when the disk did not take it."""
        try:
            documents.write(os.path.join(self.directory, name), value)
        except OSError as error:
            self.evidence.note("shim", f"write {name} failed", text=str(error))
            return False
        return True

    def state(self, state: dict[str, Any]) -> None:
        """state.json, whole if the disk has room for a second one, else over the first."""
        if not self.write("state.json", state):
            self.write_over("state.json", state)

    def write_over(self, name: str, value: Any) -> None:
        """Without a new block: the text and spaces up to the old length, in one write."""
        data = documents.encode(value).encode() + b"\n"
        try:
            fd = os.open(os.path.join(self.directory, name), os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            return  # removed meanwhile
        try:
            old = os.fstat(fd).st_size
            os.pwrite(fd, data.ljust(old), 0)
        except OSError:
            return
        finally:
            os.close(fd)

    def operations(self, operations: list[dict[str, Any]]) -> None:
        """The birth certificate."""
        text = "".join(documents.encode(each) + "\n" for each in operations)
        try:
            documents.replace_file(os.path.join(self.directory, "operations.jsonl"), text.encode())
        except OSError as error:
            self.evidence.note("shim", "write operations.jsonl failed", text=str(error))

    def event(self, action: str, **attributes: str) -> None:
        """An event in Docker's shape, for `events` and the lifecycle pane."""
        if not self.request.get("events"):
            return
        now = time.time_ns()
        try:
            documents.append_line(self.request["events"], {
                "Type": "container", "Action": action, "time": now // 1_000_000_000,
                "timeNano": now,
                "Actor": {"ID": self.request["id"],
                          "Attributes": {**self.request.get("attributes", {}), **attributes}},
            })
        except OSError:
            return

    def group_gone(self, path: str) -> None:
        """The control group is removed: so says the ledger."""
        self.in_ledger({"gone": "cgroup", "path": path})

    def in_ledger(self, line: dict[str, str]) -> None:
        """Note what of the host is made, or gone: {"made": "mount", "path": …, "id": …}."""
        if not self.request.get("ledger"):
            return
        try:
            documents.append_line(self.request["ledger"], line)
        except OSError:
            return  # a line too many in the ledger is allowed, and of a mount one too few:
            # `clean` looks at every container's rootfs
