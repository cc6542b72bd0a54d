"""A process that has everything imported and forks shims: a start without the cost of starting.

Runs beside a long-lived, threaded program (the lab, a daemon), which must not fork itself: it is
forked before the first thread and before any heavy import. It holds nothing and decides nothing; if
it dies, containers go on, and the next start is a slower one.

    program ── seqpacket: JSON request + the report's descriptor ──► zygote ──► shim, forked ahead
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import select

from runtime.errors import Conflict
from runtime.kernel import processes
from runtime.oci import sync
from runtime.shim import becoming, shim

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


# Longer than a start takes, shorter than it takes a person to ask for the next.
QUIET_MS = 30


class Zygote:
    """The program's end. `launch` is what Engine takes as its launcher."""

    def __init__(self, sock: _socket.socket, pid: int) -> None:
        self.sock, self.pid = sock, pid

    @classmethod
    def start(cls) -> Zygote:
        """Fork the zygote. Only in a process without threads."""
        ours, theirs = sync.pair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            wait_for_requests(theirs)
        theirs.close()
        return cls(ours, pid)

    def launch(self, request: dict[str, Any], report: _socket.socket) -> None:
        """Have a shim forked for the request, with `report` as its connection to the caller."""
        try:
            sync.send(self.sock, request, report.fileno())
        except OSError:
            raise Conflict("start a shim: the zygote is gone") from None

    def stop(self) -> None:
        """Let it end, and wait until it has."""
        self.sock.close()
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            return


def wait_for_requests(sock: _socket.socket) -> None:
    """In the zygote: have a shim at hand for every request, until the program is gone."""
    try:
        settle(sock)
        while not gone(sock):
            # The next one is forked and rehearsed ahead, so a start finds a shim that waits.
            waiting = fork_ahead(sock)
            os.read(waiting, 1)  # end of file: it took a request, or somebody killed it
            os.close(waiting)
            # Not at once: for the next milliseconds both CPUs have a container to make.
            quiet(sock)
    finally:
        os._exit(0)


def settle(sock: _socket.socket) -> None:
    """Let go of what the program had, and get everything into memory that a start needs."""
    import gc

    processes.setsid()
    processes.set_name("lab-zygote")
    for number in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGCHLD):
        _signal.signal(number, _signal.SIG_IGN)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    os.closerange(3, sock.fileno())
    os.closerange(sock.fileno() + 1, 4096)
    shim.preload()
    # Pages that the collector never touches stay shared between all shims. A shim makes no cycles
    # worth collecting in the milliseconds of a start; serve() turns it on again.
    gc.disable()
    gc.freeze()


def fork_ahead(sock: _socket.socket) -> int:
    """Fork a shim that waits for a request; a descriptor that ends when it waits no more.

    The shim holds the other end until it closes all that was its caller's.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    if os.fork() == 0:
        os.close(reader)
        be_ready(sock)
    os.close(writer)
    return reader


def be_ready(sock: _socket.socket) -> None:
    """In the shim to be: take the next request from the zygote's own socket, and serve it.

    Not handed on by the zygote: to wake two processes one after the other costs 0.3 ms.
    """
    try:
        becoming.detach()
        shim.preload()
        shim.take(sock)
    finally:
        os._exit(0)


def gone(sock: _socket.socket) -> bool:
    """Has the program closed its end, and is every request of its taken?"""
    try:
        return not sock.recv(1, _socket.MSG_PEEK | _socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False


def quiet(sock: _socket.socket) -> None:
    """Wait until no start is under way, or the next request is here."""
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    poll.poll(QUIET_MS)
