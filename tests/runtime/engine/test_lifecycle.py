"""The states of a container, each seen from outside: /proc, the control group's own files."""

from __future__ import annotations

import concurrent.futures
import os
import time
from pathlib import Path

import pytest

from runtime.cgroup import stats
from runtime.engine import lifecycle
from runtime.engine.engine import Engine
from runtime.errors import Conflict, Denied, Invalid, LabError, NotFound

pytestmark = pytest.mark.kernel

POLITE = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done"
NOBODY = ["sleep", "1000"]


def processes_of(group: str) -> list[str]:
    """The pids in a group, by /proc/PID/cgroup and not by ourselves."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"{group}\n" in (process / "cgroup").read_text():
                found.append(process.name)
        except OSError:
            continue
    return found


def test_a_whole_life(engine, make):
    container = make("sh", "-c", POLITE, name="tea")
    assert engine.find("tea").status == "created"
    attachment = engine.attach("tea")
    engine.start("tea")
    assert attachment.read() == ("stdout", b"ready\n")
    tea = engine.find("tea")
    assert tea.status == "running"
    assert Path(f"/proc/{tea.pid}/cmdline").read_bytes().startswith(b"sh\0-c\0")
    assert str(tea.pid) in processes_of(tea.cgroup)
    engine.pause("tea")
    assert engine.find("tea").status == "paused"
    engine.unpause("tea")
    engine.stop("tea", timeout_s=10)
    assert attachment.read() == ("exit", b"3")
    assert (tea.status, tea.exit_code, tea.pid) == ("exited", 3, 0)
    assert not processes_of(tea.cgroup)
    engine.start("tea")
    assert tea.status == "running"
    engine.remove("tea", force=True)
    with pytest.raises(NotFound, match="No such container: tea"):
        engine.find("tea")
    assert not Path(tea.directory).exists()
    assert [event["Action"] for event in engine.events() if event["Actor"]["ID"] == container] == [
        "create", "start", "pause", "unpause", "kill", "die", "stop", "start", "kill", "die",
        "destroy"]


def test_a_shim_outside_the_group(engine, started):
    """Inside, the OOM killer could take it, and the group could not be removed."""
    tea = engine.find(started(*NOBODY))
    shim = tea.state["ShimPid"]
    assert Path(f"/proc/{shim}/comm").read_text() == "lab-shim\n"
    assert tea.cgroup not in Path(f"/proc/{shim}/cgroup").read_text()


def test_every_exit_code(started, inside):
    """0 to 255, as a shell would say them; through exec, for one container serves all."""
    container = started(*NOBODY)
    told = [inside(container, "sh", "-c", f"exit {code}").code for code in range(256)]
    assert told == list(range(256))


@pytest.mark.parametrize("code", [0, 1, 2, 125, 126, 127, 128, 137, 143, 255])
def test_the_exit_code_of_init(engine, run, code):
    assert run("sh", "-c", f"exit {code}", name="tea").code == code
    assert engine.wait("tea") == code
    state = engine.inspect("tea")["State"]
    assert (state["ExitCode"], state["OOMKilled"], state["Status"]) == (code, False, "exited")


@pytest.mark.parametrize("signal", [1, 2, 6, 11, 15])
def test_128_and_the_signal(engine, started, signal):
    """Without a PID namespace of its own: pid 1 of one is spared signals it has no handler for."""
    container = started("sleep", "1000", host={"PidMode": "host"})
    engine.kill(container, str(signal))
    assert engine.wait(container) == 128 + signal
    assert engine.find(container).state["Signal"] == signal


@pytest.mark.parametrize("command, code, kind, words", [
    ("no-such-program", 127, NotFound, 'exec: "no-such-program": executable file not found in'),
    ("/no/such", 127, NotFound, "no such file or directory"),
    ("/etc/passwd", 126, Denied, "permission denied"),
    ("/etc", 126, Denied, "is a directory"),
])
def test_what_cannot_be_started(engine, make, command, code, kind, words):
    container = make(command)
    with pytest.raises(kind, match=words) as caught:
        engine.start(container)
    assert caught.value.exit_code == code
    state = engine.find(container).state
    assert (state["Status"], state["ExitCode"]) == ("created", code)
    assert words in state["Error"]
    assert not stats.read_file(engine.find(container).cgroup, "memory.current")


def test_auto_remove_leaves_nothing(engine, run, eventually):
    ran = run("echo", "hi", name="tea", host={"AutoRemove": True})
    assert ran == (0, b"hi\n", b"")
    eventually(lambda: not engine.containers())
    assert os.listdir(f"{engine.root}/containers") == os.listdir(f"{engine.root}/names") == []
    assert os.listdir(engine.run_dir) == []


def test_auto_remove_of_one_that_cannot_start(engine, make):
    container = make("no-such-program", name="tea", host={"AutoRemove": True})
    with pytest.raises(NotFound):
        engine.start(container)
    assert engine.containers() == [] and os.listdir(f"{engine.root}/names") == []


def test_paused_is_paused(engine, started, eventually):
    """A busy loop counts into a file; while it is frozen the file does not change."""
    container = engine.find(started("sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > /n; done"))
    counter = Path(f"{container.directory}/upper/n")
    eventually(counter.exists)
    engine.pause(container.id)
    with pytest.raises(Conflict, match="already paused"):
        engine.pause(container.id)
    kernel = stats.read_file(container.cgroup, "cgroup.freeze")
    assert kernel is not None and kernel[0].strip() == "1"
    cpu, before = stats.read_file(container.cgroup, "cpu.stat"), counter.read_text()
    time.sleep(0.2)  # time passes, and that nothing happens in it is the point
    assert counter.read_text() == before
    assert stats.read_file(container.cgroup, "cpu.stat") == cpu
    engine.unpause(container.id)
    eventually(lambda: counter.read_text() not in ("", before))
    with pytest.raises(Conflict, match="is not paused"):
        engine.unpause(container.id)


def test_kill_of_a_paused_one(engine, started):
    container = started(*NOBODY)
    engine.pause(container)
    engine.kill(container)
    assert engine.wait(container) == 137


def test_stop_of_a_paused_one_is_polite(engine, make):
    """As with Docker the signal thaws it, so that it can hear it: no grace is waited out."""
    container = make("sh", "-c", POLITE)
    attachment = engine.attach(container)
    engine.start(container)
    assert attachment.read() == ("stdout", b"ready\n")
    engine.pause(container)
    engine.stop(container, timeout_s=30)
    assert engine.wait(container) == 3


def test_a_paused_one_is_not_entered(engine, started):
    container = started(*NOBODY, name="tea")
    engine.pause(container)
    for refused in (lambda: engine.exec(container, {"Cmd": ["true"]}),
                    lambda: engine.attach(container),
                    lambda: engine.start(container),
                    lambda: engine.remove(container)):
        with pytest.raises(Conflict, match="paused"):
            refused()


def test_what_does_not_run_refuses(engine, run):
    run("true", name="tea")
    ident = engine.find("tea").id
    with pytest.raises(Conflict, match=f"cannot kill container: tea: container {ident} is not"):
        engine.kill("tea")
    for refused in (lambda: engine.pause("tea"), lambda: engine.exec("tea", {"Cmd": ["true"]}),
                    lambda: engine.top("tea", [])):
        with pytest.raises(Conflict, match="is not running"):
            refused()
    engine.stop("tea")  # it is stopped: no error, as with Docker


def test_running_is_not_removed_without_force(engine, started):
    started(*NOBODY, name="tea")
    with pytest.raises(Conflict, match='cannot remove container "tea": container is running: stop'):
        engine.remove("tea")
    engine.remove("tea", force=True)


def test_a_second_start_is_no_error(engine, started):
    container = engine.find(started(*NOBODY))
    pid = container.pid
    engine.start(container.id)
    assert container.pid == pid


def test_prune_takes_what_does_not_run(engine, run, started):
    run("sh", "-c", "echo 12345 > /five", name="done")
    started(*NOBODY, name="busy")
    ids, size = engine.prune()
    assert len(ids) == 1 and size == 6
    assert [container.name for container in engine.containers()] == ["busy"]


def test_an_attachment_that_never_started(engine, make):
    """Its sockets are not kept: not by a second attach, not by a start, not by rm."""
    def sockets() -> int:
        return sum("socket" in os.readlink(f"/proc/self/fd/{fd}")
                   for fd in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{fd}"))

    before = sockets()
    container = make("true")
    for _ in range(5):
        engine.attach(container).close()
    engine.start(container)
    assert engine.wait(container) == 0
    engine.attach(container).close()
    engine.remove(container)
    assert sockets() == before


def test_ten_starts_at_once(engine, make):
    containers = [make("sh", "-c", f"exit {code}") for code in range(10)]
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        list(pool.map(engine.start, containers))
        assert list(pool.map(engine.wait, containers)) == list(range(10))


def test_ten_starts_of_one(engine, make):
    """One starts it, the others find it started."""
    container = make(*NOBODY)
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        list(pool.map(engine.start, [container] * 10))
    assert len(processes_of(engine.find(container).cgroup)) == 1


def test_attached_to_what_somebody_else_starts(engine, make, eventually):
    """The one who comes second to the start is attached all the same."""
    container = make("sh", "-c", "read x; echo $x", OpenStdin=True)
    attachment = engine.attach(container)
    Engine(engine.root).start(container)
    engine.start(container)
    attachment.write(b"hi\n")
    assert attachment.read() == ("stdout", b"hi\n")
    assert attachment.read() == ("exit", b"0")


def test_waiting_for_one_that_is_removed_at_its_end(engine, started):
    """The code as long as someone can know it, then "No such container": never a 0 of nobody."""
    for _ in range(10):
        container = started("sh", "-c", "exit 7", host={"AutoRemove": True})
        try:
            assert engine.wait(container) == 7
        except NotFound:
            continue


def test_stop_against_the_end_of_one_to_be_removed(engine, started):
    for _ in range(10):
        container = started("true", host={"AutoRemove": True})
        try:
            engine.stop(container)
        except NotFound as error:
            assert "No such container" in str(error)


def test_start_against_remove(engine, make):
    """Whoever comes first wins, and the other says so; never a running one without its files."""
    def attempt(action, container):
        try:
            action(container)
        except LabError as error:
            return error
        return None

    for _ in range(8):
        container = make(*NOBODY)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            start = pool.submit(attempt, engine.start, container)
            remove = pool.submit(attempt, engine.remove, container)
        if remove.result() is None:
            assert isinstance(start.result(), NotFound)
            assert not Path(engine.places.container(container)).exists()
        else:
            assert isinstance(remove.result(), Conflict) and start.result() is None
            assert engine.find(container).status == "running"
            engine.remove(container, force=True)
    assert engine.containers() == []


def test_two_forced_removes(engine, started):
    for _ in range(4):
        container = started(*NOBODY, host={"AutoRemove": True})
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            futures = [pool.submit(engine.remove, container, True) for _ in range(3)]
        for future in futures:
            assert future.exception() is None or isinstance(future.exception(), NotFound)
        assert engine.containers() == []


def test_signals_that_are_none(engine, started):
    container = started(*NOBODY)
    with pytest.raises(Invalid, match="invalid signal: HUPP"):
        engine.kill(container, "HUPP")


def test_one_that_not_even_sigkill_ends_is_not_stopped(engine, started, monkeypatch):
    container = started("sleep", "1000", name="tea")
    monkeypatch.setattr(lifecycle, "wait", lambda container, timeout_s: (False, 0))
    monkeypatch.setattr(lifecycle.connection, "ask", lambda run, request: None)
    with pytest.raises(Conflict, match="did not receive an exit event"):
        engine.stop(container, 0)
    assert [each["Action"] for each in engine.events()][-1] == "kill"


def test_a_start_again_that_fails_makes_nothing_new_of_it(engine, started):
    container = started("/bin/sh", "-c", "rm /bin/sh", name="tea")
    assert engine.wait(container) == 0
    with pytest.raises(NotFound, match="/bin/sh"):
        engine.start(container)
    state = engine.inspect(container)["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 127) and "/bin/sh" in state["Error"]
