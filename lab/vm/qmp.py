"""QEMU's monitor, in as much as a snapshot takes. Source: QEMU Machine Protocol reference."""

from __future__ import annotations

import json
import socket
from typing import Any

from runtime.errors import Conflict


class Qmp:
    """A conversation: one question, one answer."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.lines = sock, sock.makefile("rb")
        sock.settimeout(60)
        self.ask("qmp_capabilities")

    def ask(self, what: str, **arguments: Any) -> Any:
        """One command's answer; events in between are left out. Raises Conflict with its error."""
        try:
            return self.converse(what, arguments)
        except OSError as error:
            raise Conflict(f"ask QEMU to {what}: {error.strerror or error}") from None

    def converse(self, what: str, arguments: dict[str, Any]) -> Any:
        """The question and its answer, or the OSError of a QEMU that is gone."""
        self.sock.sendall(json.dumps({"execute": what, "arguments": arguments}).encode())
        while True:
            line = self.lines.readline()
            if not line:
                raise Conflict(f"ask QEMU to {what}: it hung up")
            answer = json.loads(line)
            if "error" in answer:
                raise Conflict(f"ask QEMU to {what}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def ignore_shared(self) -> None:
        """The memory is a file already, and need not be written a second time."""
        self.ask("migrate-set-capabilities",
                 capabilities=[{"capability": "x-ignore-shared", "state": True}])

    def close(self) -> None:
        self.lines.close()
        self.sock.close()
