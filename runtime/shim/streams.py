"""Stdin, stdout and stderr of one process, and the people who are attached to it.

Runs in the shim. What the process writes goes to the log and to everyone attached; what one of them
types goes to its stdin. Someone who does not read holds the process back (as a terminal that was
stopped does), once HOLD bytes wait for them; nobody is ever sent half of it.
With a terminal there is one descriptor, the pty's master, and everything is "stdout".
"""

from __future__ import annotations

import os
import select
import time

from runtime.errors import to_data
from runtime.kernel import terminals
from runtime.shim import protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    import _socket

HOLD = 1 << 20
CHUNK = 65536
LAST_BYTES = 2 << 20  # the most that two pipes can hold: pipe(7), pipe-max-size
KIND = {"stdout": b"O", "stderr": b"E"}


class Client:
    """One connection to the shim's socket."""

    __slots__ = ("sock", "frames", "out", "streams", "done", "fd")

    def __init__(self, sock: _socket.socket) -> None:
        sock.setblocking(False)
        self.sock, self.fd = sock, sock.fileno()
        self.frames = protocol.Frames()
        self.out = bytearray()
        self.streams: Streams | None = None
        self.done = False  # close once everything is sent

    def held_back(self) -> bool:
        """Has it typed so much more than the process reads that no more is taken from it?"""
        return self.streams is not None and len(self.streams.pending) > protocol.LARGEST

    def send(self, data: bytes) -> None:
        """Queue data and send what goes at once."""
        self.out += data
        self.flush()

    def flush(self) -> None:
        """Send as much as the other side takes. A side that is gone wants nothing more."""
        while self.out:
            try:
                sent = self.sock.send(self.out)
            except BlockingIOError:
                return
            except OSError:
                self.out.clear()
                self.done = True
                return
            del self.out[:sent]

    def refuse(self, error: BaseException) -> None:
        """Say why not, and be done with it."""
        cause = getattr(error, "cause", error)
        self.send(protocol.message(b"R", {"error": to_data(cause)}))
        self.done = True


class Streams:
    """The three streams of one process (init's, or one of exec's)."""

    def __init__(self, keep: Callable[[str, bytes], None] | None = None,
                 once: bool = False) -> None:
        self.keep = keep
        self.once = once  # Docker's StdinOnce: stdin ends when the one attached to it goes
        self.readers: dict[int, str] = {}
        self.stdin: int | None = None
        self.terminal: int | None = None
        self.pending = bytearray()
        self.closing = False
        self.clients: list[Client] = []
        self.ends: list[int] = []

    def open_pipes(self, want_stdin: bool) -> tuple[int, int, int]:
        """Make the pipes; returns the process's ends, to be closed here by `close_ends`."""
        if want_stdin:
            read_end, self.stdin = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(self.stdin, False)
        else:
            read_end = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        ends = [read_end]
        for name in ("stdout", "stderr"):
            reader, writer = os.pipe2(os.O_CLOEXEC)
            os.set_blocking(reader, False)
            self.readers[reader] = name
            ends.append(writer)
        self.ends = ends
        return ends[0], ends[1], ends[2]

    def open_null(self) -> tuple[int, int, int]:
        """With a terminal: the process starts on /dev/null and opens its own pty."""
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        self.ends = [null]
        return null, null, null

    def close_ends(self) -> None:
        """Close the process's ends, so that reading ends when the process has closed its own."""
        for fd in self.ends:
            os.close(fd)
        self.ends = []

    def use_terminal(self, master: int) -> None:
        """The pty's master that came from the process."""
        os.set_blocking(master, False)
        self.terminal = self.stdin = master
        self.readers = {master: "stdout"}

    def join(self, client: Client) -> None:
        """From here on the client gets what the process writes, and types to it."""
        client.streams = self
        self.clients.append(client)

    def leave(self, client: Client) -> None:
        """The client is gone."""
        if client in self.clients:
            self.clients.remove(client)
            if self.once and not self.clients:
                self.close_stdin()

    def wanted(self) -> dict[int, int]:
        """What to poll for: descriptor → events."""
        wanted = {} if self.held() else dict.fromkeys(self.readers, select.POLLIN)
        if self.pending and self.stdin is not None:
            # A terminal is one descriptor for both ways.
            wanted[self.stdin] = wanted.get(self.stdin, 0) | select.POLLOUT
        return wanted

    def handle(self, ready: dict[int, int]) -> None:
        """Write and read what goes."""
        if self.stdin in ready and self.pending:
            self.pump()
        if not self.held():
            for fd in [fd for fd in self.readers if fd in ready]:
                self.read(fd)

    def held(self) -> bool:
        """Is someone attached too slow to be sent more?"""
        return any(len(client.out) > HOLD for client in self.clients)

    def read(self, fd: int) -> int:
        """The process wrote: pass it on, or notice that this stream has ended. How many bytes."""
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return 0
        except OSError:  # EIO: the last user of a pty's slave is gone
            data = b""
        if not data:
            self.close_reader(fd)
            return 0
        stream = self.readers[fd]
        if self.keep is not None:
            self.keep(stream, data)
        for client in self.clients:
            client.send(protocol.frame(KIND[stream], data))
        return len(data)

    def close_reader(self, fd: int) -> None:
        """This stream will bring no more."""
        del self.readers[fd]
        if fd == self.terminal:
            self.terminal = self.stdin = None
        os.close(fd)

    def write(self, data: bytes) -> None:
        """Someone typed: to stdin, as far as it takes it, the rest later."""
        if self.stdin is not None:
            self.pending += data
            self.pump()

    def pump(self) -> None:
        """Write what waits for stdin, and close it behind the last byte if that was asked."""
        while self.pending and self.stdin is not None:
            try:
                written = os.write(self.stdin, self.pending)
            except BlockingIOError:
                return
            except OSError:  # EPIPE: nobody reads it any more
                self.pending.clear()
                self.closing = True
                break
            del self.pending[:written]
        if self.closing and self.stdin is not None:
            if self.terminal is None:
                os.close(self.stdin)
            self.stdin = None

    def close_stdin(self) -> None:
        """No more input will come. On a terminal this is not the end: that is ctrl-d's to say."""
        if self.terminal is None:
            self.closing = True
            self.pump()

    def resize(self, rows: int, columns: int) -> None:
        """Tell the terminal its size."""
        if self.terminal is not None:
            terminals.set_window_size(self.terminal, rows, columns)

    def drain(self, patience_s: float) -> None:
        """Read what is left in the pipes. A process that outlives the one may hold one open."""
        deadline = time.monotonic() + patience_s
        left = LAST_BYTES
        while self.readers and left > 0:
            poll = select.poll()
            for fd in self.readers:
                poll.register(fd, select.POLLIN)
            found = poll.poll(max(0, int((deadline - time.monotonic()) * 1000)))
            if not found:
                return
            for fd, _ in found:
                left -= self.read(fd)
            for client in self.clients:
                client.flush()

    def finish(self, code: int) -> None:
        """The process has ended and everything is read: tell everyone, and let go."""
        for client in self.clients:
            client.send(protocol.message(b"X", {"code": code}))
            client.done = True
        self.clients.clear()
        for fd in list(self.readers):
            self.close_reader(fd)
        if self.stdin is not None:
            os.close(self.stdin)
            self.stdin = None
