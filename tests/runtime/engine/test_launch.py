"""Four ways to a shim; in each it is nobody's child, knows no descriptor of ours, and works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.kernel

HERE = str(Path(__file__).resolve().parents[3])

PROGRAM = """
import os, sys, threading, time
sys.path.insert(0, sys.argv[1])
from runtime.engine import launch
from runtime.engine.engine import Engine
engine = Engine(sys.argv[2])
body = {"Image": "lab/base", "HostConfig": {"NetworkMode": "none"}}
def once(*command, code=0, out=b""):
    tea = engine.create("tea", {**body, "Cmd": list(command)})
    attachment = engine.attach(tea)
    engine.start(tea)
    said = b""
    while True:
        stream, data = attachment.read()
        if stream == "exit":
            break
        said += data
    assert (int(data), said) == (code, out), (data, said)
    attachment.close()
    engine.remove("tea")
def descriptors():
    return sorted(os.listdir("/proc/self/fd"))
def children():
    return open(f"/proc/self/task/{os.getpid()}/children").read().split()
"""


def in_a_process(root: str, script: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM + script, HERE, root],
                          capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_from_a_threaded_program(root):
    in_a_process(root, """
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
launch.fork = None  # it would be called, and fail
before = descriptors()
for number in range(3):
    once("sh", "-c", f"echo hi; exit {number}", code=number, out=b"hi\\n")
assert descriptors() == before
assert children() == [], "nobody here has to wait for a shim"
""")


def test_from_a_program_without_threads(root):
    """The shims are its children, and those that ended are waited for at the next start."""
    in_a_process(root, """
launch.spawn = None
before = descriptors()
for number in range(4):
    once("sh", "-c", f"echo hi; exit {number}", code=number, out=b"hi\\n")
assert descriptors() == before
assert len(children()) <= 2, children()
""")


def test_the_spare(root):
    in_a_process(root, """
from runtime.shim import spare
launch.fork = launch.spawn = None
before = descriptors()
spare.fork()
(pid,) = children()
tea = engine.create("tea", {**body, "Cmd": ["sleep", "1000"]})
engine.start(tea)
assert str(engine.find("tea").state["ShimPid"]) == pid
assert descriptors() == before
engine.remove("tea", force=True)
""")


def test_a_spare_that_is_not_needed(root):
    in_a_process(root, """
from runtime.shim import spare
spare.fork()
waiting = spare.take()
waiting.close()
deadline = time.monotonic() + 10
while os.waitpid(-1, os.WNOHANG)[0] == 0:
    assert time.monotonic() < deadline
    time.sleep(0.005)
""")


def test_a_spare_that_was_killed(root):
    in_a_process(root, """
from runtime.shim import spare
spare.fork()
(pid,) = children()
os.kill(int(pid), 9)
os.waitpid(int(pid), 0)
once("echo", "hi", out=b"hi\\n")
""")


def test_a_zygote_that_was_killed(root):
    """The next start is a slower one, and a note says so; what it had started goes on."""
    in_a_process(root, """
from runtime.shim.zygote import Zygote
zygote = Zygote.start()
engine.launcher = launch.either(zygote.launch)
first = engine.create("first", {**body, "Cmd": ["sleep", "1000"]})
engine.start(first)
assert [each for each in engine.evidence(first) if each["what"] == "fallback"] == []
os.kill(zygote.pid, 9)
zygote.stop()
assert engine.find("first").status == "running"
second = engine.create("second", {**body, "Cmd": ["sleep", "1000"]})
engine.start(second)
notes = [each["text"] for each in engine.evidence(second) if each["what"] == "fallback"]
assert notes == ["start a shim: the zygote is gone"], notes
engine.kill("first")
assert engine.wait("first") == 137
engine.remove("second", force=True)
""")


def test_the_shim_keeps_nothing_of_the_callers(engine, started):
    """Who waits for the end of a pipe of the caller's must not wait for the container."""
    reader, writer = os.pipe()
    try:
        os.set_inheritable(writer, True)
        shim = engine.find(started("sleep", "1000")).state["ShimPid"]
        os.close(writer)
        os.set_blocking(reader, False)
        assert os.read(reader, 1) == b""
        links = {os.readlink(f"/proc/{shim}/fd/{fd}") for fd in (0, 1, 2)}
        assert links == {"/dev/null"}
        assert os.readlink(f"/proc/{shim}/cwd") == "/"
        assert os.getsid(shim) == shim
    finally:
        os.close(reader)
