"""The foreground, on a pty: keys, sizes, signals, and the terminal afterwards."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import termios
import threading

import pytest

from runtime.client import streams, terminal
from runtime.client.options import ClientError


class Pipe:
    """An attachment whose container answers each key, and ends on `q`."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self.sizes: list[tuple[int, int]] = []
        self.closed = False

    def read(self) -> tuple[str, bytes]:
        data = os.read(self.reader, 1)
        return ("exit", b"7") if data == b"q" else ("stdout", data)

    def write(self, data: bytes) -> None:
        os.write(self.writer, data)

    def close_stdin(self) -> None:
        self.closed = True
        os.write(self.writer, b"q")

    def resize(self, rows: int, columns: int) -> None:
        self.sizes.append((rows, columns))


def test_detach_keys_are_held_back_until_they_are_not() -> None:
    keys = terminal.DetachKeys()
    assert keys.feed(b"a\x10") == (b"a", False)
    assert keys.feed(b"b") == (b"\x10b", False)
    assert keys.feed(b"\x10") == (b"", False)
    assert keys.feed(b"\x11") == (b"", True)


def test_detach_keys_as_docker_spells_them() -> None:
    assert terminal.key_bytes("a,ctrl-[,ctrl-@") == b"a\x1b\x00"
    with pytest.raises(ClientError):
        terminal.key_bytes("ctrl-")


def on_a_pty(typed: bytes) -> tuple[int, bool, str, bytes]:
    """Follow a Pipe in a child whose terminal we are: code, terminal as before, sizes, output."""
    pid, master = pty.fork()
    if pid == 0:
        while terminal.size(0) == (0, 0):
            pass  # until the parent has said how large it is
        before = termios.tcgetattr(0)
        pipe = Pipe()
        os.write(pipe.writer, b"R")  # comes out once the terminal is raw
        code = streams.Foreground(pipe, stdin=True, tty=True).follow(None)  # type: ignore[arg-type]
        restored = termios.tcgetattr(0) == before
        os.write(1, f"|{code}|{restored}|{pipe.sizes}".encode())
        os._exit(0)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    output = os.read(master, 1)
    assert output == b"R"
    os.write(master, typed)
    try:
        while chunk := os.read(master, 1024):
            output += chunk
    except OSError:
        pass
    os.waitpid(pid, 0)
    os.close(master)
    shown, *told = output.rsplit(b"|", 3)
    return int(told[0]), told[1] == b"True", told[2].decode(), shown


def test_on_a_terminal_control_c_is_a_key() -> None:
    assert on_a_pty(b"x\x03yq") == (7, True, "[(40, 120)]", b"Rx\x03y")


def test_detach_leaves_and_restores_the_terminal() -> None:
    code, restored, _, _ = on_a_pty(b"x\x10\x11")
    assert (code, restored) == (streams.DETACHED, True)


def test_a_new_size_never_waits_for_the_pump() -> None:
    """The pump may hold the lock for as long as the container reads nothing."""
    front = streams.Foreground(Pipe(), stdin=True, tty=True)  # type: ignore[arg-type]
    with front.lock:
        front._resize()
        assert front.resized
    front._resize()
    assert not front.resized


def test_signals_go_to_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe, sent = Pipe(), []

    def proxy(name: str) -> None:
        sent.append(name)
        os.write(pipe.writer, b"q")

    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
    before = signal.getsignal(signal.SIGTERM)
    code = streams.Foreground(pipe, stdin=False, tty=False).follow(proxy)  # type: ignore[arg-type]
    assert (code, sent) == (7, ["TERM"])
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_end_of_stdin_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    null, kept = os.open("/dev/null", os.O_RDONLY), os.dup(0)
    os.dup2(null, 0)
    try:
        pipe = Pipe()
        front = streams.Foreground(pipe, stdin=True, tty=False)  # type: ignore[arg-type]
        assert front.follow(None) == 7 and pipe.closed
    finally:
        os.dup2(kept, 0)
