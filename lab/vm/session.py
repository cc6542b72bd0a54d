"""One command in the machine, with this terminal, or these pipes, as its own.

Runs on the host, single-threaded, one loop. With a terminal on both ends it is raw here and a pty
there, and its size follows; without, the three streams stay apart and byte for byte what they are.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import shutil
import signal
import socket
import sys
import termios
import time
import tty
from pathlib import Path
from types import FrameType
from typing import Any

from lab.vm import frames
from lab.vm.machine import Machine
from runtime.errors import LabError

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1,
             signal.SIGUSR2)
KEPT = ("TERM", "COLORTERM", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "HOME", "USER", "LOGNAME",
        "SHELL", "TZ", "NO_COLOR", "CONTAINER_LAB_TRACEBACK", "CONTAINER_LAB_LANG")


def go(machine: Machine, sock: socket.socket, swap: int) -> None:
    """Let the agent enter the host's files: from here on the machine is the user's."""
    sock.sendall(frames.encode(b"G", json.dumps({
        "time": time.time(), "random": secrets.token_hex(32), "hostname": "lab-vm",
        "keep": kept_directories(), "modules": str(machine.boot.kernel.modules),
        "share": machine.wish.share, "swap": swap,
    }).encode()))


def kept_directories() -> list[str]:
    """Below /tmp and /run the machine has directories of its own, but for those we are run from."""
    source = str(Path(__file__).parents[2])
    found = {path for path in (source, sys.prefix, os.getcwd())
             if path.startswith(("/tmp/", "/run/", "/var/tmp/"))}
    return sorted(path for path in found
                  if not any(path.startswith(f"{other}/") for other in found))


class Session:
    """What goes back and forth while a command runs."""

    def __init__(self, machine: Machine, sock: socket.socket) -> None:
        self.machine, self.sock = machine, sock
        self.decoder = frames.Decoder()
        self.out = bytearray()  # frames that wait for the socket
        self.credit = frames.WINDOW
        self.code: int | None = None
        self.reading = True  # our stdin has not ended
        self.signals, self.wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def run(self, argv: list[str], python: bool) -> int:
        """Run it; its exit code."""
        terminal = all(os.isatty(fd) for fd in (0, 1))
        size = list(shutil.get_terminal_size()[::-1]) if terminal else None
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        self.queue(b"S", json.dumps({"argv": argv, "cwd": os.getcwd(), "env": environment,
                                     "size": size, "python": python}).encode())
        before = termios.tcgetattr(0) if terminal else None
        handlers = self.catch(terminal)
        try:
            if terminal:
                tty.setraw(0)
            while self.code is None:
                self.turn(terminal)
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            if before is not None:
                termios.tcsetattr(0, termios.TCSADRAIN, before)
        return self.code

    def catch(self, terminal: bool) -> dict[int, Any]:
        """Every signal that is meant for the command becomes a byte in a pipe."""
        def heard(number: int, frame: FrameType | None) -> None:
            return

        signal.set_wakeup_fd(self.wake)
        numbers = [*FORWARDED, *([signal.SIGWINCH] if terminal else [])]
        return {number: signal.signal(number, heard) for number in numbers}

    def turn(self, terminal: bool) -> None:
        """Once around: whoever is ready."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN | (select.POLLOUT if self.out else 0))
        poll.register(self.signals, select.POLLIN)
        if self.reading and self.credit > 0:
            poll.register(0, select.POLLIN)
        for fd, events in poll.poll():
            if fd == 0:
                self.read_stdin()
            elif fd == self.signals:
                self.pass_signals()
            else:
                if events & (select.POLLIN | select.POLLHUP):
                    self.hear()
                if events & select.POLLOUT:
                    self.send()

    def send(self) -> None:
        """As much of what waits as the socket takes; that the machine is gone is heard next."""
        try:
            del self.out[:self.sock.send(self.out, socket.MSG_DONTWAIT)]
        except ConnectionError:
            self.out.clear()

    def queue(self, kind: bytes, payload: bytes = b"") -> None:
        """A frame for the machine."""
        self.out += frames.encode(kind, payload)

    def read_stdin(self) -> None:
        """As much as there is credit for."""
        try:
            data = os.read(0, min(self.credit, frames.CHUNK))
        except OSError:
            data = b""
        if data:
            self.credit -= len(data)
            self.queue(b"I", data)
        else:
            self.reading = False
            self.queue(b"E")

    def pass_signals(self) -> None:
        """Those we got, to the command; a new size of the window, as such."""
        for number in os.read(self.signals, 4096):
            if number == signal.SIGWINCH:
                size = shutil.get_terminal_size()
                self.queue(b"W", json.dumps([size.lines, size.columns]).encode())
            else:
                self.queue(b"K", bytes([number]))

    def hear(self) -> None:
        """Frames from the machine."""
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionError:
            data = b""
        if not data:
            self.machine.check_alive(gone=True)
            raise LabError("the machine hung up", self.machine.last_words())
        for kind, payload in self.decoder.feed(data):
            if kind in (b"O", b"E"):
                write_all(1 if kind == b"O" else 2, payload)
            elif kind == b"A":
                self.credit += json.loads(payload)
            elif kind == b"X":
                self.code = json.loads(payload)


def write_all(fd: int, data: bytes) -> None:
    """To the end; who reads no more ends us as it would have ended the command itself."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]
