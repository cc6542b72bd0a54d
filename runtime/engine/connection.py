"""Talking to a shim: ask it one thing, or be attached to a process of its container.

Runs in whoever embeds the engine. Frames are shim/protocol.py's; a shim that is gone is Conflict.
"""

from __future__ import annotations

import os
import select
import sys

from runtime import documents
from runtime.errors import Conflict, from_data
from runtime.shim import protocol

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAMES = {b"O": "stdout", b"E": "stderr"}


def connect(run: str) -> _socket.socket:
    """A connection to the shim whose directory this is. Raises Conflict when nobody listens."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        folder = os.open(run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # By way of the directory: the path itself may be longer than a socket's name can be.
            sock.connect(f"/proc/self/fd/{folder}/shim.sock")
        finally:
            os.close(folder)
    except OSError:
        sock.close()
        raise Conflict("ask the shim: it is not there", "the container is not running") from None
    return sock


def listener(run: str) -> int:
    """The pid of the shim that listens there, by the kernel's word; 0 if nobody does. unix(7)"""
    try:
        sock = connect(run)
    except Conflict:
        return 0
    try:
        credentials = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
        return int.from_bytes(credentials[:4], sys.byteorder)
    finally:
        sock.close()


def conversation(run: str, request: dict[str, Any]) -> Attachment:
    """Ask for something that goes on. Raises what the shim could not do."""
    attachment = Attachment(connect(run))
    try:
        attachment.say(request)
        attachment.answer()
    except BaseException:
        attachment.close()
        raise
    return attachment


def ask(run: str, request: dict[str, Any]) -> None:
    """Ask for one thing and wait until it is done. Raises what the shim could not do."""
    conversation(run, request).close()


def discard(attachment: Attachment | None, report: _socket.socket | None) -> None:
    """Close both ends of an attachment that came to nothing."""
    if attachment is not None:
        attachment.close()
    if report is not None:
        report.close()


def pair() -> tuple[Attachment, _socket.socket]:
    """Our end and the shim's of its first connection."""
    ours, theirs = _socket.socketpair(_socket.AF_UNIX,
                                      _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    return Attachment(ours), theirs


class Attachment:
    """Connected to a process's streams. Read until ("exit", code)."""

    __slots__ = ("sock", "frames", "waiting")

    def __init__(self, sock: _socket.socket) -> None:
        self.sock = sock
        self.frames = protocol.Frames()
        self.waiting: list[tuple[bytes, bytes]] = []

    @property
    def closed(self) -> bool:
        """Was it closed at this end?"""
        return self.sock.fileno() < 0

    def take_over(self, other: Attachment) -> None:
        """Go on with another's connection."""
        self.sock.close()
        self.sock, self.frames, self.waiting = other.sock, other.frames, other.waiting

    def fileno(self) -> int:
        """To poll for input."""
        return self.sock.fileno()

    def say(self, request: dict[str, Any]) -> None:
        """The first frame: what is wanted. Raises Conflict when the shim is gone."""
        try:
            self.sock.sendall(protocol.message(b"J", request))
        except OSError:
            raise Conflict("ask the shim: it went away without an answer") from None

    def answer(self) -> dict[str, Any]:
        """The shim's first frame. Raises the error it carries."""
        kind, payload = self.next()
        if kind != b"R":
            raise Conflict("ask the shim: it went away without an answer")
        answer: dict[str, Any] = documents.parse(payload)
        if "error" in answer:
            raise from_data(answer["error"])
        return answer

    def next(self) -> tuple[bytes, bytes]:
        """The next frame; (b"", b"") when the shim is gone."""
        while not self.waiting:
            found = protocol.receive(self.sock, self.frames)
            if found is None:
                return b"", b""
            self.waiting = found
        return self.waiting.pop(0)

    def read(self) -> tuple[str, bytes]:
        """("stdout" | "stderr", bytes), and at last ("exit", the code in digits).

        Raises Conflict when the shim is gone before it could tell the code.
        """
        while True:
            kind, payload = self.next()
            if kind in NAMES:
                return NAMES[kind], payload
            if kind == b"X":
                return "exit", str(documents.parse(payload)["code"]).encode()
            if kind == b"R" and b'"error"' in payload:
                raise from_data(documents.parse(payload)["error"])
            if not kind:
                raise Conflict("read the container's output: its shim is gone")

    def ready(self, timeout_s: float | None) -> bool:
        """Is there something to read within the time?"""
        if self.waiting:
            return True
        poll = select.poll()
        poll.register(self.sock.fileno(), select.POLLIN)
        return bool(poll.poll(None if timeout_s is None else max(0, int(timeout_s * 1000))))

    def write(self, data: bytes) -> None:
        """To the process's stdin. One that has ended takes nothing; that is no error.

        Blocks while the process does not read, which may be because it waits for its output to be
        taken: who writes much reads in another thread.
        """
        for start in range(0, len(data), 65536):
            self._send(protocol.frame(b"I", data[start:start + 65536]))

    def close_stdin(self) -> None:
        """Nothing more will be written."""
        self._send(protocol.frame(b"C"))

    def resize(self, rows: int, columns: int) -> None:
        """The terminal's new size."""
        self._send(protocol.message(b"W", {"rows": rows, "columns": columns}))

    def _send(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except OSError:
            return

    def close(self) -> None:
        """Detach. The process goes on."""
        self.sock.close()
