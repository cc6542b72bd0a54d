"""The conversation of `run --step`: what is typed, what is said, and what is left afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runtime.client.film import Breakpoints, Film
from runtime.client.motion import Motion
from runtime.client.session import Session
from runtime.client.stepping import Stepper
from runtime.engine.engine import Engine
from runtime.inspect import moments
from tests.conftest import remains
from tests.runtime.client.test_film import FILM, moment


class Told:
    """A motion over a film: every step is one frame further."""

    def __init__(self) -> None:
        self.film = Film(FILM)
        for at, frame in enumerate(self.film.frames[1:], 31):
            frame.moment = moment(at)
        self.frames = self.film.frames[:1]
        self.end, self.error = "", None
        self.host: moments.Moment | None = moment(20)
        self.container = SimpleNamespace(name="tea")
        self.refused = False

    def begin(self) -> None: ...

    def after(self, number: int) -> moments.Moment | None:
        return self.film.after(number)

    def step(self) -> bool:
        if len(self.frames) == len(FILM):
            self.end = "running"
        else:
            self.frames = self.film.frames[:len(self.frames) + 1]
        return not self.end

    def run(self, until: Callable[[Any], bool]) -> bool:
        while self.step():
            if until(self.frames[-1]):
                return True
        return False

    def next_phase(self, stops: Breakpoints) -> bool:
        phase = self.frames[-1].phase
        return self.run(lambda frame: frame.phase != phase or stops.hit(frame))

    def give_up(self) -> None:
        self.refused, self.end = True, "failed"


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
         ) -> Callable[..., tuple[bool, str, Told]]:
    """talk("p", "u") → (does it run, what was said, the motion)."""

    def typed(*lines: str) -> tuple[bool, str, Told]:
        reader, writer = os.pipe()
        os.write(writer, "".join(f"{line}\n" for line in lines).encode())
        os.close(writer)
        saved = os.dup(0)
        os.dup2(reader, 0)
        os.close(reader)
        motion = Told()
        try:
            runs = Stepper(Session("container-lab"), cast("Motion", motion)).run()
        finally:
            os.dup2(saved, 0)
            os.close(saved)
        out, err = capfd.readouterr()
        assert not out, "stdout is the container's"
        return runs, err, motion

    monkeypatch.setenv("COLUMNS", "80")
    return typed


def test_enter_is_a_step_and_each_is_explained(talk: Callable[..., Any]) -> None:
    runs, said, _ = talk("", "", "", "")
    assert runs and "the program runs: tea, 4 operations" in said
    assert "-- isolate ---" in said and "-- root ---" in said and "-- exec ---" in said
    assert "Makes the overlay the root of this mount namespace." in said
    assert "Why not chroot?" in said and "pivot_root(2) by pid" in said
    assert "$ pivot_root" in said and "mounts: 31 -> 32" in said and "ok 41 µs" in said
    assert max(map(len, said.splitlines())) <= 100 and "\x1b" not in said


def test_the_next_phase_and_going_on(talk: Callable[..., Any]) -> None:
    _, said, _ = talk("p", "p", "c")
    assert "  3  pivot_root" in said and "  4  execve" in said
    assert said.count("Why not") == 2, "what is passed over is not explained"


def test_a_breakpoint(talk: Callable[..., Any]) -> None:
    _, said, _ = talk("b pivot_root", "b", "c", "b pivot_root", "b", "c")
    assert "stops at pivot_root" in said and "breakpoints: pivot_root" in said
    assert "no longer stops at pivot_root" in said and "breakpoints: none" in said
    assert "Makes the overlay the root" in said


def test_a_breakpoint_that_could_never_come_is_refused(talk: Callable[..., Any]) -> None:
    _, said, _ = talk("b pivotroot", "c")
    assert "pivotroot: no operation, phase or function of that name" in said


@pytest.mark.parametrize(("typed", "words"), [
    ("u", "def enter_rootfs("), ("k", "its own"), ("l", "-- isolate 1"), ("?", "go on to the next"),
    ("a", "it has no arguments"), ("w", "Cuts the tie"), ("dance", "'dance' is nothing that can"),
    ("r 9", "N is a number from 1 to 2"), ("r 1", "held still before 2, mount"),
])
def test_what_only_looks(talk: Callable[..., Any], typed: str, words: str) -> None:
    _, said, _ = talk("", typed, "c")
    assert words in said


def test_rewinding_shows_the_kernel_as_it_was(talk: Callable[..., Any]) -> None:
    _, said, _ = talk("", "", "", "r 2", "c")
    then = said[said.rindex("  2  mount"):]
    assert "mounts    20                       31" in then and "held still before 4" in then


@pytest.mark.parametrize("lines", [("q",), ("", "q"), (), ("",)])
def test_q_and_the_end_of_stdin_give_up(talk: Callable[..., Any], lines: tuple[str, ...]) -> None:
    runs, said, motion = talk(*lines)
    assert not runs and motion.refused
    assert f"given up before operation {lines.count('') + 1}, " in said
    assert ("nothing more is typed" in said) == ("q" not in lines)


# Real starts

@pytest.fixture
def engine(root: str) -> Engine:
    """A real one, in place of the fake of the other tests here."""
    return Engine(root)


@pytest.fixture
def spoken(command: Callable[..., list[str]]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """spoken("p\\nc\\n", "run", "--step", …): the command with that on its stdin."""

    def run(stdin: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command(*arguments), input=stdin, capture_output=True, text=True,
                              check=False)

    return run


@pytest.mark.kernel
def test_run_step(spoken: Callable[..., Any]) -> None:
    done = spoken("p\nb execve\nc\nc\n", "run", "--rm", "--name", "tea", "--step", "lab/base",
                  "sh", "-c", "echo hi; exit 3")
    assert (done.returncode, done.stdout) == (3, "hi\n"), done.stderr
    assert "-- isolate" in done.stderr and "Becomes the program." in done.stderr
    assert "the program runs: tea" in done.stderr


@pytest.mark.kernel
def test_what_follows_on_stdin_is_the_containers(spoken: Callable[..., Any]) -> None:
    done = spoken("c\nfor the container\n", "run", "--rm", "-i", "--step", "lab/base", "cat")
    assert (done.returncode, done.stdout) == (0, "for the container\n"), done.stderr


@pytest.mark.kernel
def test_detached_the_id_comes_first_and_the_command_ends_when_it_runs(
        spoken: Callable[..., Any], engine: Engine) -> None:
    done = spoken("c\n", "run", "-d", "--name", "tea", "--step", "lab/base", "sleep", "60")
    assert done.returncode == 0 and done.stdout.strip() == engine.find("tea").id
    assert engine.find("tea").status == "running"


@pytest.mark.kernel
@pytest.mark.parametrize(("flags", "left"), [(["--rm"], 0), ([], 1), (["-d"], 1)])
def test_given_up(spoken: Callable[..., Any], engine: Engine, flags: list[str], left: int) -> None:
    done = spoken("b pivot_root\nc\nq\n", "run", *flags, "--name", "tea", "--step", "lab/base",
                  "sleep", "60")
    assert done.returncode == 125, done.stderr
    assert ", pivot_root: nothing runs, and what was made is taken back" in done.stderr
    assert "Error response" not in done.stderr
    assert len(engine.containers()) == left
    assert not [line for line in remains(engine.root) if "/tea" in line or "process" in line]


@pytest.mark.kernel
def test_start_step(spoken: Callable[..., Any], make: Callable[..., str], engine: Engine) -> None:
    make("sleep", "60", name="tea")
    make("sh", "-c", "echo hi; exit 4", name="ink")
    done = spoken("c\n", "start", "--step", "tea", "ink")
    assert done.returncode == 1
    assert "you cannot step through the starts of multiple containers at once" in done.stderr
    done = spoken("q\n", "start", "--step", "tea")
    assert done.returncode == 125 and not done.stdout
    done = spoken("c\n", "start", "--step", "tea")
    assert (done.returncode, done.stdout) == (0, "tea\n"), done.stderr
    done = spoken("c\n", "start", "--step", "tea")
    assert done.returncode == 1 and "tea: it is running" in done.stderr
    done = spoken("c\n", "start", "-a", "--step", "ink")
    assert (done.returncode, done.stdout) == (4, "hi\n"), done.stderr


@pytest.mark.kernel
def test_what_cannot_be_stepped_is_refused(spoken: Callable[..., Any], engine: Engine) -> None:
    done = spoken("c\n", "run", "--runtime", "runc", "--step", "lab/base", "true")
    assert done.returncode == 125 and "only our own runtime" in done.stderr
    assert not engine.containers()
    done = spoken("", "create", "--step", "lab/base", "true")
    assert done.returncode == 125 and "unknown flag: --step" in done.stderr


@pytest.mark.kernel
def test_ctrl_c_gives_up(command: Callable[..., list[str]], engine: Engine) -> None:
    stepper = subprocess.Popen(command("run", "--rm", "--name", "tea", "--step", "lab/base",
                                       "true"), stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, start_new_session=True)
    assert stepper.stdin is not None and stepper.stderr is not None
    stepper.stdin.write("b pivot_root\nc\n")
    stepper.stdin.flush()
    while "  $ pivot_root" not in stepper.stderr.readline():
        assert stepper.poll() is None
    stepper.send_signal(signal.SIGINT)
    assert stepper.wait(10) == 125
    assert "given up before operation" in stepper.stderr.read()
    stepper.stdin.close()
    stepper.stderr.close()
    assert not engine.containers()


@pytest.mark.kernel
def test_the_terminal_is_closed_in_the_middle(command: Callable[..., list[str]], engine: Engine,
                                              eventually: Callable[..., Any]) -> None:
    """SIGHUP, as a closed window sends it: nothing hangs, nothing is left."""
    leader, follower = os.openpty()
    stepper = subprocess.Popen(
        command("run", "--name", "tea", "--step", "lab/base", "sleep", "60"), stdin=follower,
        stdout=follower, stderr=follower, start_new_session=True)
    os.close(follower)
    os.write(leader, b"b capset\nc\n")
    said, deadline = b"", time.monotonic() + 20
    while b"$ capsh" not in said:
        assert time.monotonic() < deadline
        said += os.read(leader, 4096)
    os.close(leader)
    stepper.send_signal(signal.SIGHUP)
    stepper.wait(10)
    eventually(lambda: not [line for line in remains(engine.root) if "/tea" in line
                            or "process" in line])
    assert engine.find("tea").status == "created"
    eventually(lambda: not Path(engine.find("tea").run).exists())
