"""The zygote: shims for a threaded program, at the price of a fork, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.kernel

HERE = str(Path(__file__).resolve().parents[3])

PROGRAM = """
import os, sys, threading, time
sys.path.insert(0, sys.argv[1])
from runtime.engine.engine import Engine
from runtime.errors import Conflict
from runtime.shim.zygote import Zygote
zygote = Zygote.start()
engine = Engine(sys.argv[2], launcher=zygote.launch)
body = {"Image": "lab/base", "HostConfig": {"NetworkMode": "none"}}
def run(*command):
    ident = engine.create(None, {**body, "Cmd": list(command)})
    engine.start(ident)
    return ident
def read(pid, name):
    return open(f"/proc/{pid}/{name}").read()
def name(pid):
    try:
        return read(pid, "comm")
    except OSError:  # gone since it was listed
        return ""
"""


@pytest.fixture
def program(root):
    def run(script: str) -> str:
        done = subprocess.run([sys.executable, "-I", "-S", "-c", PROGRAM + script, HERE, root],
                              capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_from_many_threads(program):
    program("""
codes = {}
def once(code):
    codes[code] = engine.wait(run("sh", "-c", f"exit {code}"))
threads = [threading.Thread(target=once, args=(code,)) for code in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert codes == {code: code for code in range(8)}, codes
zygote.stop()
""")


def test_what_it_is(program):
    """Asleep, without our descriptors and our terminal, and nobody's zombies below it."""
    program("""
tea = run("true")
engine.wait(tea)
pid = zygote.pid
assert read(pid, "comm") == "lab-zygote\\n"
assert os.getsid(pid) == pid
deadline = time.monotonic() + 10
def children():
    return [name(child) for child in read(pid, f"task/{pid}/children").split()]
# The shim that ended is gone, and the next is at hand: one more descriptor, its socket.
while children() != ["lab-zygote\\n"] or len(os.listdir(f"/proc/{pid}/fd")) != 5:
    assert time.monotonic() < deadline, (children(), os.listdir(f"/proc/{pid}/fd"))
    time.sleep(0.005)
import _signal
for number in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP):
    os.kill(pid, number)
engine.wait(run("true"))
zygote.stop()
assert not os.path.exists(f"/proc/{pid}")
zygote.stop()
""")


def test_the_shim_waits_for_its_children(program):
    """SIGCHLD is ignored in the zygote, where nobody waits; a shim that inherited that would get
    no exit code."""
    program("""
assert engine.wait(run("sh", "-c", "exit 42")) == 42
zygote.stop()
""")


def test_it_goes_with_the_program_and_containers_stay(program, root):
    out = program("""
tea = engine.create("tea", {**body, "Cmd": ["sleep", "1000"]})
engine.start(tea)
print(zygote.pid)
""")
    import time

    deadline = time.monotonic() + 10
    pid = out.strip()
    while Path(f"/proc/{pid}/exe").exists() and \
            Path(f"/proc/{pid}/comm").read_text() == "lab-zygote\n":
        assert time.monotonic() < deadline
        time.sleep(0.005)
    from runtime.engine.engine import Engine

    assert Engine(root).find("tea").status == "running"


def test_the_shim_at_hand_is_killed(program):
    """Another is forked, and nobody notices."""
    program("""
engine.wait(run("true"))
def at_hand():
    # By its name: the shim of the start above may not be gone yet.
    pids = read(zygote.pid, f"task/{zygote.pid}/children").split()
    return [pid for pid in pids if name(pid) == "lab-zygote\\n"]
deadline = time.monotonic() + 10
while len(at_hand()) != 1:
    assert time.monotonic() < deadline
    time.sleep(0.005)
(pid,) = at_hand()
os.kill(int(pid), 9)
while at_hand() in ([], [pid]):
    assert time.monotonic() < deadline
    time.sleep(0.005)
assert engine.wait(run("sh", "-c", "exit 3")) == 3
zygote.stop()
""")


def test_gone(program):
    program("""
os.kill(zygote.pid, 9)
os.waitpid(zygote.pid, 0)
ident = engine.create("tea", {**body, "Cmd": ["true"]})
try:
    engine.start(ident)
except Conflict as error:
    assert "start a shim: the zygote is gone" in str(error)
else:
    raise AssertionError("it started")
zygote.stop()
""")
