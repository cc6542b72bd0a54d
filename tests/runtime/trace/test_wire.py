"""The wire: one line asks and waits for leave, one line tells; no holder means no start."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.errors import Conflict, Denied
from runtime.trace.operation import observe, operation
from runtime.trace.wire import Wire

DONE: list[int] = []


@operation("step(2)")
def step(n: int) -> int:
    DONE.append(n)
    return n


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(tmp_path / "gate"))
    made.listen()
    made.settimeout(10)
    DONE.clear()
    yield made
    made.close()


@pytest.fixture
def wired(listener: socket.socket) -> Iterator[socket.socket]:
    """The holder's end; this process is held by it."""
    wire = Wire(listener.getsockname())
    holder, _ = listener.accept()
    holder.settimeout(10)
    outer = observe(wire)
    yield holder
    observe(outer)
    wire.socket.close()
    holder.close()


def told(holder: socket.socket) -> list[dict[str, object]]:
    return [json.loads(line) for line in holder.recv(65536).splitlines()]


def test_go(wired: socket.socket) -> None:
    wired.sendall(b"go\n")
    assert step(1) == 1
    before, after = told(wired)
    assert before["before"]["name"] == "step" and before["before"]["ns"] == -1  # type: ignore[index]
    assert after["after"]["result"] == 1 and after["after"]["ns"] >= 0  # type: ignore[index]


def test_it_waits_for_leave(wired: socket.socket) -> None:
    child = os.fork()
    if child == 0:
        step(5)
        os._exit(len(DONE))
    assert json.loads(wired.recv(65536))["before"]["arguments"] == {"n": 5}
    assert os.waitpid(child, os.WNOHANG) == (0, 0), "it is held"
    wired.sendall(b"go\n")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


@pytest.mark.parametrize(("answer", "reason"), [
    (b"no\n", "no reason given"), (b"no too early\n", "too early")])
def test_no(wired: socket.socket, answer: bytes, reason: str) -> None:
    wired.sendall(answer)
    with pytest.raises(Denied) as caught:
        step(1)
    assert str(caught.value) == f"step refused at the gate: {reason}"
    assert DONE == []


def test_an_answer_in_two_pieces(wired: socket.socket) -> None:
    child = os.fork()
    if child == 0:
        wired.sendall(b"g")
        wired.sendall(b"o\n")
        os._exit(0)
    step(1)
    os.waitpid(child, 0)
    assert DONE == [1]


def test_the_holder_gone_before(wired: socket.socket) -> None:
    wired.close()
    with pytest.raises(Conflict, match="the one who held this start went away"):
        step(1)
    assert DONE == []


def test_the_holder_gone_while_it_waits(wired: socket.socket) -> None:
    wired.shutdown(socket.SHUT_WR)
    with pytest.raises(Conflict, match="went away"):
        step(1)
    assert DONE == []


def test_the_holder_gone_after_it_said_go(wired: socket.socket) -> None:
    wired.sendall(b"go\n")
    wired.close()
    with pytest.raises(Conflict):
        step(1), step(2)
    assert 2 not in DONE


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(Conflict) as caught:
        Wire(str(tmp_path / "none"))
    assert "no such file" in str(caught.value) and "nobody listens" in str(caught.value)


def test_the_socket_ends_at_execve(listener: socket.socket) -> None:
    child = os.fork()
    if child == 0:
        Wire(listener.getsockname())
        os.execv("/bin/sleep", ["sleep", "30"])
    holder, _ = listener.accept()
    holder.settimeout(10)
    assert holder.recv(10) == b"", "the last frame"
    os.kill(child, 9)
    os.waitpid(child, 0)
