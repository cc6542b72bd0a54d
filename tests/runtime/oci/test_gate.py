"""The gate on real starts: hold before an operation, look from outside, let go, refuse, or die.

The holder is a socket of the test's. It learns of two connections, the shim's and init's, tells
them apart by SO_PEERCRED, and lets every operation go but the one it waits for.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import Conflict, Denied
from tests.runtime.oci.bundles import ROOT, Bundle, until

pytestmark = pytest.mark.kernel
V1 = "memory" in Path("/proc/self/cgroup").read_text()
PLACES = [("prepare", "mkdir"), ("isolate", "clone3"), ("isolate", "setsid"), ("root", "mount"),
          ("root", "pivot_root"), ("root", "umount2"), ("root", "sethostname"),
          ("limit", "write_open_control" if V1 else "unshare"), ("drop", "capset"),
          ("limit", "unshare"), ("exec", "execve")]


class Line:
    """One connection to the gate."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.pid = struct.unpack("3i", connection.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        self.file = connection.makefile("rb")

    def hear(self) -> dict[str, Any] | None:
        line = self.file.readline()
        return json.loads(line) if line else None

    def close(self) -> None:
        self.file.close()
        self.socket.close()


class Holder:
    """Whoever listens at the gate."""

    def __init__(self, path: Path) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.listener.settimeout(20)
        self.lines: list[Line] = []
        self.seen: list[tuple[str, str]] = []

    def accept(self) -> Line:
        connection, _ = self.listener.accept()
        connection.settimeout(20)
        self.lines.append(Line(connection))
        return self.lines[-1]

    def hold(self, phase: str, name: str) -> tuple[Line, dict[str, Any]]:
        """Say go until the first operation of this name in this phase asks; its line, and it."""
        shim = self.accept()
        held = self.follow(shim, phase, name, "clone3")
        if held is None:
            init = self.accept()
            held = self.follow(init, phase, name, None)
            assert held is not None, self.seen
            return init, held
        return shim, held

    def follow(self, line: Line, phase: str, name: str, last: str | None) -> dict[str, Any] | None:
        while (message := line.hear()) is not None:
            operation = message.get("before")
            if operation is None:
                if message["after"]["name"] == last:
                    return None
                continue
            self.seen.append((operation["phase"], operation["name"]))
            if self.seen[-1] == (phase, name):
                found: dict[str, Any] = operation
                return found
            line.socket.sendall(b"go\n")
        return None

    def release(self, line: Line) -> None:
        """Go, and go on; until everyone's line has ended."""
        line.socket.sendall(b"go\n")
        self.follow(line, "", "", "clone3")
        if len(self.lines) == 1:
            self.follow(self.accept(), "", "", None)

    def close(self) -> None:
        for line in self.lines:
            line.close()
        self.listener.close()


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Holder]:
    made = Holder(tmp_path / "gate")
    yield made
    made.close()


def gate(bundle: Bundle) -> str:
    return str(bundle.folder.parent / "gate")


@pytest.mark.parametrize(("phase", "name"), PLACES)
def test_held_and_let_go_it_runs(bundle: Bundle, holder: Holder, phase: str, name: str) -> None:
    started = bundle.spawn(gate=gate(bundle))
    line, operation = holder.hold(phase, name)
    assert operation["symbol"].startswith("runtime/") and operation["call"].endswith(")")
    if len(holder.lines) == 2:
        assert "python" in os.readlink(f"/proc/{line.pid}/exe"), "it is not the program yet"
    holder.release(line)
    started.answer("created")
    started.run()
    assert os.path.exists(f"/proc/{started.pid}")


@pytest.mark.parametrize(("phase", "name"), PLACES)
def test_refused_it_fails_and_nothing_is_left(
        bundle: Bundle, holder: Holder, phase: str, name: str) -> None:
    started = bundle.spawn(gate=gate(bundle))
    line, _ = holder.hold(phase, name)
    line.socket.sendall(b"no thank you\n")
    message = until_error(started)
    assert message["error"]["kind"] == Denied.__name__
    assert message["error"]["message"] == f"{name} refused at the gate: thank you"
    gone(bundle, line.pid, len(holder.lines))


@pytest.mark.parametrize(("phase", "name"), [PLACES[n] for n in (0, 3, 4, 7, 8)])
def test_the_holder_dies_and_nothing_is_left(
        bundle: Bundle, holder: Holder, phase: str, name: str) -> None:
    started = bundle.spawn(gate=gate(bundle))
    line, _ = holder.hold(phase, name)
    holder.close()
    message = until_error(started)
    assert message["error"]["kind"] == Conflict.__name__
    assert message["error"]["message"] == "the one who held this start went away"
    gone(bundle, line.pid, len(holder.lines))


def test_a_holder_killed_with_sigkill(bundle: Bundle, tmp_path: Path) -> None:
    program = ("import socket, sys, time; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]);"
               "s.listen(); c, _ = s.accept(); print(c.recv(9999), flush=True); time.sleep(99)")
    held = subprocess.Popen([sys.executable, "-c", program, gate(bundle)], cwd=ROOT,
                            stdout=subprocess.PIPE)
    try:
        until(lambda: os.path.exists(gate(bundle)), "the gate is there")
        started = bundle.spawn(gate=gate(bundle))
        assert held.stdout is not None and held.stdout.readline()
    finally:
        held.kill()
        held.wait()
        held.stdout and held.stdout.close()
    assert until_error(started)["error"]["kind"] == Conflict.__name__
    gone(bundle, 0, 1)


def until_error(started: Any) -> dict[str, Any]:
    while "error" not in (message := started.hear()):
        assert "running" not in message
    assert "\n" not in message["error"]["message"]
    answered: dict[str, Any] = message
    return answered


def gone(bundle: Bundle, pid: int, lines: int) -> None:
    bundle.started[-1].close()
    assert not bundle.cgroup().exists()
    assert str(bundle.folder) not in Path("/proc/self/mountinfo").read_text()
    if lines == 2:
        assert not os.path.exists(f"/proc/{pid}")


def test_nobody_at_the_gate(bundle: Bundle) -> None:
    error = bundle.refused(gate=gate(bundle))
    assert isinstance(error, Conflict) and error.hint == "nobody listens at the gate"


def test_the_half_made_container_from_outside(bundle: Bundle, holder: Holder) -> None:
    bundle.spawn(gate=gate(bundle))
    line, _ = holder.hold("root", "mount")
    here = Path(f"/proc/{line.pid}")
    assert os.readlink(here / "ns/mnt") != os.readlink("/proc/self/ns/mnt")
    assert os.readlink(here / "ns/cgroup") == os.readlink("/proc/self/ns/cgroup")
    status = (here / "status").read_text()
    assert "NSpid:\t" + str(line.pid) + "\t1\n" in status, "the host's pid by SO_PEERCRED"
    assert str(bundle.rootfs) not in (here / "mountinfo").read_text()
    line.socket.sendall(b"go\n")
    assert holder.follow(line, "root", "pivot_root", None) is not None
    table = (here / "mountinfo").read_text()
    assert f" {bundle.rootfs}/proc " in table, "below the host's tree still"
    assert f" {bundle.rootfs}/dev/shm " in table
    line.socket.sendall(b"go\n")
    assert holder.follow(line, "root", "umount2", None) is not None
    table = (here / "mountinfo").read_text()
    assert str(bundle.rootfs) not in [row.split()[4] for row in table.splitlines()]
    assert len([row for row in table.splitlines() if row.split()[4] == "/"]) >= 1
    line.socket.sendall(b"go\n")
    assert holder.follow(line, "limit", "unshare", None) is not None
    assert bundle.group in (here / "cgroup").read_text()
    own = Path("/proc/self/status").read_text().partition("CapEff:")[2].split()[0]
    assert f"CapEff:\t{own}" in (here / "status").read_text()
    line.socket.sendall(b"go\n")
    assert holder.follow(line, "exec", "execve", None) is not None
    assert "CapEff:\t00000000a80425fb" in (here / "status").read_text()
    line.socket.sendall(b"go\n")
    assert line.hear() is None, "the last frame: the socket ends when execve succeeds"
    until(lambda: os.readlink(here / "exe") == "/bin/busybox", "it runs")


def test_a_user_namespace_goes_through_the_gate_on_two_lines(
        bundle: Bundle, holder: Holder) -> None:
    """The shim writes the maps while init waits for them: each asks on a line of its own."""
    bundle.linux["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        bundle.linux[key] = [{"containerID": 0, "hostID": 0, "size": 65536}]
    started = bundle.spawn(gate=gate(bundle))
    shim = holder.accept()
    assert holder.follow(shim, "", "", "clone3") is None
    init = holder.accept()
    threads = [threading.Thread(target=holder.follow, args=(line, "", "", None))
               for line in (shim, init)]
    for thread in threads:
        thread.start()
    started.answer("created")
    started.run()
    started.close()
    for thread in threads:
        thread.join(10)
    maps = [each for each in holder.seen if each[1] == "write_control"]
    assert len(maps) >= 2 and ("isolate", "setresuid") in holder.seen
