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
from runtime.shim import shim, spare

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
        while True:
            # The next one is forked and rehearsed ahead, so a start finds a shim that waits.
            ready = fork_ahead(sock)
            request, passed = sync.receive(sock)
            if request is None or passed is None:
                break
            report = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, passed)
            try:
                spare.launch(ready, request, report)
            except OSError:  # somebody killed the one that waited
                ready.close()
                spare.launch(fork_ahead(sock), request, report)
            report.close()
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


def fork_ahead(sock: _socket.socket) -> _socket.socket:
    """Fork a shim that waits for its request; our end of its socket."""
    ours, theirs = sync.pair()
    if os.fork() == 0:
        sock.close()
        ours.close()
        spare.wait(theirs)
    theirs.close()
    return ours


def quiet(sock: _socket.socket) -> None:
    """Wait until no start is under way, or the next request is here."""
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    poll.poll(QUIET_MS)
