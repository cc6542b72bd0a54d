"""The gate: a start held before each operation by whoever listens on a socket.

The twin of a debugger's single step. The held process (shim or init) connects once, right after it
is forked; the peer's host pid comes from SO_PEERCRED, since inside a new PID namespace init
believes to be 1. It is a stream socket on a path, so that the holder may be any program:

    held → holder    {"before": {"name":"mount", "call":"mount(2)", …}}\\n     and waits
    holder → held    "go\\n"   "no reason…\\n" (refuse: the start fails, all is rolled back)
    held → holder    {"after": {…, "result":0, "ns":41000}}\\n                 does not wait

The socket is close-on-exec: it ends exactly when execve succeeds, which is the last frame of the
film, for free. If the holder goes away, the start it held is given up and rolled back: nobody is
left to say go, and a half-made container is worse than none.
"""

from __future__ import annotations

import os

from runtime import documents
from runtime.errors import Conflict, Denied
from runtime.trace.operation import Operation

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


# A socket's name can be no longer than this. unix(7)
LONGEST_NAME = 107


class Wire:
    """An observer at the held end of the gate."""

    def __init__(self, path: str) -> None:
        self.socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        try:
            self._connect(path)
        except OSError as error:
            self.socket.close()
            raise Conflict(f"hold the start at {path}: {os.strerror(error.errno or 0).lower()}",
                           "nobody listens at the gate") from None

    def _connect(self, path: str) -> None:
        if len(os.fsencode(path)) <= LONGEST_NAME:
            self.socket.connect(path)
            return
        # By way of its directory. Still the host's /proc: a line is made before anything else.
        folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.socket.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
        finally:
            os.close(folder)

    def before(self, operation: Operation) -> None:
        answer = self._ask({"before": operation.to_data()})
        if answer != "go":
            raise Denied(f"{operation.name} refused at the gate: {answer[3:] or 'no reason given'}")

    def after(self, operation: Operation) -> None:
        self._send({"after": operation.to_data()})

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self.socket.send(documents.encode(message).encode() + b"\n", _socket.MSG_NOSIGNAL)
        except OSError:
            raise self._gone() from None

    def _ask(self, message: dict[str, Any]) -> str:
        self._send(message)
        answer = b""
        while not answer.endswith(b"\n"):
            try:
                chunk = self.socket.recv(256)
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                raise self._gone()
            answer += chunk
        return answer.decode().strip()

    @staticmethod
    def _gone() -> Conflict:
        return Conflict("the one who held this start went away", "start it again")
