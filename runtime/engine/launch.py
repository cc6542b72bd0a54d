"""Getting a shim for a container: forked from here, or in a process of its own.

Runs in whoever embeds the engine. Forking a process with threads can deadlock the child, so a
threaded program either hands the engine a zygote's `launch` or gets a fresh interpreter each time,
which costs some 15 ms. A launcher is a function (request, report): the shim keeps `report`.
"""

from __future__ import annotations

import os
import sys

from runtime import documents
from runtime.shim import spare

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Launcher = Callable[[dict[str, Any], _socket.socket], None]

HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def launch(request: dict[str, Any], report: _socket.socket) -> None:
    """Use the spare if one waits; fork the shim, if this process has one thread; else afresh."""
    waiting = spare.take()
    if waiting is not None:
        spare.launch(waiting, request, report)
    elif len(sys._current_frames()) == 1 and len(os.listdir("/proc/self/task")) == 1:
        fork(request, report)
    else:
        spawn(request, report)


def fork(request: dict[str, Any], report: _socket.socket) -> None:
    """The cheap way: everything is imported already."""
    from runtime.shim import shim

    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork() == 0:
        shim.main(request, report)


def spawn(request: dict[str, Any], report: _socket.socket) -> None:
    """The way for threaded programs: this interpreter again, as `python -I -S start.py shim`.

    A middle process starts it and ends, so that nobody here has to wait for the shim's end.
    """
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    start = os.path.join(HERE, "runtime", "shim", "start.py")
    report_fd, request_fd = 3, 4
    actions = [(os.POSIX_SPAWN_DUP2, os.dup(theirs.fileno()), request_fd),
               (os.POSIX_SPAWN_DUP2, os.dup(report.fileno()), report_fd)]
    # dup2 in order: neither source may be 3 or 4 itself, or the first would cover the second.
    sources = []
    for number, (_, source, goal) in enumerate(actions):
        import fcntl

        high = fcntl.fcntl(source, fcntl.F_DUPFD_CLOEXEC, 64)
        os.close(source)
        sources.append(high)
        actions[number] = (os.POSIX_SPAWN_DUP2, high, goal)
    try:
        pid = os.posix_spawn(sys.executable, [sys.executable, "-I", "-S", start, HERE],
                             {"PATH": os.environ.get("PATH", "")}, file_actions=actions)
        theirs.close()
        ours.sendall(documents.encode(request).encode())
        ours.close()
        os.waitpid(pid, 0)
    finally:
        for fd in sources:
            os.close(fd)
