"""SCMP_ACT_NOTIFY: an agent outside answers for the kernel what a call inside asked.

The agent here answers every mkdir: a path with "no" in it fails with ENOMEDIUM, any other one is
let go on to the kernel. Struct seccomp_notif is read by hand, as linux/seccomp.h has it.
"""

from __future__ import annotations

import array
import errno
import fcntl
import json
import os
import select
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.oci import agent
from runtime.oci.syscalls import numbers
from tests.runtime.oci.bundles import Bundle, until

NOTIF_RECV, NOTIF_SEND = 0xC0502100, 0xC0182101
CONTINUE = 1


class Answering:
    """An agent: one thread a container, until its filter is gone."""

    def __init__(self, path: str) -> None:
        self.path, self.told, self.calls = path, [], []  # type: ignore[var-annotated]
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        self.listener.listen()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        while True:
            try:
                caller, _ = self.listener.accept()
            except OSError:
                return
            fds = array.array("i")
            data, ancillary, _, _ = caller.recvmsg(65536, socket.CMSG_LEN(16))
            for _, _, rights in ancillary:
                fds.frombytes(rights[:len(rights) - len(rights) % 4])
            caller.close()
            if not data:
                continue  # a start that came to nothing
            self.told.append(json.loads(data))
            threading.Thread(target=self.answer, args=(fds[0],), daemon=True).start()

    def answer(self, listener: int) -> None:
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        while True:
            if poll.poll()[0][1] & select.POLLHUP:
                break
            question = bytearray(80)
            try:
                fcntl.ioctl(listener, NOTIF_RECV, question)
            except OSError:
                continue
            ident, pid, _, number = struct.unpack_from("QIIi", question)
            first, second = struct.unpack_from("QQ", question, 32)
            place = first if number == numbers(os.uname().machine).get("mkdir") else second
            text = self.string(pid, place)
            self.calls.append((number, text))
            refused = b"no" in text
            fcntl.ioctl(listener, NOTIF_SEND, struct.pack(
                "QqiI", ident, 0, -errno.ENOMEDIUM if refused else 0, 0 if refused else CONTINUE))
        os.close(listener)

    @staticmethod
    def string(pid: int, place: int) -> bytes:
        try:
            with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
                memory.seek(place)
                return memory.read(64).partition(b"\0")[0]
        except (OSError, OverflowError, ValueError):
            return b""

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Answering]:
    found = Answering(str(tmp_path / "agent.sock"))
    yield found
    found.close()


def ask(bundle: Bundle, path: str, *names: str, sealed: bool = True) -> None:
    bundle.process["noNewPrivileges"] = sealed
    bundle.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "listenerMetadata": "tea=green",
        "syscalls": [{"names": list(names), "action": "SCMP_ACT_NOTIFY"}]}
    bundle.spec["annotations"] = {"org.example": "x"}


def test_what_it_is_told(answering: Answering) -> None:
    profile: dict[str, Any] = {"listenerPath": answering.path, "syscalls": []}
    assert agent.connect(profile, {}) is None, "nobody is asked anything"
    profile["syscalls"].append({"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"})
    found = agent.connect(profile, {"ociVersion": "1.2.0", "id": "tea", "pid": 0})
    assert found is not None
    found.know_self()
    found.close()
    assert json.loads(found.message()) == {
        "ociVersion": "1.2.0", "fds": ["seccompFd"], "pid": os.getpid(),
        "state": {"ociVersion": "1.2.0", "id": "tea", "pid": os.getpid()}}


@pytest.mark.kernel
@pytest.mark.parametrize("sealed", [True, False])
def test_it_answers(bundle: Bundle, answering: Answering, sealed: bool) -> None:
    ask(bundle, answering.path, "mkdir", "mkdirat", sealed=sealed)
    bundle.script("mkdir /tmp/yes /tmp/no; ls /tmp; exec sleep 1000")
    started = bundle.start()
    until(lambda: "yes" in bundle.read("init.out"), "ls has run")
    assert bundle.read("init.out").split() == ["yes"]
    assert "No medium found" in bundle.read("init.err")
    (told,) = answering.told
    assert told["pid"] == told["state"]["pid"] == started.pid
    assert (told["fds"], told["metadata"]) == (["seccompFd"], "tea=green")
    assert told["state"]["id"] == "bundle" and told["state"]["annotations"] == {"org.example": "x"}
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text()
    assert children == "", "the helper is gone, and waited for"


@pytest.mark.kernel
@pytest.mark.parametrize("sealed", [True, False])
def test_exec_is_asked_about_too(bundle: Bundle, answering: Answering, sealed: bool) -> None:
    ask(bundle, answering.path, "mkdir", "mkdirat", sealed=sealed)
    started = bundle.start()
    code, out = started.exec("mkdir /tmp/yes && mkdir /tmp/no; ls /tmp")
    assert (code, out) == (0, "yes\n")
    assert len(answering.told) == 2 and answering.told[1]["pid"] != started.pid
    assert answering.told[1]["state"]["pid"] == started.pid
    assert answering.told[1]["state"]["status"] == "running"


@pytest.mark.kernel
@pytest.mark.parametrize("sealed", [True, False])
def test_calls_that_we_need_ourselves(bundle: Bundle, answering: Answering, sealed: bool) -> None:
    """runc has to leave write(2) alone; here the agent is in place before anyone has to ask."""
    ask(bundle, answering.path, "execve", "openat", "open", "read", "close", "wait4", "sendmsg",
        "mmap", "brk", sealed=sealed)
    assert bundle.run("echo fine") == (0, "fine\n", "")
    assert answering.calls


@pytest.mark.kernel
@pytest.mark.parametrize("flags", [["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
                                   ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG"]])
def test_flags_that_mean_something_else_with_a_listener(
        bundle: Bundle, answering: Answering, flags: list[str]) -> None:
    ask(bundle, answering.path, "mkdir", "mkdirat")
    bundle.linux["seccomp"]["flags"] = flags
    assert bundle.run("mkdir /tmp/no; mkdir /tmp/yes && echo made")[:2] == (0, "made\n")


@pytest.mark.kernel
def test_a_start_without_its_agent_fails_before_anything_is_made(
        bundle: Bundle, tmp_path: Path) -> None:
    ask(bundle, str(tmp_path / "nobody.sock"), "mkdir")
    error = str(bundle.refused())
    assert error.startswith("$.linux.seccomp.listenerPath: failed to connect with seccomp agent")


@pytest.mark.kernel
def test_an_agent_that_goes_away_means_no_such_call(bundle: Bundle, tmp_path: Path) -> None:
    path = str(tmp_path / "deaf.sock")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen()
    ask(bundle, path, "mkdir", "mkdirat")
    bundle.script("cat; mkdir /tmp/yes; echo done; exec sleep 1000")
    bundle.start()
    listener.accept()[0].close()
    listener.close()
    until(lambda: "done" in bundle.read("init.out"), "it goes on")
    assert "Function not implemented" in bundle.read("init.err")
