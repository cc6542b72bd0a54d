"""SIGKILL of any process of the chain, at any moment: the next look puts it right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runtime import documents
from runtime.errors import LabError
from runtime.kernel import processes

pytestmark = pytest.mark.kernel

TICKING = "i=0; while :; do i=$((i+1)); echo tick $i; usleep 5000; done"


def groups(container) -> list[Path]:
    return list(Path("/sys/fs/cgroup").glob(f"*{container.cgroup}"))


def gone(pid: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_the_command_is_killed(engine, command, eventually):
    """Container and log go on, and the next command finds both."""
    run = subprocess.Popen(command("run", "--name", "tea", "lab/base", "sh", "-c", TICKING),
                           stdout=subprocess.PIPE)
    assert run.stdout is not None and run.stdout.readline() == b"tick 1\n"
    run.kill()
    run.wait()
    run.stdout.close()
    tea = engine.find("tea")
    assert tea.status == "running"
    seen = sum(1 for _ in engine.logs("tea"))
    eventually(lambda: sum(1 for _ in engine.logs("tea")) > seen + 3)
    lines = [line["log"] for line in engine.logs("tea")]
    assert lines == [f"tick {number}\n" for number in range(1, len(lines) + 1)]
    engine.kill("tea")
    assert engine.wait("tea") == 137


@pytest.mark.parametrize("look", ["find", "list", "start", "wait", "remove"])
def test_the_shim_is_killed(engine, started, eventually, look):
    tea = engine.find(started("sleep", "1000", name="tea"))
    pid, shim = tea.pid, tea.state["ShimPid"]
    os.kill(shim, signal.SIGKILL)
    eventually(lambda: gone(shim))
    assert Path(f"/proc/{pid}").exists(), "nobody has looked yet"
    if look == "start":
        engine.start("tea")
        assert tea.status == "running" and tea.pid != pid
    elif look == "remove":
        engine.remove("tea")
    elif look == "wait":
        assert engine.wait("tea") == 137
    else:
        found = engine.find("tea") if look == "find" else engine.containers()[0]
        assert (found.status, found.exit_code) == ("exited", 137)
        assert "its shim was killed" in found.state["Error"]
        assert [each["what"] for each in engine.evidence("tea")][-1] == "shim lost"
    eventually(lambda: gone(pid))
    if look != "start":
        assert groups(tea) == [] and os.listdir(engine.run_dir) == []


def test_the_shim_of_a_paused_one_is_killed(engine, started, eventually):
    tea = engine.find(started("sleep", "1000"))
    pid = tea.pid
    engine.pause(tea.id)
    os.kill(tea.state["ShimPid"], signal.SIGKILL)
    eventually(lambda: tea.status == "exited")
    eventually(lambda: gone(pid))
    assert groups(tea) == []


def test_the_shim_of_one_to_be_removed_is_killed(engine, started, eventually):
    tea = engine.find(started("sleep", "1000", name="tea", host={"AutoRemove": True}))
    shim = tea.state["ShimPid"]
    os.kill(shim, signal.SIGKILL)
    eventually(lambda: gone(shim))
    assert [container.status for container in engine.containers()] == ["exited"]  # as ps looks
    assert engine.containers() == []
    assert os.listdir(f"{engine.root}/containers") == os.listdir(f"{engine.root}/names") == []
    assert engine.events()[-1]["Action"] == "destroy"


def test_a_lost_shim_and_an_oom_kill(engine, started, eventually):
    """What the kernel counted before is not forgotten."""
    tea = engine.find(started("sh", "-c", "hog 200M; sleep 1000",
                              host={"Memory": 32 << 20, "MemorySwap": 32 << 20}))
    eventually(lambda: [each for each in engine.evidence(tea.id) if each["what"] == "oom_kill"])
    os.kill(tea.state["ShimPid"], signal.SIGKILL)
    eventually(lambda: tea.status == "exited")
    assert tea.oom_killed and "oom_kill 1" in engine.last_cgroup(tea.id)["memory.events"]["text"]


def test_init_is_killed(engine, started):
    tea = engine.find(started("sleep", "1000"))
    os.kill(tea.pid, signal.SIGKILL)
    assert engine.wait(tea.id) == 137
    assert groups(tea) == []


HOLDER = """
import os, socket, sys
sys.path.insert(0, sys.argv[1])
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[2])
listener.listen(5)
connection = listener.accept()[0]
connection.recv(65536)
print("held", flush=True)
sys.stdin.read()
"""
STARTER = """
import sys
sys.path.insert(0, sys.argv[1])
from runtime.engine.engine import Engine
Engine(sys.argv[2]).start("tea", gate=sys.argv[3])
"""


@pytest.fixture
def held(engine, make, tmp_path):
    """A start that stands still at its first operation: (engine's process, shim's pid)."""
    here, gate = str(Path(__file__).resolve().parents[3]), f"{engine.root}/gate"
    make("sleep", "1000", name="tea")
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, here, gate], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    while not os.path.exists(gate):
        assert holder.poll() is None
    starter = subprocess.Popen([sys.executable, "-c", STARTER, here, engine.root, gate],
                               stderr=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    from runtime.engine import connection

    yield starter, connection.listener(engine.find("tea").run)
    for process in (starter, holder):
        process.kill()
        process.communicate()


def test_the_shim_is_killed_in_the_middle_of_a_start(engine, held):
    starter, shim = held
    os.kill(shim, signal.SIGKILL)
    _, err = starter.communicate(timeout=20)
    assert "ask the shim: it went away without an answer" in err
    tea = engine.find("tea")
    assert tea.status == "created" and groups(tea) == []
    assert os.listdir(engine.run_dir) == []
    engine.start("tea")
    assert tea.status == "running"


def test_command_and_shim_are_killed_in_the_middle_of_a_start(engine, held, eventually):
    starter, shim = held
    starter.kill()
    starter.wait()
    with pytest.raises(LabError, match="cannot remove container"):
        engine.remove("tea")
    os.kill(shim, signal.SIGKILL)
    eventually(lambda: gone(shim))
    group = engine.find("tea")
    engine.remove("tea")
    assert groups(group) == [] and engine.containers() == []


def test_the_command_is_killed_in_the_middle_of_a_start(engine, held, eventually):
    """The shim waits at the gate still; rm -f ends it."""
    starter, shim = held
    starter.kill()
    starter.wait()
    engine.remove("tea", force=True)
    eventually(lambda: gone(shim))
    assert engine.containers() == []


@pytest.mark.parametrize("status", ["running", "paused"])
def test_a_pid_that_is_somebody_elses_now(engine, make, status):
    """After a reboot, or after pid_max processes: the number is another's, the start time tells."""
    victim = subprocess.Popen(["sleep", "1000"])
    try:
        ticks = processes.start_ticks(victim.pid)
        for wrong in (ticks + 1, ticks - 1, 0):
            make("true", name="tea")
            path = f"{engine.find('tea').directory}/state.json"
            state = documents.read(path)
            documents.write(path, {**state, "Status": status, "Pid": victim.pid, "PidStart": wrong,
                                   "ShimPid": victim.pid, "ShimStart": wrong})
            assert engine.find("tea").status == "exited"
            documents.write(path, {**state, "Status": status, "Pid": victim.pid, "PidStart": wrong,
                                   "ShimPid": victim.pid, "ShimStart": wrong})
            engine.remove("tea", force=True)
        make("true", name="tea")
        documents.write(f"{engine.find('tea').directory}/state.json",
                        {**state, "Status": status, "Pid": victim.pid, "PidStart": 1,
                         "ShimPid": victim.pid, "ShimStart": 1})
        engine.clean()
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()


def test_a_zombie_is_not_a_shim(engine, make):
    """Its parent lives and does not wait: a killed shim of ours must still count as gone."""
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    try:
        make("true", name="tea")
        path = f"{engine.find('tea').directory}/state.json"
        documents.write(path, {**documents.read(path), "Status": "running",
                               "ShimPid": zombie.pid,
                               "ShimStart": processes.start_ticks(zombie.pid)})
        assert engine.find("tea").status == "exited"
    finally:
        zombie.wait()
