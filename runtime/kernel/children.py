"""A program run to its end: spawned, fed, listened to, waited for, killed when it takes too long.

Runs wherever a hook has to run: in the shim or the runtime's command (the host's namespaces), and
in init (the container's). It starts programs and decides nothing. posix_spawn, because the child
never is a copy of us in Python: between fork and execve nothing of ours can be seen or go wrong.
Sources: posix_spawn(3), execve(2), pidfd_open(2), wait(2).
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
from time import monotonic

from runtime.errors import KernelError
from runtime.kernel.processes import pidfd_open, pidfd_send_signal
from runtime.trace.operation import operation

import _signal  # type: ignore[import-not-found]  # signal itself costs 6 ms

MOST_OUTPUT = 1 << 16
MOST_FDS = 1024
# All that posix_spawn may set back: not the two no one can, nor the C library's own.
RESET = frozenset(range(1, 32)) - {_signal.SIGKILL, _signal.SIGSTOP}


class Ended:
    """How a program ended: its wait status, whether its time was up, and what it wrote."""

    __slots__ = ("status", "late", "out", "err")

    def __init__(self) -> None:
        self.status, self.late = 0, False
        self.out, self.err = b"", b""


@operation("execve(2)")
def run_program(path: str, arguments: list[str], environment: list[str], given: bytes,
                timeout_s: float | None = None) -> Ended:
    """Run a program in this process's namespaces and directory, with `given` on its stdin.

    Its environment is exactly ["NAME=value", …]; no descriptor but 0, 1, 2 is passed on. Raises
    KernelError where it cannot be run at all. execve(2), waitpid(2)
    """
    pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
    (stdin, feed), (out, stdout), (err, stderr) = pipes
    try:
        pid = spawn(path, arguments, environment, (stdin, stdout, stderr))
    except BaseException:
        close_all(feed, out, err)
        raise
    finally:
        close_all(stdin, stdout, stderr)
    ended = Ended()
    pidfd = pidfd_open(pid)
    try:
        listen(ended, pidfd, feed, given, (out, err), timeout_s)
    finally:
        ended.status = os.waitpid(pid, 0)[1]
        close_all(pidfd, out, err)
    return ended


def spawn(path: str, arguments: list[str], environment: list[str],
          stdio: tuple[int, int, int]) -> int:
    """The pid of the program, begun. Raises KernelError."""
    # Away from 0 to 2 first: one of the three may stand where another has to go.
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3) for fd in stdio]
    actions: list[tuple[int, ...]] = [
        (os.POSIX_SPAWN_DUP2, fd, place) for place, fd in enumerate(high)]
    # What our caller left open for us to inherit is not for the program.
    actions += [(os.POSIX_SPAWN_CLOSE, fd) for fd in range(3, MOST_FDS) if inherited(fd)]
    variables = dict(entry.partition("=")[::2] for entry in environment)
    try:
        return os.posix_spawn(path, arguments or [path], variables, file_actions=actions,
                              setsigmask=(), setsigdef=RESET)
    except OSError as error:
        raise KernelError("execve", error.errno or 0, path) from None
    finally:
        close_all(*high)


def inherited(fd: int) -> bool:
    """Is it open, and would it stay so in another program?"""
    try:
        return not fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    except OSError:
        return False


def listen(ended: Ended, pidfd: int, feed: int, given: bytes, outputs: tuple[int, int],
           timeout_s: float | None) -> None:
    """Feed it and keep what it says, until it ends; what it leaves running is not waited for."""
    end = None if timeout_s is None else monotonic() + timeout_s
    os.set_blocking(feed, False)
    ask = select.poll()
    for fd in (pidfd, *outputs):
        ask.register(fd, select.POLLIN)
    ask.register(feed, select.POLLOUT)
    while True:
        left = None if end is None else max(0, int((end - monotonic()) * 1000))
        ready = [fd for fd, _ in ask.poll(left)]
        if feed in ready:
            given = write_some(feed, given)
            if not given:
                ask.unregister(feed)
                os.close(feed)
                feed = -1
        for fd in outputs:
            if fd in ready and not keep(ended, fd, outputs):
                ask.unregister(fd)
        if pidfd in ready or not ready:
            break
    ended.late = pidfd not in ready
    if ended.late:
        pidfd_send_signal(pidfd, _signal.SIGKILL)
    if feed >= 0:
        os.close(feed)
    for fd in outputs:
        os.set_blocking(fd, False)
        while keep(ended, fd, outputs):
            continue


def write_some(fd: int, data: bytes) -> bytes:
    """What is left of data; nothing when the other side does not read it."""
    try:
        return data[os.write(fd, data):] if data else b""
    except BlockingIOError:
        return data
    except BrokenPipeError:
        return b""


def keep(ended: Ended, fd: int, outputs: tuple[int, int]) -> bool:
    """Read once; False at the end, or when there is nothing now."""
    try:
        data = os.read(fd, 65536)
    except OSError as error:
        if error.errno != errno.EAGAIN:
            raise
        return False
    if fd == outputs[0]:
        ended.out = (ended.out + data)[:MOST_OUTPUT]
    else:
        ended.err = (ended.err + data)[:MOST_OUTPUT]
    return bool(data)


def close_all(*fds: int) -> None:
    """Close each."""
    for fd in fds:
        os.close(fd)
