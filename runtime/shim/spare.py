"""A process forked at the first instant of a command, that becomes the shim if one is needed.

Runs in the command line. While the command reads its flags and writes the container's directory,
the spare imports what a shim needs, on the other CPU: the two together take as long as the slower
one. It is a zygote for one start. If no start comes (bad flag, no such image) it sees the end of
its socket and is gone. Nothing but os, struct and _socket may be imported before the fork.

    command ── JSON request + the report's descriptor ──► spare, which is now the shim
"""

from __future__ import annotations

import os
import struct

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LARGEST = 1 << 20

_waiting: _socket.socket | None = None


def fork() -> None:
    """Fork the spare. Only in a process with one thread."""
    global _waiting
    ours, theirs = _socket.socketpair(_socket.AF_UNIX,
                                      _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    ours.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, LARGEST)
    if os.fork() == 0:
        ours.close()
        wait(theirs)
    theirs.close()
    _waiting = ours


def take() -> _socket.socket | None:
    """The socket of the spare that waits, if there is one; it is the caller's from here on."""
    global _waiting
    spare, _waiting = _waiting, None
    return spare


def launch(spare: _socket.socket, request: dict[str, Any], report: _socket.socket) -> None:
    """Make the spare the shim of this start."""
    from runtime import documents

    spare.sendmsg([documents.encode(request).encode()],
                  [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack("i", report.fileno()))])
    spare.close()


def wait(sock: _socket.socket) -> None:
    """In the spare: get ready, then be the shim or nothing."""
    try:
        from runtime import packs

        pack = packs.use("shim")
        from runtime.shim import becoming, shim

        becoming.detach()
        shim.preload()
        pack.keep()
        shim.take(sock)
    except KeyboardInterrupt:
        pass  # ctrl-c at the terminal before there was a container: nothing to end
    finally:
        os._exit(0)
