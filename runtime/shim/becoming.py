"""How a process becomes a shim: it lets go of everything that was its caller's.

Runs in the process to be, before it knows of which container (detach), and when it does
(close_all_but). Sources: setsid(2), signal(7), PR_SET_CHILD_SUBREAPER of prctl(2).
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import gc
import os

from runtime.kernel import processes


def detach() -> None:
    """Let go of everything the caller had: session, terminal, signals, directory.

    By whoever becomes a shim, before it knows of which container.
    """
    processes.setsid()
    processes.set_child_subreaper()
    # Ignored in a zygote, whose children nobody waits for; here children are waited for.
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    for number in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGPIPE):
        _signal.signal(number, _signal.SIG_IGN)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    os.chdir("/")


def close_all_but(keep: int) -> None:
    """Whoever waits for the end of file of a pipe of the caller's must not wait for us.

    The caller's Python objects still believe in their descriptors; collected one day, they would
    close the numbers again, which are ours by then. So nothing of before is ever collected.
    """
    gc.freeze()
    os.closerange(3, keep)
    os.closerange(keep + 1, 4096)


def watch_children() -> int:
    """A descriptor that is readable when a child has ended: the byte of SIGCHLD. signal(7)"""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    _signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    _signal.signal(_signal.SIGCHLD, lambda number, frame: None)
    # One that ended before now has sent its signal already: look once in any case.
    os.write(writer, b"\0")
    return reader
