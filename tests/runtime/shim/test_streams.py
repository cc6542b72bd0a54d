"""Pipes and the people attached to them, without a container: this process plays it."""

from __future__ import annotations

import os
import select

import _socket
import pytest

from runtime.shim import protocol
from runtime.shim.streams import HOLD, Client, Streams


@pytest.fixture
def kept() -> list[tuple[str, bytes]]:
    return []


@pytest.fixture
def streams(kept):
    streams = Streams(lambda name, data: kept.append((name, data)))
    ends = streams.open_pipes(want_stdin=True)
    yield streams, ends
    streams.close_ends()
    streams.finish(0)


def client_of(streams: Streams) -> tuple[Client, _socket.socket]:
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    client = Client(ours)
    streams.join(client)
    return client, theirs


def turn(streams: Streams) -> dict[int, int]:
    """One turn of the shim's loop."""
    poll = select.poll()
    for fd, events in streams.wanted().items():
        poll.register(fd, events)
    ready = dict(poll.poll(0))
    streams.handle(ready)
    return ready


def test_what_it_writes_goes_to_all_and_the_log(streams, kept):
    streams, (_, out, err) = streams
    _, first = client_of(streams)
    _, second = client_of(streams)
    os.write(out, b"hi")
    os.write(err, b"oh")
    turn(streams)
    assert kept == [("stdout", b"hi"), ("stderr", b"oh")]
    said = protocol.frame(b"O", b"hi") + protocol.frame(b"E", b"oh")
    assert first.recv(100) == second.recv(100) == said


def test_nobody_attached(streams, kept):
    streams, (_, out, _) = streams
    os.write(out, b"hi")
    turn(streams)
    assert kept == [("stdout", b"hi")]


def test_the_end_of_a_stream(streams):
    streams, _ = streams
    assert len(streams.readers) == 2
    streams.close_ends()
    turn(streams)
    assert not streams.readers
    assert turn(streams) == {}, "nothing to poll for: a loop must not spin on it"


def test_a_slow_one_holds_it_back(streams):
    streams, (_, out, _) = streams
    os.set_blocking(out, False)
    _, slow = client_of(streams)
    sent = 0
    while not streams.held():
        sent += os.write(out, b"x" * 65536)
        turn(streams)
    with pytest.raises(BlockingIOError):
        while True:
            sent += os.write(out, b"x" * 65536)
            assert turn(streams) == {}
    assert sent < HOLD + (1 << 20)
    # He goes away: it goes on.
    slow.close()
    client = streams.clients[0]
    client.flush()
    assert client.done and not client.out and not streams.held()


def test_typing(streams):
    streams, (stdin, _, _) = streams
    streams.write(b"one")
    assert os.read(stdin, 100) == b"one"
    streams.close_stdin()
    assert os.read(stdin, 100) == b""
    streams.write(b"more")  # after the end: to nobody
    assert not streams.pending


def test_typing_faster_than_it_reads(streams):
    streams, (stdin, _, _) = streams
    data = os.urandom(300_000)
    streams.write(data)
    streams.close_stdin()
    assert streams.pending
    read = b""
    while chunk := os.read(stdin, 65536):
        read += chunk
        turn(streams)
    assert read == data and not streams.pending


def test_typing_to_one_who_has_closed_stdin(streams):
    streams, (stdin, out, err) = streams
    os.close(stdin)
    streams.ends = [out, err]
    streams.write(b"x")
    assert not streams.pending and streams.stdin is None
    assert turn(streams) == {}


def test_a_typist_far_ahead_is_held_back(streams):
    streams, _ = streams
    client, _ = client_of(streams)
    assert not client.held_back()
    streams.write(b"x" * (protocol.LARGEST + 100_000))
    assert client.held_back()


@pytest.mark.parametrize("once", [True, False])
def test_stdin_once(once):
    streams = Streams(once=once)
    stdin, *_ = streams.open_pipes(want_stdin=True)
    first, _ = client_of(streams)
    second, _ = client_of(streams)
    streams.leave(first)
    assert streams.stdin is not None
    streams.leave(second)
    streams.leave(second)
    assert (streams.stdin is None) == once
    streams.close_ends()
    streams.finish(0)


def test_without_stdin():
    streams = Streams()
    stdin, *_ = streams.open_pipes(want_stdin=False)
    assert os.read(stdin, 1) == b"" and streams.stdin is None
    streams.close_ends()
    streams.finish(0)


def test_a_terminal_is_one_descriptor():
    master, slave = os.openpty()
    streams = Streams()
    streams.open_null()
    streams.close_ends()
    streams.use_terminal(master)
    client, theirs = client_of(streams)
    os.write(slave, b"hi")
    turn(streams)
    assert theirs.recv(100) == protocol.frame(b"O", b"hi")
    streams.resize(40, 120)
    assert os.get_terminal_size(slave) == (120, 40)
    streams.write(b"typed\n")
    assert os.read(slave, 100) == b"typed\n"
    streams.close_stdin()  # ctrl-d's to say
    assert streams.stdin == master
    # One who does not read and one who types at once: no output is read meanwhile.
    turn(streams)
    client.out += b"x" * (HOLD + 1)
    streams.pending += b"y"
    assert streams.wanted() == {master: select.POLLOUT}
    client.out.clear()
    os.close(slave)
    streams.pending.clear()
    while streams.readers:
        turn(streams)
    assert streams.terminal is None and streams.stdin is None


def test_the_end_is_told(streams):
    streams, _ = streams
    client, theirs = client_of(streams)
    streams.finish(137)
    assert theirs.recv(100) == protocol.message(b"X", {"code": 137})
    assert client.done and not streams.clients and streams.stdin is None
