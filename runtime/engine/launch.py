"""Getting a shim for a container: forked from here, or in a process of its own.

Runs in whoever embeds the engine. Forking a process with threads can deadlock the child, so a
threaded program either hands the engine a zygote's `launch` or gets a fresh interpreter each time,
which costs some 15 ms. A launcher is a function (request, report): the shim keeps `report`.
"""

from __future__ import annotations

import os
import sys
import time

from runtime import documents
from runtime.errors import Conflict
from runtime.shim import spare

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Launcher = Callable[[dict[str, Any], _socket.socket], None]

# Shims forked from here: they are our children, and nobody else will wait for them.
_forked: set[int] = set()

HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


_preferred: Launcher | None = None


def prefer(launcher: Launcher) -> None:
    """Every engine of this process, and of those it forks, launches so from now on."""
    global _preferred
    _preferred = either(launcher, by_circumstance)


def launch(request: dict[str, Any], report: _socket.socket) -> None:
    """As this process prefers, else as its circumstances allow."""
    (_preferred or by_circumstance)(request, report)


def by_circumstance(request: dict[str, Any], report: _socket.socket) -> None:
    """Use the spare if one waits; fork the shim, if this process has one thread; else afresh."""
    waiting = spare.take()
    if waiting is not None:
        try:
            spare.launch(waiting, request, report)
            return
        except OSError:
            waiting.close()  # it was killed; the way without it is only slower
    if len(sys._current_frames()) == 1 and len(os.listdir("/proc/self/task")) == 1:
        fork(request, report)
    else:
        spawn(request, report)


def either(first: Launcher, then: Launcher = by_circumstance) -> Launcher:
    """A launcher that uses `first` (a zygote's) as long as it is there, and `then` after that."""

    def launch_either(request: dict[str, Any], report: _socket.socket) -> None:
        try:
            first(request, report)
        except Conflict as error:
            # Never silently: the next one who looks at this start reads why it was a slow one.
            documents.append_line(f"{request['directory']}/evidence.jsonl", {
                "time": time.time(), "who": "engine", "what": "fallback", "text": str(error)})
            then(request, report)

    return launch_either


def fork(request: dict[str, Any], report: _socket.socket) -> None:
    """The cheap way: everything is imported already."""
    from runtime.shim import becoming, shim

    reap()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        becoming.detach()
        shim.main(request, report)
    _forked.add(pid)


def reap() -> None:
    """Let go of shims of ours that have ended."""
    for pid in list(_forked):
        try:
            ended = os.waitpid(pid, os.WNOHANG)[0]
        except ChildProcessError:
            ended = pid
        if ended:
            _forked.discard(pid)


def spawn(request: dict[str, Any], report: _socket.socket) -> None:
    """The way for threaded programs: this interpreter again, as `python -I -S start.py ROOT`.

    A middle process starts it and ends, so that nobody here has to wait for the shim's end.
    """
    import fcntl

    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    start = os.path.join(HERE, "runtime", "shim", "start.py")
    # dup2 in order, to 3 and then to 4: neither source may be one of them, or be covered.
    sources = [fcntl.fcntl(end.fileno(), fcntl.F_DUPFD_CLOEXEC, 64) for end in (report, theirs)]
    actions = [(os.POSIX_SPAWN_DUP2, source, goal) for source, goal in zip(sources, (3, 4))]
    try:
        pid = os.posix_spawn(sys.executable, [sys.executable, "-I", "-S", start, HERE],
                             {"PATH": os.environ.get("PATH", "")}, file_actions=actions)
        theirs.close()
        try:
            ours.sendall(documents.encode(request).encode())
        finally:
            ours.close()
            os.waitpid(pid, 0)
    finally:
        theirs.close()
        ours.close()
        for fd in sources:
            os.close(fd)
