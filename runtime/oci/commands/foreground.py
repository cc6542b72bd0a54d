"""Waiting for a process that was started in the foreground: run and exec without --detach.

Runs in the command itself. Signals that it gets are the process's; with a terminal, bytes go both
ways between ours and the container's, and ours is raw meanwhile: its keys are for the program
inside. What the process leaves behind comes to us (subreaper), and is waited for.
Sources: runc's signals.go and tty.go; termios(3), signal(7), ioctl_tty(2).
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal itself pulls in enum, 6 ms
import errno
import os
import select

from runtime.kernel import processes, terminals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Not the process's: our own child's end, what no one can catch, and the C library's own.
OURS = (_signal.SIGKILL, _signal.SIGSTOP, _signal.SIGCHLD, _signal.SIGURG, _signal.SIGPIPE,
        _signal.SIGWINCH, 32, 33)
CHUNK = 65536


def follow(pid: int, pidfd: int, master: int | None) -> int:
    """Wait until the process has ended; its exit code, 128 + N after signal N."""
    if master is None:
        return wait(pid)
    saved = make_raw(0)
    try:
        copy_size(master)
        _signal.signal(_signal.SIGWINCH, lambda number, frame: copy_size(master))
        copy(master, pidfd)
        return wait(pid)
    finally:
        restore(0, saved)


def wait(pid: int) -> int:
    """Reap whatever ends until it is this one."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else \
                os.WEXITSTATUS(status)


def forward_signals(pidfd: int) -> None:
    """Give every signal on to the process, from before its program runs: it may be asked to end
    as soon as it does.
    """
    def forward(number: int, frame: Any) -> None:
        try:
            processes.pidfd_send_signal(pidfd, number)
        except OSError:
            return  # it has ended meanwhile

    for number in range(1, _signal.NSIG):
        if number not in OURS:
            try:
                _signal.signal(number, forward)
            except (OSError, ValueError):
                continue


def copy(master: int, pidfd: int) -> None:
    """Bytes from our stdin to the terminal and from it to our stdout, until the process ends."""
    poll = select.poll()
    for fd in (0, master, pidfd):
        poll.register(fd, select.POLLIN)
    while True:
        ready = dict(poll.poll())
        if master in ready and not move(master, 1):
            poll.unregister(master)
        elif pidfd in ready and master not in ready:
            return
        if 0 in ready and not move(0, master):
            poll.unregister(0)


def move(source: int, target: int) -> bool:
    """Read once and write it all. False at the end: EOF, or EIO once the other side is closed."""
    try:
        data = os.read(source, CHUNK)
        view = memoryview(data)
        while view:
            view = view[os.write(target, view):]
    except OSError as error:
        if error.errno not in (errno.EIO, errno.EPIPE, errno.EBADF):
            raise
        return False
    return bool(data)


def copy_size(master: int) -> None:
    """The container's terminal is as large as ours, if ours is one."""
    try:
        terminals.set_window_size(master, *terminals.window_size(0))
    except OSError:
        return


def make_raw(fd: int) -> list[Any] | None:
    """Every key goes through as it is. What the terminal was before; None if it is none."""
    import termios

    try:
        before = termios.tcgetattr(fd)
    except termios.error:
        return None
    raw = termios.tcgetattr(fd)
    raw[0] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON)
    raw[1] &= ~termios.OPOST
    raw[2] = raw[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    raw[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
    raw[6][termios.VMIN], raw[6][termios.VTIME] = 1, 0
    termios.tcsetattr(fd, termios.TCSADRAIN, raw)
    return before


def restore(fd: int, saved: list[Any] | None) -> None:
    """Our terminal as it was."""
    if saved is not None:
        import termios

        termios.tcsetattr(fd, termios.TCSADRAIN, saved)
