"""What is asked of the shim on its socket: attach, exec, wait, kill, pause, resume.

Runs in the shim, out of its poll loop: a connection becomes a Client, its first frame says what is
wanted (protocol.py), what follows is input. A caller that goes away, or asks nonsense, takes
nothing with it: whatever is wrong is an answer, never the end of the container.
"""

from __future__ import annotations

from runtime import documents
from runtime.errors import Conflict, Invalid, NotFound
from runtime.shim import execs, protocol
from runtime.shim.streams import Client

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.shim.shim import Shim


def accept(shim: Shim) -> None:
    """Someone connects."""
    assert shim.listener is not None
    try:
        fd, _ = shim.listener._accept()  # type: ignore[attr-defined]
    except BlockingIOError:
        return
    except OSError as error:  # EMFILE: they wait until one of the others has gone
        shim.crowded = bool(shim.clients)
        shim.evidence.note("shim", "accept failed", text=str(error))
        return
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fd)
    shim.clients.append(Client(sock))


def dismissed(shim: Shim, client: Client) -> bool:
    """Close a connection that is done and has been sent everything."""
    if not client.done or client.out:
        return False
    if client.streams is not None:
        client.streams.leave(client)
    client.sock.close()
    shim.crowded = False
    return True


def serve(shim: Shim, client: Client) -> None:
    """Read what a client says. One that goes away takes nothing with it."""
    client.flush()
    if client.held_back():
        return
    try:
        data = client.sock.recv(65536)
    except BlockingIOError:
        return
    except OSError:
        data = b""
    if not data:
        client.out.clear()
        client.done = True
        return
    try:
        for kind, payload in client.frames.feed(data):
            take(shim, client, kind, payload)
    except Exception as error:  # also a mistake of the client's must not end the container
        client.refuse(error)


def take(shim: Shim, client: Client, kind: bytes, payload: bytes) -> None:
    """One frame of a client."""
    if kind == b"J":
        answer(shim, client, documents.parse(payload))
    elif client.streams is None:
        raise Invalid("take input: this connection is attached to nothing")
    elif kind == b"I":
        client.streams.write(payload)
    elif kind == b"C":
        client.streams.close_stdin()
    elif kind == b"W":
        size = documents.parse(payload)
        client.streams.resize(size["rows"], size["columns"])


def answer(shim: Shim, client: Client, ask: dict[str, Any]) -> None:
    """Do what the first frame asks for, and say so."""
    do = ask.get("do")
    if do == "attach":
        client.send(protocol.message(b"R", {"ok": {"pid": shim.init.pid}}))
        shim.streams.join(client)
        return
    if do == "exec":
        execs.start(shim, client, ask)
        return
    if do == "wait":
        client.send(protocol.message(b"R", {"ok": {}}))
        shim.waiting.append(client)
        return
    if do == "kill":
        kill(shim, ask["signal"], ask.get("by", "kill"))
    elif do == "pause":
        pause(shim)
    elif do == "resume":
        resume(shim)
    else:
        raise NotFound(f"answer: the shim does not know {do!r}")
    client.send(protocol.message(b"R", {"ok": {}}))
    client.done = True


def kill(shim: Shim, number: int, by: str) -> None:
    """Signal init, noting first who asked: afterwards it may be gone."""
    shim.evidence.note("engine", by, signal=number, pid=shim.init.pid)
    shim.runtime.kill(number)


def pause(shim: Shim) -> None:
    """Freeze the group."""
    if shim.state["Status"] == "paused":
        raise Conflict("pause: already paused")
    shim.runtime.pause()
    set_status(shim, "paused", "pause")


def resume(shim: Shim) -> None:
    """Thaw the group."""
    if shim.state["Status"] != "paused":
        raise Conflict("resume: not paused")
    shim.runtime.resume()
    set_status(shim, "running", "unpause")


def set_status(shim: Shim, status: str, event: str) -> None:
    """A new state, on disk before anyone is told."""
    shim.state["Status"] = status
    shim.records.state(shim.state)
    shim.evidence.note("shim", event)
    shim.records.event(event)
