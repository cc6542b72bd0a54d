"""Commands for the host, one at a time: started, fed, listened to, reaped.

Runs in the guest, as pid 1: single-threaded, one poll loop over the port, the command's streams and
SIGCHLD. Everybody's orphans end up here and are waited for.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import sys
import termios
import traceback
from typing import Any, NoReturn

from lab.vm import frames, guest

TICK_MS, ENDING_MS = 1000, 50


class Service:
    """Serves the host: one command at a time, until it says quit."""

    def __init__(self, port: int, decoder: frames.Decoder) -> None:
        self.port, self.decoder = port, decoder
        self.pid = 0
        self.status: int | None = None
        self.outputs: dict[int, bytes] = {}  # descriptor → the kind of its frames
        self.stdin = -1
        self.waiting = bytearray()  # for the command's stdin
        self.ending = False  # its stdin ends when all that waits is written
        self.terminal = False
        os.set_blocking(port, False)
        self.wake, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(writer)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def serve(self, behind: list[tuple[bytes, bytes]]) -> None:
        """The one loop; first the frames that came with go."""
        for kind, payload in behind:
            self.obey(kind, payload)
        while True:
            poll = select.poll()
            poll.register(self.port, select.POLLIN)
            poll.register(self.wake, select.POLLIN)
            for fd in self.outputs:
                poll.register(fd, select.POLLIN)
            if self.waiting and self.stdin >= 0:
                poll.register(self.stdin, select.POLLOUT)
            for fd, events in poll.poll(TICK_MS if self.status is None else ENDING_MS):
                if fd == self.port:
                    if not self.hear():
                        return
                elif fd == self.wake:
                    self.reap()
                elif events & (select.POLLIN | select.POLLHUP | select.POLLERR) \
                        and fd in self.outputs:
                    self.pass_on(fd)
            self.feed()
            self.finish()

    def hear(self) -> bool:
        """What the host says; False when it is gone, or says quit."""
        try:
            data = os.read(self.port, 1 << 16)
        except BlockingIOError:
            return True
        if not data:
            return False
        for kind, payload in self.decoder.feed(data):
            if kind == b"Q":
                return False
            self.obey(kind, payload)
        return True

    def obey(self, kind: bytes, payload: bytes) -> None:
        """One frame."""
        if kind == b"S":
            self.start(json.loads(payload))
        elif kind == b"I":
            self.waiting += payload
        elif kind == b"E":
            self.ending = True
        elif kind == b"W" and self.terminal:
            set_size(self.stdin, json.loads(payload))
        elif kind == b"K" and self.pid:
            try:
                os.killpg(self.pid, payload[0])
            except ProcessLookupError:
                pass

    def start(self, what: dict[str, Any]) -> None:
        """{"argv", "cwd", "env", "size": [rows, columns] or null, "python": in a fork of ours}"""
        self.terminal = what["size"] is not None
        self.status, self.ending = None, False
        self.waiting.clear()
        if self.terminal:
            self.pid, master = pty.fork()
            if self.pid == 0:
                become(what, None)
            set_size(master, what["size"])
            self.stdin, self.outputs = master, {master: b"O"}
        else:
            ends = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
            theirs = (ends[0][0], ends[1][1], ends[2][1])
            self.pid = os.fork()
            if self.pid == 0:
                become(what, theirs)
            for fd in theirs:
                os.close(fd)
            self.stdin = ends[0][1]
            self.outputs = {ends[1][0]: b"O", ends[2][0]: b"E"}
        for fd in (self.stdin, *self.outputs):
            os.set_blocking(fd, False)

    def feed(self) -> None:
        """Write what waits to the command's stdin, and say how much it took."""
        taken = 0
        while self.waiting and self.stdin >= 0:
            try:
                count = os.write(self.stdin, self.waiting[:frames.CHUNK])
            except BlockingIOError:
                break
            except OSError:  # it reads no more
                count = len(self.waiting)
            del self.waiting[:count]
            taken += count
        if taken:
            send(self.port, b"A", json.dumps(taken).encode())
        if self.ending and not self.waiting and self.stdin >= 0 and not self.terminal:
            os.close(self.stdin)
            self.stdin = -1

    def pass_on(self, fd: int) -> None:
        """Output, to the host."""
        try:
            data = os.read(fd, frames.CHUNK)
        except BlockingIOError:
            return
        except OSError:  # EIO: nobody has the terminal any more
            data = b""
        if data:
            send(self.port, self.outputs[fd], data)
        else:
            del self.outputs[fd]
            if fd != self.stdin:
                os.close(fd)

    def reap(self) -> None:
        """Whoever ended; of the command its status is kept."""
        os.read(self.wake, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.pid:
                self.status = status

    def finish(self) -> None:
        """When the command has ended and its output is passed on: its exit code."""
        if self.status is None or not self.pid:
            return
        # Something it left behind may hold the other ends for ever: what is there now, no more.
        for fd in list(self.outputs):
            while fd in self.outputs and select.select([fd], [], [], 0)[0]:
                self.pass_on(fd)
        for fd in {self.stdin, *self.outputs} - {-1}:
            os.close(fd)
        self.stdin, self.outputs = -1, {}
        code = os.waitstatus_to_exitcode(self.status)
        self.pid, self.status = 0, None
        send(self.port, b"X", json.dumps(128 - code if code < 0 else code).encode())


def send(port: int, kind: bytes, payload: bytes = b"") -> None:
    """One frame, whole."""
    data = memoryview(frames.encode(kind, payload))
    while data:
        try:
            data = data[os.write(port, data):]
        except BlockingIOError:
            select.select([], [port], [])


def become(what: dict[str, Any], stdio: tuple[int, int, int] | None) -> NoReturn:
    """In the child: the command, in place of the agent."""
    try:
        if stdio is not None:
            os.setsid()
            for number, fd in enumerate(stdio):
                os.dup2(fd, number)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.closerange(3, 1 << 16)
        os.environ.clear()
        os.environ.update(what["env"])
        os.chdir(what["cwd"])
        # A group of its own: pid 1's has no controllers to hand down.
        group = f"{guest.GROUPS}/session.scope"
        os.makedirs(group, exist_ok=True)
        guest.write(f"{group}/cgroup.procs", "0")
        if what.get("python"):
            run_here(what["argv"])
        os.execvp(what["argv"][0], what["argv"])
    except OSError as error:
        os.write(2, f"container-lab vm: {what['argv'][0]}: {error.strerror}\n".encode())
        os._exit(127 if error.errno == 2 else 126)
    finally:
        os._exit(126)


def run_here(argv: list[str]) -> NoReturn:
    """A Python program in this fork: what is imported already saves it seconds."""
    import runpy

    sys.argv = argv[:]
    sys.stdin, sys.stdout = open(0), open(1, "w")
    sys.stderr = open(2, "w", buffering=1)
    code: Any = 0
    try:
        runpy.run_path(argv[0], run_name="__main__")
    except SystemExit as leaving:
        code = leaving.code
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def set_size(fd: int, size: list[int]) -> None:
    """Rows and columns of a terminal."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[0], size[1], 0, 0))
