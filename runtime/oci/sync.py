"""What the two sides of a start say to each other, over one seqpacket socket.

Runs in the shim, and in init or exec's process. Close-on-exec: its end is the news that execve
succeeded. A message is one JSON document; ready may carry a descriptor (the pty's master). The same
pair, with nothing but a request on it, is how a zygote is asked for a shim.

      shim (create, start)                     init
              ── {"go": "mapped"} ──►                 only with a user namespace: maps are written
              ◄── {"pid": 48213} ──                   only of exec, by the joiner that cloned it
              ◄── {"mounted": true} ──                only with hooks: all mounted, nothing entered
              ── {"go": "hooked", "state": …} ──►     prestart and createRuntime have run
              ◄── {"ready": {"path": …}} ──           all done but the program: "created"
              ── {"go": "start"} ──►                  the specification's start
              ◄── end of file ──                      execve succeeded: "running"
       or, at any moment,
              ◄── {"error": {…}, "phase": "root"} ──  and init ends

A shim that will not stay says "wait" in place of "start": init then listens at a socket of its own
for whoever says it (commands/making.py), and the conversation goes on there.
Who wants create and start in one may say "start" at once: it waits in the socket until init asks
for it, and saves the way there and back.

Source: OCI runtime-spec, runtime.md "Lifecycle"; the table in runc's libcontainer/sync.go.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal itself pulls in enum, 6 ms
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
        # It ended without hearing our last word. That is told first, and once; what it said before
        # it ended, the reason perhaps, is still there behind it. unix(7)
        return receive(sock)
    if not data:
        return None, None
    fd = None
    for level, kind, rights in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            fd = struct.unpack_from("i", rights)[0]
    return documents.parse(data), fd


def wait_for_go(sock: _socket.socket, *words: str) -> dict[str, Any]:
    """In init: wait until the shim says one of the words; what it said.

    If the shim is gone, so is the reason to be.
    """
    message, _ = receive(sock)
    if message is None or message.get("go") not in words:
        os._exit(1)
    return message


def wait_for_start(sock: _socket.socket, listener: int | None) -> None:
    """In init: wait for "start", from the shim or, once it said "wait", from whoever comes.

    From then on `sock` is the caller's: whatever goes wrong is told to who said "start".
    """
    if listener is None:
        wait_for_go(sock, "start")
    elif wait_for_go(sock, "start", "wait")["go"] == "wait":
        accept_start(sock, listener)


def accept_start(sock: _socket.socket, listener: int) -> None:
    """Let callers in until one says "start". One without a word only looked (state.py:waits)."""
    # A process with number 1 is not ended by a signal that it has not asked for, and a container
    # that waits has to be stoppable. execve puts all back to the default.
    for number in (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP, _signal.SIGQUIT):
        _signal.signal(number, lambda number, frame: os._exit(128 + number))
    door = _socket.socket(fileno=listener)
    while True:
        fd, _ = door._accept()  # type: ignore[attr-defined]
        caller = _socket.socket(fileno=fd)
        message, _ = receive(caller)
        if message is not None and message.get("go") == "start":
            break
        caller.close()
    os.dup2(fd, sock.fileno(), inheritable=False)
    caller.close()
    door.close()


class ChildFailed(LabError):
    """Init's error, as it reached the parent: `cause` is the error itself."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.cause = from_data(data["error"])
        self.phase: str = data.get("phase", "")
        super().__init__(str(self.cause), exit_code=self.cause.exit_code)
