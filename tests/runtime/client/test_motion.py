"""A start held before each operation: real ones, and the film of one that is over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runtime.client.film import FILE, Breakpoints, film_of
from runtime.client.motion import Motion, check_runtime
from runtime.engine.engine import Engine
from runtime.errors import Conflict, Denied, Unsupported
from runtime.inspect import moments
from runtime.inspect.source import Live, Recording
from tests.conftest import remains

HERE = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("runtime", ["", "container-lab"])
def test_ours_can_be_stepped(runtime: str) -> None:
    check_runtime(runtime)


def test_others_cannot() -> None:
    with pytest.raises(Unsupported, match="step through a start by runc: only our own runtime"):
        check_runtime("runc")


def test_before_its_birth_a_container_shows_nothing() -> None:
    assert moments.moment(Recording({}), 7) is None


TWO = """
import sys
import threading
sys.path.insert(0, sys.argv[1])
from runtime.trace.operation import observe, operation
from runtime.trace.wire import Wire

@operation("write(2)")
def write_control(path, text): ...

@operation("umask(2)")
def umask(mask): ...

observe(Wire(sys.argv[2]))
print("connected", flush=True)
for n in range(2):
    write_control("/proc/1/uid_map", "0 0 1") if sys.argv[3] == "shim" else umask(n)
"""


class TwoLines:
    """An engine whose starts are two processes that ask at the same time, as with a user namespace:
    the shim writes the maps while init goes on to where it waits for them."""

    def __init__(self, folder: Path) -> None:
        self.container = SimpleNamespace(
            id="tea", name="tea", run=str(folder / "run"), directory=str(folder),
            status="created", config={"HostConfig": {}})

    def find(self, ref: str) -> Any:
        return self.container

    def start(self, ref: str, gate: str) -> None:
        started = []
        for who in ("shim", "init"):
            started.append(subprocess.Popen([sys.executable, "-c", TWO, str(HERE), gate, who],
                                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
            assert started[-1].stdout is not None and started[-1].stdout.readline()
        codes = []
        for process in started:
            assert process.stdout is not None
            process.stdout.close()
            codes.append(process.wait())
        if any(codes):
            raise Denied("refused at the gate")


def test_two_lines_wait_at_a_time(tmp_path: Path) -> None:
    motion = Motion(cast("Any", TwoLines(tmp_path)), "tea", Live())
    motion.begin()
    while motion.step():
        done = [frame for frame in motion.frames if frame.operation["ns"] >= 0]
        assert len(done) == len(motion.frames) - 1, "one is let go at a time"
    assert motion.end == "running", motion.error
    assert sorted((frame.by, frame.name) for frame in motion.frames) == [
        ("init", "umask"), ("init", "umask"), ("shim", "write_control"), ("shim", "write_control")]
    assert (tmp_path / FILE).exists()


def test_both_lines_are_given_up(tmp_path: Path) -> None:
    motion = Motion(cast("Any", TwoLines(tmp_path)), "tea", Live())
    motion.begin()
    motion.step()
    motion.give_up()
    assert motion.end == "failed" and isinstance(motion.error, Denied)


@pytest.fixture
def engine(root: str) -> Engine:
    """A real one, in place of the fake of the other tests here."""
    return Engine(root)


@pytest.fixture
def motion(engine: Engine, make: Callable[..., str]) -> Motion:
    return Motion(engine, make("sleep", "60", name="tea"), Live())


def names(motion: Motion) -> list[str]:
    return [frame.name for frame in motion.frames]


@pytest.mark.kernel
def test_a_whole_start_step_by_step(motion: Motion, engine: Engine,
                                    eventually: Callable[..., Any]) -> None:
    motion.begin()
    assert motion.end == "" and motion.frames[0].phase == "prepare" and not motion.frames[0].moment
    while motion.step():
        assert motion.frames[-1].operation["ns"] == -1, "the last one is held"
        assert all(frame.operation["ns"] >= 0 for frame in motion.frames[:-1])
    assert motion.end == "running" and motion.error is None
    assert names(motion)[-1] == "execve" and "pivot_root" in names(motion)
    assert engine.find("tea").status == "running"
    film = eventually(lambda: engine.operations("tea"))
    # Another start may have to make a parent group first; this one has nothing that is not told.
    assert [each["name"] for each in film] == names(motion)
    assert all(each["held_ns"] > 0 for each in film[:-1])
    again = film_of(engine, "tea")
    assert [frame.moment for frame in again.frames] == [frame.moment for frame in motion.frames]
    assert again.last == motion.last and again.last is not None
    assert again.last.program == "sleep" and again.last.inner_pid == 1


@pytest.mark.kernel
def test_what_moves_from_step_to_step(motion: Motion) -> None:
    motion.begin()
    assert motion.run(Breakpoints({"clone3"}).hit)
    assert motion.frames[-1].moment is None
    motion.step()
    born = motion.frames[-1].moment
    assert born is not None and motion.host is not None
    assert born.inner_pid == 1 and born.namespaces["mnt"] != motion.host.namespaces["mnt"]
    assert born.namespaces["mnt"] == os.stat(f"/proc/{born.pid}/ns/mnt").st_ino
    assert motion.run(Breakpoints({"pivot_root"}).hit)
    before = motion.frames[-1].moment
    motion.step()
    after = motion.frames[-1].moment
    assert before is not None and after is not None
    assert (before.root, before.device) == (motion.host.root, motion.host.device)
    assert after.root == "overlay" and after.device != before.device
    moved = moments.changes(before, after, motion.host)
    assert "/" in [name for name, _, _ in moved]
    assert motion.run(Breakpoints({"capset"}).hit)
    motion.step()
    after = motion.frames[-1].moment
    assert after is not None and after.effective == 0xA80425FB
    # Rewound: the past is what it was, whatever has happened since.
    shown = {row.name: row for row in moments.rows(before, motion.host)}
    assert not shown["/"].differs and shown["mnt"].differs and not shown["host"].differs
    motion.run(lambda frame: False)
    assert motion.end == "running"


@pytest.mark.kernel
def test_phase_by_phase(motion: Motion) -> None:
    motion.begin()
    phases = [motion.frames[-1].phase]
    while motion.next_phase(Breakpoints()):
        phases.append(motion.frames[-1].phase)
    order = [phase for phase in phases if phase not in ("prepare",)]
    assert list(dict.fromkeys(order)) == ["isolate", "root", "limit", "drop", "exec"]
    assert motion.end == "running"


@pytest.mark.kernel
@pytest.mark.parametrize("place", ["mkdir", "clone3", "setsid", "pivot_root", "capset", "execve"])
def test_given_up_nothing_is_left(motion: Motion, engine: Engine, root: str, place: str) -> None:
    motion.begin()
    if not Breakpoints({place}).hit(motion.frames[-1]):
        assert motion.run(Breakpoints({place}).hit)
    held = motion.frames[-1].pid
    motion.give_up()
    assert motion.end == "failed" and isinstance(motion.error, Denied)
    assert "given up" in str(motion.error)
    assert not os.path.exists(f"/proc/{held}") or motion.frames[-1].by == "shim"
    assert engine.find("tea").status == "created"
    engine.remove("tea")
    assert not [left for left in remains(root) if "tea" in left]


@pytest.mark.kernel
def test_one_that_runs_is_not_started_again(started: Callable[..., str], engine: Engine) -> None:
    started("sleep", "60", name="tea")
    with pytest.raises(Conflict, match="it is running"):
        Motion(engine, "tea", Live()).begin()


@pytest.mark.kernel
def test_a_start_that_fails_ends_the_film_with_the_error(engine: Engine,
                                                         make: Callable[..., str]) -> None:
    motion = Motion(engine, make("no-such-program", name="tea"), Live())
    motion.begin()
    motion.run(lambda frame: False)
    assert motion.end == "failed"
    assert "executable file not found" in str(motion.error)


STEPPER = """
import sys
import threading
sys.path.insert(0, sys.argv[1])
from runtime.client.motion import Breakpoints, Motion
from runtime.engine.engine import Engine
from runtime.inspect.source import Live
motion = Motion(Engine(sys.argv[2]), "tea", Live())
motion.begin()
if not Breakpoints({sys.argv[3]}).hit(motion.frames[-1]):
    assert motion.run(Breakpoints({sys.argv[3]}).hit)
print(motion.frames[-1].pid, flush=True)
import time
time.sleep(99)
"""


@pytest.mark.kernel
@pytest.mark.parametrize("place", ["mkdir", "clone3", "setsid", "pivot_root", "capset", "execve"])
def test_a_stepper_that_is_killed_takes_the_start_with_it(
        make: Callable[..., str], engine: Engine, root: str, place: str,
        eventually: Callable[..., Any]) -> None:
    make("sleep", "60", name="tea")
    stepper = subprocess.Popen([sys.executable, "-c", STEPPER, str(HERE), root, place],
                               stdout=subprocess.PIPE, text=True)
    assert stepper.stdout is not None
    try:
        held = int(stepper.stdout.readline())
        shim = int(engine.find("tea").state["ShimPid"]) or held
    finally:
        stepper.send_signal(signal.SIGKILL)
        stepper.wait()
        stepper.stdout.close()
    eventually(lambda: not [line for line in remains(root) if "/tea" in line
                            or "process" in line])
    eventually(lambda: not os.path.exists(f"/proc/{held}")
               or Path(f"/proc/{held}/stat").read_text().split(")")[1].split()[0] == "Z")
    assert shim and engine.find("tea").status == "created"
    # And it can be started again, by whoever comes next.
    engine.start("tea")
    assert engine.find("tea").status == "running"


@pytest.mark.kernel
def test_a_stepper_may_take_its_time(motion: Motion) -> None:
    motion.begin()
    motion.run(Breakpoints({"setsid"}).hit)
    time.sleep(0.3)
    motion.run(lambda frame: False)
    assert motion.end == "running"


def test_one_who_waits_in_vain_can_go_away(tmp_path: Path) -> None:
    """Somebody else has the container: nothing ever asks, and the one who waits is let go."""
    engine = TwoLines(tmp_path)
    blocked = threading.Event()
    engine.start = lambda ref, gate: blocked.wait() and None  # type: ignore[method-assign]
    motion = Motion(cast("Any", engine), "tea", Live())
    waiting = threading.Thread(target=motion.begin)
    waiting.start()
    time.sleep(0.1)
    assert waiting.is_alive()
    motion.abandon()
    waiting.join(10)
    assert not waiting.is_alive() and motion.end == "failed"
    assert not (tmp_path / "run" / "gate").exists()
    motion.abandon()
    motion.give_up()
    blocked.set()


def test_abandoned_while_held_the_start_is_taken_back(tmp_path: Path) -> None:
    motion = Motion(cast("Any", TwoLines(tmp_path)), "tea", Live())
    motion.begin()
    motion.abandon()
    assert motion.end == "failed"
    deadline = time.monotonic() + 10
    while motion.error is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert motion.error is not None, "whoever asks, or comes later, finds nobody to say go"
