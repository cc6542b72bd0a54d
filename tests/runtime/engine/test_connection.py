"""Attached to a container: nothing lost, nobody held for ever, a terminal that is one."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest

from runtime.errors import Conflict

pytestmark = pytest.mark.kernel

TEN_MB = 10 << 20


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def read_until(attachment, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        stream, more = attachment.read()
        assert stream == "stdout", (stream, more, data)
        data += more
    return data


def test_two_streams(run):
    assert run("sh", "-c", "echo out; echo err >&2; exit 3") == (3, b"out\n", b"err\n")


def test_stdin_and_its_end(run, engine, make, collect):
    container = make("sh", "-c", "cat; echo end", OpenStdin=True)
    attachment = engine.attach(container)
    engine.start(container)
    attachment.write(b"one\n")
    assert read_until(attachment, b"one\n") == b"one\n"
    attachment.write(b"two\n")
    attachment.close_stdin()
    assert collect(attachment) == (0, b"two\nend\n", b"")
    assert run("cat") == (0, b"", b""), "without -i stdin is empty"


def test_ten_megabytes_out(engine, run):
    """Through the attachment and in the log: the same bytes."""
    ran = run("sh", "-c", "yes $(seq -s, 1 60) | head -c 10485760", name="tea")
    assert len(ran.out) == TEN_MB
    line = ",".join(map(str, range(1, 61))).encode() + b"\n"
    wanted = (line * (TEN_MB // len(line) + 1))[:TEN_MB]
    assert hashlib.sha256(ran.out).digest() == hashlib.sha256(wanted).digest()
    logged = "".join(line["log"] for line in engine.logs("tea")).encode()
    assert hashlib.sha256(logged).digest() == hashlib.sha256(wanted).digest()


def test_ten_megabytes_through(engine, make, collect):
    """In by one thread and out by another, as the command line does."""
    data = os.urandom(TEN_MB)
    container = make("cat", OpenStdin=True)
    attachment = engine.attach(container)
    engine.start(container)

    def type_it() -> None:
        attachment.write(data)
        attachment.close_stdin()

    typist = threading.Thread(target=type_it)
    typist.start()
    ran = collect(attachment)
    typist.join()
    assert ran.code == 0 and ran.out == data


def test_a_slow_reader_holds_the_process_back(engine, make, collect, eventually):
    """It writes no more than what fits in between; then, read at last, nothing is missing."""
    container = make("sh", "-c", "seq 1 700000; echo done > /done")
    attachment = engine.attach(container)
    engine.start(container)
    tea = engine.find(container)
    log = Path(tea.log_path)

    def stands() -> bool:
        before = log.stat().st_size
        time.sleep(0.3)
        return before > 1 << 20 and log.stat().st_size == before

    eventually(stands)
    assert not Path(f"{tea.directory}/upper/done").exists()
    shim, before = tea.state["ShimPid"], cpu_ticks(tea.state["ShimPid"])
    time.sleep(0.3)  # a loop that spins would show in the shim's CPU time
    assert cpu_ticks(shim) - before <= 3
    # Somebody else is not kept waiting by him.
    assert collect(engine.exec(container, {"Cmd": ["echo", "hi"]})).out == b"hi\n"
    ran = collect(attachment)
    assert ran.code == 0
    assert ran.out == b"".join(b"%d\n" % number for number in range(1, 700001))


def test_a_slow_reader_after_the_end(engine, make, collect, eventually):
    """A pager: the container is long over, and its last megabyte still unread."""
    container = make("head", "-c", "900000", "/dev/zero", host={"AutoRemove": True})
    attachment = engine.attach(container)
    engine.start(container)
    eventually(lambda: not engine.containers())
    time.sleep(0.1)
    assert len(collect(attachment).out) == 900000


def test_a_typist_ahead_of_the_process(engine, make, eventually):
    """Megabytes typed to who does not read: held back in the socket, at no CPU time."""
    container = make("sleep", "1000", OpenStdin=True)
    attachment = engine.attach(container)
    engine.start(container)
    attachment.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            attachment.sock.send(b"I\0\1\0\0" + b"x" * 65536)
    shim = engine.find(container).state["ShimPid"]
    before = cpu_ticks(shim)
    time.sleep(0.3)
    assert cpu_ticks(shim) - before <= 3
    attachment.close()
    time.sleep(0.2)
    assert cpu_ticks(shim) - before <= 5, "nor after he hung up"
    engine.kill(container)
    assert engine.wait(container) == 137


def test_a_second_attachment_and_one_that_leaves(engine, make, eventually):
    container = make("sh", "-c", "while read line; do echo got $line; done", OpenStdin=True)
    first = engine.attach(container)
    engine.start(container)
    second = engine.attach(container)
    first.write(b"1\n")
    assert read_until(first, b"\n") == read_until(second, b"\n") == b"got 1\n"
    first.close()
    second.write(b"2\n")
    assert read_until(second, b"\n") == b"got 2\n"
    second.close()
    third = engine.attach(container, logs=True)
    assert read_until(third, b"2\n") == b"got 1\ngot 2\n"
    third.close_stdin()
    assert third.read() == ("exit", b"0")


def test_stdin_once(engine, make):
    """`run -i`: when the one who types goes away, even by SIGKILL, stdin is at its end."""
    container = make("sh", "-c", "cat; exit 9", OpenStdin=True, StdinOnce=True)
    attachment = engine.attach(container)
    engine.start(container)
    attachment.close()
    assert engine.wait(container) == 9


def test_a_client_that_talks_nonsense(engine, started, eventually):
    """It is told so; the container does not notice."""
    from runtime.engine import connection
    from runtime.shim import protocol

    container = engine.find(started("sleep", "1000"))
    for said in (b"J\0\0\0\2[]", b"J\0\0\0\4{\"a\"", b"J\0\0\0\2\xff\xff", b"I\0\0\0\1x",
                 b"Z\xff\xff\xff\xff", protocol.message(b"J", {"do": "dance"}),
                 protocol.message(b"J", {"do": "kill"}), protocol.message(b"J", {"do": "exec"}),
                 protocol.message(b"J", {"do": "kill", "signal": "x"}),
                 protocol.message(b"J", {"do": "attach"}) + b"W\0\0\0\2{}"):
        sock = connection.connect(container.run)
        attachment = connection.Attachment(sock)
        sock.sendall(said)
        with pytest.raises(Exception) as caught:
            while attachment.answer():
                continue
        assert str(caught.value)
        attachment.close()
    assert container.status == "running"
    assert not Path(f"{container.directory}/shim-crash.txt").exists()


def test_nobody_there(engine, make):
    from runtime.engine import connection

    container = engine.find(make("true"))
    with pytest.raises(Conflict, match="the container is not running"):
        connection.ask(container.run, {"do": "pause"})
    assert connection.listener(container.run) == 0


# ------------------------------------------------------------------ with a terminal

# Without line editing, which moves the cursor about.
SHELL = 'trap : INT; while printf "$ " && read -r line; do eval "$line"; done; exit 8'


@pytest.fixture
def terminal(engine, make):
    container = make("sh", "-c", SHELL, Tty=True, OpenStdin=True, host={"ConsoleSize": [30, 100]})
    attachment = engine.attach(container)
    engine.start(container)
    read_until(attachment, b"$ ")
    return container, attachment


def say(attachment, line: bytes) -> list[bytes]:
    """Type a line; what the terminal shows up to the next prompt."""
    attachment.write(line + b"\n")
    return read_until(attachment, b"$ ").split(b"\r\n")[1:-1]


def test_it_is_a_terminal(terminal):
    _, attachment = terminal
    assert say(attachment, b"tty") == [b"/dev/pts/0"]
    assert say(attachment, b"echo err >&2") == [b"err"], "one stream: stdout"
    assert say(attachment, b"stty size") == [b"30 100"]
    attachment.resize(40, 120)
    assert say(attachment, b"stty size") == [b"40 120"]
    attachment.write(b"exit 7\n")
    while True:
        stream, data = attachment.read()
        if stream == "exit":
            break
    assert data == b"7"


def test_ctrl_c(terminal):
    """The kernel's line discipline makes it a signal to the foreground job; the shell lives."""
    _, attachment = terminal
    attachment.write(b"echo begin; sleep 1000\n")
    read_until(attachment, b"begin\r\n")
    shown = b""
    while not shown.endswith(b"$ "):
        # Again, for between its fork and its exec the child is not the sleep it will be.
        attachment.write(b"\x03")
        while attachment.ready(0.2) and not shown.endswith(b"$ "):
            shown += attachment.read()[1]
    assert b"^C" in shown
    assert say(attachment, b"echo alive") == [b"alive"]


def test_the_terminal_outlives_its_reader(engine, terminal):
    container, attachment = terminal
    attachment.close()
    again = engine.attach(container)
    assert say(again, b"echo back") == [b"back"]


def test_ctrl_d_ends_the_shell(terminal, collect):
    _, attachment = terminal
    attachment.write(b"\x04")
    assert collect(attachment).code == 8
