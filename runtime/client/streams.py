"""A container in the foreground: its output here, our input and signals there, until it ends.

The twin of docker/cli's hijack.go. Runs in `run`, `start -a`, `attach` and `exec`.

    stdin ──(a thread of its own)──► attachment.write        so that a container which reads slowly
    attachment.read ──► stdout, stderr                       never keeps us from reading it
    SIGINT, SIGTERM, … ──► the container's pid 1             SIGWINCH ──► attachment.resize

A signal interrupts the wait in `read`; Python runs its handler there and waits on.
`_thread` and `_signal` are what `threading` and `signal` are made of, without their import time.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import os

from runtime.client import terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runtime.engine.engine import Attachment

PROXIED = ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM", "CONT")
NAMES = {int(getattr(_signal, f"SIG{name}")): name for name in PROXIED}
DETACHED = -1


class LetGo(Exception):
    """The detach keys were typed."""


class Foreground:
    """One attachment, followed to its end."""

    __slots__ = ("attachment", "stdin", "tty", "wanted", "keys", "lock", "thread", "resized",
                 "asked")

    def __init__(self, attachment: Attachment, *, stdin: bool, tty: bool,
                 wanted: tuple[str, ...] = ("stdout", "stderr"), keys: str = "") -> None:
        self.attachment, self.stdin, self.tty, self.wanted = attachment, stdin, tty, wanted
        self.keys = terminal.DetachKeys(keys) if tty else None
        # Two threads send on the attachment: the pump, and the handler of SIGWINCH.
        self.lock = _thread.allocate_lock()
        self.thread = _thread.get_ident()
        self.resized = False  # the size has changed while the pump was sending
        self.asked = 0  # how often the container was asked to end

    def follow(self, proxy: Callable[[str], None] | None) -> int:
        """The exit code, or DETACHED. `proxy` sends a signal to the container; None lets be."""
        handlers: dict[int, Callable[[int, Any], None]] = {_signal.SIGURG: _let_go}
        if self.tty:
            handlers[_signal.SIGWINCH] = lambda number, frame: self._resize()
        if proxy is not None:
            send = proxy
            handlers |= {number: lambda number, frame: self._pass_on(number, send)
                         for number in NAMES}
        with terminal.raw(0 if self.tty and self.stdin else -1), _handling(handlers):
            try:
                return self._loop()
            except LetGo:
                return DETACHED

    def _pass_on(self, number: int, send: Callable[[str], None]) -> None:
        """A signal for the container. One that does not listen does not keep its user for ever:
        at the third SIGINT or SIGTERM the command goes, as docker's does, and the container stays.
        """
        if number in (_signal.SIGINT, _signal.SIGTERM):
            self.asked += 1
            if self.asked == 3:
                os.write(2, b"\ngot 3 SIGTERM/SIGINTs, forcefully exiting\n")
                raise SystemExit(1)
        send(NAMES[number])

    def _loop(self) -> int:
        if self.tty:
            self._resize()
        if self.stdin:
            _thread.start_new_thread(self._pump, ())
        while True:
            stream, data = self.attachment.read()
            if stream == "exit":
                return int(data or b"0")
            if stream in self.wanted:
                _write_all(2 if stream == "stderr" else 1, data)

    def _resize(self) -> None:
        """Tell the size; never wait for it. The pump may be stuck in a send until we read on, and
        then tells the size itself, when it is through."""
        self.resized = True
        if self.lock.acquire(False):
            try:
                self._tell_size()
            finally:
                self.lock.release()

    def _tell_size(self) -> None:
        self.resized = False
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
                    with self.lock:
                        self.attachment.write(data)
                        if self.resized:
                            self._tell_size()
                if let_go:
                    # To the thread that waits in read, which this wakes.
                    _signal.pthread_kill(self.thread, _signal.SIGURG)
                    return
            with self.lock:
                self.attachment.close_stdin()
        except OSError:
            # Either side is gone. The loop learns the end from the attachment itself.
            return


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


class _handling:  # noqa: N801  (reads as a statement)
    """Handle these signals for the length of a block."""

    __slots__ = ("handlers", "before")

    def __init__(self, handlers: dict[int, Callable[[int, Any], None]]) -> None:
        self.handlers = handlers
        self.before: dict[int, Any] = {}

    def __enter__(self) -> None:
        for number, handler in self.handlers.items():
            self.before[number] = _signal.signal(number, handler)

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            _signal.signal(number, handler)


def _let_go(number: int, frame: object) -> None:
    raise LetGo
