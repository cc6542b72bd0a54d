"""Who stands at the gate: hears every operation of a start before it happens, and lets it go.

The twin of a debugger, at the other end of wire.py's socket. Runs in whoever steps through a start
(the command line, the lab); the held processes are the shim and the container's first process, told
apart by the order in which they come, and known by the pid that the kernel says (SO_PEERCRED),
which is the host's. It knows nothing of containers, and holds nothing but sockets: when it dies,
however it dies, they end, and the start it held is taken back.

    holder = Holder("/run/container-lab/4f5e…")        listens at …/gate
    event = holder.hear(10.0)                          Event("before", line, {"name": "mount", …})
    event.line.go()                                    or .refuse("not this one")

Several lines may wait at a time: a user namespace's maps are written by the shim while init waits.
Sources: unix(7), socket(7).
"""

from __future__ import annotations

import os
import select
import struct

from runtime import documents
from runtime.trace.wire import LONGEST_NAME

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Line:
    """One held process: its host pid, and who it is: the first to come is the shim."""

    __slots__ = ("socket", "pid", "by", "said")

    def __init__(self, connection: _socket.socket, by: str) -> None:
        self.socket, self.by = connection, by
        self.pid: int = struct.unpack("3i", connection.getsockopt(
            _socket.SOL_SOCKET, _socket.SO_PEERCRED, 12))[0]
        self.said = b""

    def go(self) -> None:
        """Let the operation happen that waits here. One that is gone needs no leave."""
        self._send("go")

    def refuse(self, reason: str) -> None:
        """The operation must not happen: the start fails, and is rolled back."""
        self._send(f"no {' '.join(reason.split())}")

    def _send(self, word: str) -> None:
        try:
            self.socket.send(f"{word}\n".encode(), _socket.MSG_NOSIGNAL)
        except OSError:
            return

    def read(self) -> list[dict[str, Any]] | None:
        """The messages that have come in whole; None when the line has ended."""
        try:
            chunk = self.socket.recv(65536)
        except OSError:
            chunk = b""
        if not chunk:
            return None
        *whole, self.said = (self.said + chunk).split(b"\n")
        return [documents.parse(each) for each in whole]


class Event:
    """What was heard: kind "opened", "before", "after" or "ended", of a line."""

    __slots__ = ("kind", "line", "operation")

    def __init__(self, kind: str, line: Line, operation: dict[str, Any] | None = None) -> None:
        self.kind, self.line = kind, line
        self.operation: dict[str, Any] = operation or {}


class Holder:
    """Listens at the gate of one start."""

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, 0o700, exist_ok=True)
        self.path = f"{folder}/gate"
        self.lines: list[Line] = []
        self._came = 0
        self._events: list[Event] = []
        self._listener = _socket.socket(_socket.AF_UNIX,
                                        _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        try:
            with_name(self.path, self._bind)
            self._listener.listen(8)
        except BaseException:
            self._listener.close()
            raise

    def _bind(self, name: str) -> None:
        if os.path.lexists(name):
            os.unlink(name)  # of one who was killed
        self._listener.bind(name)

    def hear(self, timeout_s: float | None = None, wake: int = -1) -> Event | None:
        """The next event; None when there was none in the time, or `wake` became readable.

        What was said before `wake` was written to is heard first.
        """
        if self._events:
            return self._events.pop(0)
        poll = select.poll()
        poll.register(self._listener.fileno(), select.POLLIN)
        for line in self.lines:
            poll.register(line.socket.fileno(), select.POLLIN)
        if wake >= 0:
            poll.register(wake, select.POLLIN)
        ready = dict(poll.poll(None if timeout_s is None else max(0, int(timeout_s * 1000))))
        for line in [line for line in self.lines if line.socket.fileno() in ready]:
            self._read(line)
        if self._listener.fileno() in ready:
            self._accept()
        return self._events.pop(0) if self._events else None

    def _accept(self) -> None:
        fd, _ = self._listener._accept()  # type: ignore[attr-defined]
        os.set_inheritable(fd, False)
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fd)
        line = Line(connection, "init" if self._came else "shim")
        self._came += 1
        self.lines.append(line)
        self._events.append(Event("opened", line))

    def _read(self, line: Line) -> None:
        messages = line.read()
        if messages is None:
            self.lines.remove(line)
            line.socket.close()
            self._events.append(Event("ended", line))
            return
        for message in messages:
            kind = "before" if "before" in message else "after"
            self._events.append(Event(kind, line, message[kind]))

    def close(self) -> None:
        """Go away. Whoever is still held is given up."""
        for line in self.lines:
            line.socket.close()
        self.lines.clear()
        self._listener.close()
        try:
            os.unlink(self.path)
        except OSError:
            return  # gone with its directory, which the shim removes


def with_name(path: str, use: Callable[[str], object]) -> None:
    """use(name) with a name for the socket at path that is short enough: by its directory."""
    if len(os.fsencode(path)) <= LONGEST_NAME:
        use(path)
        return
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        use(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
    finally:
        os.close(folder)
