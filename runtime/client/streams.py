"""A container in the foreground: its output here, our input and signals there, until it ends.

The twin of docker/cli's hijack.go. Runs in `run`, `start -a`, `attach` and `exec`.

    stdin ──(a thread of its own)──► attachment.write        so that a container which reads slowly
    attachment.read ──► stdout, stderr                       never keeps us from reading it
    SIGINT, SIGTERM, … ──► the container's pid 1             SIGWINCH ──► attachment.resize

`_thread` and `_signal` are what `threading` and `signal` are made of, without their import time.
"""

from __future__ import annotations

import _signal
import _thread
import os
import select

from runtime.client import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runtime.engine.engine import Attachment

PROXIED = ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM", "CONT")
DETACHED = -1
# In the pipe that wakes the loop: a signal's number, or this.
LET_GO = 0


class Foreground:
    """One attachment, followed to its end."""

    __slots__ = ("attachment", "stdin", "tty", "wanted", "keys", "wake_read", "wake_write")

    def __init__(self, attachment: Attachment, *, stdin: bool, tty: bool,
                 wanted: tuple[str, ...] = ("stdout", "stderr"), keys: str = "") -> None:
        self.attachment, self.stdin, self.tty, self.wanted = attachment, stdin, tty, wanted
        self.keys = terminal.DetachKeys(keys) if tty else None
        self.wake_read, self.wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def follow(self, proxy: Callable[[str], None] | None) -> int:
        """The exit code, or DETACHED. `proxy` sends a signal to the container; None lets be."""
        with terminal.raw(0 if self.tty and self.stdin else -1), _signals(self.wake_write, proxy):
            if self.tty:
                self._resize()
            if self.stdin:
                _thread.start_new_thread(self._pump, ())
            return self._loop(proxy)

    def _loop(self, proxy: Callable[[str], None] | None) -> int:
        watched = [self.attachment.fileno(), self.wake_read]
        while True:
            ready = select.select(watched, [], [])[0]
            if self.wake_read in ready:
                for number in os.read(self.wake_read, 64):
                    if number == LET_GO:
                        return DETACHED
                    self._signalled(number, proxy)
            if watched[0] in ready:
                code = self._read()
                if code is not None:
                    return code

    def _read(self) -> int | None:
        stream, data = self.attachment.read()
        if stream == "exit":
            return int(data or b"0")
        if stream in self.wanted:
            _write_all(2 if stream == "stderr" else 1, data)
        return None

    def _signalled(self, number: int, proxy: Callable[[str], None] | None) -> None:
        if number == _signal.SIGWINCH:
            self._resize()
        elif proxy is not None:
            proxy(_NAMES[number])

    def _resize(self) -> None:
        size = terminal.size(1) or terminal.size(0)
        if size and size[0]:
            self.attachment.resize(*size)

    def _pump(self) -> None:
        """stdin to the container, in a thread; ends with stdin, the container, or the keys."""
        try:
            while data := os.read(0, 65536):
                let_go = False
                if self.keys is not None:
                    data, let_go = self.keys.feed(data)
                if data:
                    self.attachment.write(data)
                if let_go:
                    os.write(self.wake_write, bytes([LET_GO]))
                    return
            self.attachment.close_stdin()
        except OSError:
            # Either side is gone. The loop learns the end from the attachment itself.
            return


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


_NAMES = {getattr(_signal, f"SIG{name}"): name for name in PROXIED}


class _signals:  # noqa: N801
    """Have signals wake the loop instead of ending us, for the length of a block."""

    __slots__ = ("fd", "numbers", "before", "wakeup")

    def __init__(self, fd: int, proxy: object) -> None:
        self.fd = fd
        self.numbers = [_signal.SIGWINCH, *(_NAMES if proxy is not None else ())]
        self.before: dict[int, Any] = {}
        self.wakeup = -1

    def __enter__(self) -> None:
        self.wakeup = _signal.set_wakeup_fd(self.fd, warn_on_full_buffer=False)
        for number in self.numbers:
            # A Python handler must exist, or the signal would act before it is written down.
            self.before[number] = _signal.signal(number, _noted)

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            _signal.signal(number, handler)
        _signal.set_wakeup_fd(self.wakeup)


def _noted(number: int, frame: object) -> None:
    """The number is in the pipe already."""
