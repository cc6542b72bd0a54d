"""The command line at a real terminal with real containers: sizes, keys, signals, detaching.

Needs root. The terminal is a pty of ours, and what is compared with is what the kernel says of it.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.kernel
REPOSITORY = Path(__file__).parents[3]
PATIENCE_S = 20
START = str(REPOSITORY / "lab" / "start.py")


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("needs root: it runs real containers")
    folder = Path(tempfile.mkdtemp(prefix="lab-"))
    yield folder
    typed(folder, "clean")
    shutil.rmtree(folder, ignore_errors=True)


def command(*argv: str) -> list[str]:
    return [sys.executable, "-I", "-S", START, *argv]


def typed(root: Path, *argv: str, stdin: bytes = b"") -> tuple[int, str, str]:
    """Without a terminal."""
    done = subprocess.run(command(*argv), input=stdin, capture_output=True, timeout=60,
                          env={**os.environ, "CONTAINER_LAB_ROOT": str(root)})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Terminal:
    """The program with a terminal of 40 rows and 120 columns, whose other end we hold."""

    def __init__(self, root: Path, *argv: str) -> None:
        self.seen = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            while fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)) == bytes(8):
                pass  # until the parent has said how large it is
            os.environ["CONTAINER_LAB_ROOT"] = str(root)
            os.execv(sys.executable, command(*argv))
        self.resize(40, 120)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: bytes) -> None:
        os.write(self.master, text)

    def expect(self, text: bytes) -> bytes:
        """Read until text has come; what came up to there."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.seen:
            if not select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"waited for {text!r}, saw {self.seen!r}")
            try:
                self.seen += os.read(self.master, 4096)
            except OSError:
                raise AssertionError(f"it ended before {text!r}, saw {self.seen!r}") from None
        before, _, self.seen = self.seen.partition(text)
        return before

    def end(self) -> int:
        """Its exit code, once it has ended; all output is read."""
        try:
            while chunk := os.read(self.master, 4096):
                self.seen += chunk
        except OSError:
            pass
        os.close(self.master)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_a_shell_with_its_own_terminal(root: Path) -> None:
    terminal = Terminal(root, "run", "-it", "--rm", "lab/base", "sh")
    terminal.type(b"stty size; tty; echo en''d\r")
    assert b"40 120" in terminal.expect(b"end\r\n")
    terminal.resize(24, 80)
    terminal.type(b"until [ \"$(stty size)\" = '24 80' ]; do :; done; echo resiz''ed\r")
    terminal.expect(b"resized\r\n")
    # ^C is a key of the container's terminal: its sleep ends, its shell and we do not.
    # In a shell of its own: when that speaks, it is what the terminal's keys go to.
    terminal.type(b"sh -c \"echo slee''ps; exec sleep 99\"\r")
    terminal.expect(b"sleeps\r\n")
    terminal.type(b"\x03")
    terminal.type(b"echo aw''ake; exit 7\r")
    terminal.expect(b"awake\r\n")
    assert terminal.end() == 7


def test_detach_and_attach_again(root: Path) -> None:
    terminal = Terminal(root, "run", "-it", "--name", "tea", "lab/base", "sh")
    terminal.type(b"echo re''ady\r")
    terminal.expect(b"ready\r\n")
    terminal.type(b"\x10\x11")
    assert terminal.end() == 0
    assert typed(root, "ps", "--format", "{{.Names}} {{.State}}")[1] == "tea running\n"
    again = Terminal(root, "attach", "tea")
    again.type(b"echo ba''ck; exit 3\r")
    again.expect(b"back\r\n")
    assert again.end() == 3
    assert typed(root, "rm", "tea") == (0, "tea\n", "")


def test_exec_with_a_terminal(root: Path) -> None:
    typed(root, "run", "-d", "--name", "ink", "lab/base", "sleep", "99")
    terminal = Terminal(root, "exec", "-it", "ink", "sh", "-c", "stty size; tty; exit 5")
    assert terminal.end() == 5
    assert b"40 120" in terminal.seen
    assert typed(root, "rm", "-f", "ink")[0] == 0


def test_interrupt_without_a_terminal_goes_to_the_container(root: Path) -> None:
    program = subprocess.Popen(
        command("run", "--rm", "lab/base", "sh", "-c",
                "trap 'echo told; exit 9' INT; echo ready; while :; do sleep 0.1; done"),
        stdout=subprocess.PIPE, env={**os.environ, "CONTAINER_LAB_ROOT": str(root)})
    assert program.stdout is not None
    assert program.stdout.readline() == b"ready\n"
    program.send_signal(signal.SIGINT)
    assert program.stdout.read() == b"told\n"
    assert program.wait(PATIENCE_S) == 9


def test_the_third_interrupt_leaves_one_that_does_not_listen(root: Path) -> None:
    """Its pid 1 is deaf to SIGINT; the command goes, and the container stays."""
    program = subprocess.Popen(
        command("run", "--name", "deaf", "lab/base", "sh", "-c",
                "trap 'echo no' INT; echo ready; while :; do sleep 0.1; done"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "CONTAINER_LAB_ROOT": str(root)})
    assert program.stdout is not None and program.stderr is not None
    assert program.stdout.readline() == b"ready\n"
    for _ in range(2):
        program.send_signal(signal.SIGINT)
        assert program.stdout.readline() == b"no\n"
    program.send_signal(signal.SIGINT)
    assert program.wait(PATIENCE_S) == 1
    assert b"got 3 SIGTERM/SIGINTs, forcefully exiting" in program.stderr.read()
    program.stdout.close()
    assert typed(root, "ps", "--format", "{{.Names}} {{.State}}")[1] == "deaf running\n"
    assert typed(root, "rm", "-f", "deaf")[0] == 0


def test_much_input_and_a_slow_reader(root: Path) -> None:
    data = os.urandom(1 << 20) * 8
    program = subprocess.Popen(
        command("run", "--rm", "-i", "lab/base", "cat"), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, env={**os.environ, "CONTAINER_LAB_ROOT": str(root)})
    out, _ = program.communicate(data, timeout=60)
    assert (program.returncode, len(out), out == data) == (0, len(data), True)


def test_logs_follow_to_the_end(root: Path) -> None:
    typed(root, "run", "-d", "--name", "chat", "lab/base", "sh", "-c",
          "echo one; sleep 0.5; echo two >&2; sleep 0.5; echo three")
    assert typed(root, "logs", "-f", "chat") == (0, "one\nthree\n", "two\n")
    assert typed(root, "rm", "chat")[0] == 0


def test_the_terminal_is_as_before_when_the_container_is_killed(root: Path) -> None:
    """In a shell of the host: our program ends by its container's death, and the tty is sane."""
    pid, master = pty.fork()
    if pid == 0:
        os.environ["CONTAINER_LAB_ROOT"] = str(root)
        before = termios.tcgetattr(0)
        code = subprocess.call(command("run", "-it", "--name", "gone", "lab/base", "sh", "-c",
                                       "echo ready; kill -9 $$; sleep 99"))
        typed(root, "rm", "-f", "gone")
        os.write(1, f"|{code}|{termios.tcgetattr(0) == before}|".encode())
        os._exit(0)
    output, sent = b"", False
    try:
        while chunk := os.read(master, 4096):
            output += chunk
            if b"ready" in output and not sent:
                # The first process of a container ignores its own SIGKILL; the host's it does not.
                typed(root, "kill", "gone")
                sent = True
    except OSError:
        pass
    os.waitpid(pid, 0)
    os.close(master)
    assert output.endswith(b"|137|True|"), output
