"""The shim itself, seen from outside: what it ignores, what it holds, what it costs."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from runtime import documents
from runtime.engine import connection
from runtime.errors import Conflict
from runtime.shim import protocol

pytestmark = pytest.mark.kernel


@pytest.fixture
def tea(engine, started):
    return engine.find(started("sleep", "1000", name="tea"))


def status(pid: int, key: str) -> str:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return line.split(None, 1)[1]
    raise KeyError(key)


def test_signals_it_ignores(engine, tea):
    """A host that goes down sends SIGTERM to all at once: the container's own comes first."""
    shim = tea.state["ShimPid"]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        os.kill(shim, number)
    assert tea.status == "running"
    engine.kill("tea")
    assert engine.wait("tea") == 137


def test_it_waits_without_a_sound(tea):
    """Asleep in poll(2), no time used: the loop does not spin on anything."""
    shim = tea.state["ShimPid"]

    def switches() -> int:
        return int(status(shim, "voluntary_ctxt_switches"))

    time.sleep(0.05)
    before = switches()
    time.sleep(0.3)
    assert switches() - before <= 1
    assert status(shim, "State").startswith("S") and status(shim, "Threads") == "1"


def test_closed_stdin_and_hung_up_clients_do_not_make_it_spin(engine, make):
    container = make("sleep", "1000", OpenStdin=True)
    attachment = engine.attach(container)
    engine.start(container)
    attachment.close_stdin()
    for _ in range(5):
        engine.attach(container).close()
    engine.exec(container, {"Cmd": ["sleep", "0.01"]}).close()
    shim = engine.find(container).state["ShimPid"]
    time.sleep(0.2)
    before = int(status(shim, "voluntary_ctxt_switches"))
    time.sleep(0.3)
    assert int(status(shim, "voluntary_ctxt_switches")) - before <= 1


def test_it_holds_few_descriptors(engine, tea, eventually):
    shim = tea.state["ShimPid"]
    engine.attach("tea").close()  # answered: the start is behind it
    before = len(os.listdir(f"/proc/{shim}/fd"))
    assert before < 20
    for _ in range(50):
        engine.attach("tea").close()
        connection.connect(tea.run).close()
    eventually(lambda: len(os.listdir(f"/proc/{shim}/fd")) <= before)


def test_more_clients_than_descriptors(engine, tea, eventually):
    """The last ones wait in the queue; the container does not notice, and room is made again."""
    shim = tea.state["ShimPid"]
    import resource

    most = max(map(int, os.listdir(f"/proc/{shim}/fd"))) + 6
    resource.prlimit(shim, resource.RLIMIT_NOFILE, (most, 4096))
    crowd = [connection.connect(tea.run) for _ in range(min(most + 8, 60))]
    # Numbers below the limit may be free here and there: all of them are taken first.
    eventually(lambda: len(os.listdir(f"/proc/{shim}/fd")) == most)
    time.sleep(0.05)
    before = int(status(shim, "voluntary_ctxt_switches"))
    time.sleep(0.2)
    assert int(status(shim, "voluntary_ctxt_switches")) - before <= 1
    for sock in crowd:
        sock.close()
    attachment = engine.attach("tea")
    engine.kill("tea")
    assert attachment.read() == ("exit", b"137")
    notes = [each for each in engine.evidence("tea") if each["what"] == "accept failed"]
    assert 0 < len(notes) < 10  # written once there was a descriptor for that, too


def test_a_hundred_attached(engine, tea):
    attachments = [engine.attach("tea") for _ in range(100)]
    engine.kill("tea")
    assert {attachment.read() for attachment in attachments} == {("exit", b"137")}
    for attachment in attachments:
        attachment.close()


def test_the_socket_is_roots_alone(tea):
    folder = os.stat(tea.run)
    assert folder.st_mode & 0o077 == 0


def test_the_order_of_the_end(engine, tea):
    """State on disk before anyone is told: who hears "die" can read the code."""
    attachment = engine.attach("tea")
    engine.kill("tea")
    assert attachment.read() == ("exit", b"137")
    assert tea.state["ExitCode"] == 137 and tea.state["Status"] == "exited"
    assert not Path(tea.run).exists()
    what = [each["what"] for each in engine.evidence("tea")]
    assert what == ["kill", "signal", "exited"]
    with pytest.raises(Exception, match="it is not there"):
        connection.ask(tea.run, {"do": "pause"})


def test_asked_for_what_it_does_not_know(tea):
    sock = connection.connect(tea.run)
    sock.sendall(protocol.message(b"J", {"do": "dance"}))
    with pytest.raises(Exception, match="the shim does not know 'dance'"):
        connection.Attachment(sock).answer()
    sock.close()


STOPPER = """while :; do for pid in /proc/[0-9]*; do pid=${pid#/proc/}
[ $pid != 1 ] && kill -STOP $pid; done; done"""


@pytest.mark.timeout(30)
def test_an_exec_that_is_stopped_on_its_way_in_stops_nobody_else(engine, started):
    container = engine.find(started("sh", "-c", STOPPER, name="trap"))
    asked = [connection.Attachment(connection.connect(container.run)) for _ in range(3)]
    for each in asked:
        each.say({"do": "exec", "process": {
            **documents.read(f"{container.directory}/config.json")["process"],
            "args": ["true"], "env": ["HOME=/"]}})
    assert not asked[0].ready(1.0)
    engine.pause("trap")
    engine.unpause("trap")
    engine.kill("trap")
    assert engine.wait("trap") == 137
    for each in asked:
        try:
            each.answer()
        except Conflict as error:
            assert "ended meanwhile" in str(error) or "killed on the way in" in str(error)
        else:  # it was stopped between its last word and execve
            assert each.read() == ("exit", b"137")


def test_an_exec_whose_asker_goes_away_meanwhile(engine, started):
    container = engine.find(started("sh", "-c", STOPPER, name="trap"))
    attachment = connection.Attachment(connection.connect(container.run))
    attachment.say({"do": "exec", "process": {
        **documents.read(f"{container.directory}/config.json")["process"], "args": ["true"]}})
    assert not attachment.ready(0.5)
    attachment.close()
    engine.kill("trap")
    assert engine.wait("trap") == 137


def test_processes_that_outlive_init(engine, started, eventually):
    """With the host's PID namespace nothing ends them with init; the shim does."""
    tea = engine.find(started("sh", "-c", "sleep 1000 & sleep 1000 & read x",
                              host={"PidMode": "host"}, OpenStdin=True))
    eventually(lambda: len(Path(f"/proc/{tea.pid}/task/{tea.pid}/children").read_text().split())
               == 2)
    children = Path(f"/proc/{tea.pid}/task/{tea.pid}/children").read_text().split()
    engine.kill(tea.id)
    assert engine.wait(tea.id) == 137
    for child in children:
        eventually(lambda child=child: not Path(f"/proc/{child}/exe").exists())
