"""What the two sides of a start say to each other, over one seqpacket socket.

Runs in the shim, and in init or exec's process. Close-on-exec: its end is the news that execve
succeeded. A message is one JSON document; ready may carry a descriptor (the pty's master). The same
pair, with nothing but a request on it, is how a zygote is asked for a shim.

      shim (create, start)                     init
              ── {"go": "mapped"} ──►                 only with a user namespace: maps are written
              ◄── {"pid": 48213} ──                   only of exec, by the joiner that cloned it
              ◄── {"ready": {"path": …}} ──           all done but the program: "created"
              ── {"go": "start"} ──►                  the specification's start
              ◄── end of file ──                      execve succeeded: "running"
       or, at any moment,
              ◄── {"error": {…}, "phase": "root"} ──  and init ends

Who wants create and start in one may say "start" at once: it waits in the socket until init asks
for it, and saves the way there and back.

Source: OCI runtime-spec, runtime.md "Lifecycle"; the table in runc's libcontainer/sync.go.
"""

from __future__ import annotations

import os
import struct

from runtime import documents
from runtime.errors import LabError, from_data

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LARGEST = 1 << 20


def pair() -> tuple[_socket.socket, _socket.socket]:
    """(parent's end, child's end), both close-on-exec."""
    parent, child = _socket.socketpair(
        _socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    for end in (parent, child):
        end.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, LARGEST)
    return parent, child


def send(sock: _socket.socket, message: dict[str, Any], fd: int | None = None) -> None:
    """Send one message, and with it a descriptor."""
    data = documents.encode(message).encode()
    if fd is None:
        sock.send(data, _socket.MSG_NOSIGNAL)
    else:
        rights = struct.pack("i", fd)
        sock.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])


def receive(sock: _socket.socket) -> tuple[dict[str, Any] | None, int | None]:
    """(message, descriptor that came with it); (None, None) when the other side is gone."""
    try:
        data, ancillary, _, _ = sock.recvmsg(LARGEST, 64, _socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        return None, None
    if not data:
        return None, None
    fd = None
    for level, kind, rights in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            fd = struct.unpack_from("i", rights)[0]
    return documents.parse(data), fd


def wait_for_go(sock: _socket.socket, word: str) -> None:
    """In init: wait until the shim says this word. If the shim is gone, so is the reason to be."""
    message, _ = receive(sock)
    if message is None or message.get("go") != word:
        os._exit(1)


class ChildFailed(LabError):
    """Init's error, as it reached the parent: `cause` is the error itself."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.cause = from_data(data["error"])
        self.phase: str = data.get("phase", "")
        super().__init__(str(self.cause), exit_code=self.cause.exit_code)
