"""The real program in a real terminal (tmux), on the live kernel; and what it says without one.

One story at 80×24 and at 200×60: choose the lesson on limits, predict, run, and read from the
captured screen that the kernel throttled, then killed. Each run has a state root and a tmux server
of its own, and removes what it made.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import termios
import tempfile
import time
from pathlib import Path

import pytest

from lab.sampler import trouble_words

HOUSE = Path(__file__).resolve().parents[2]
START = [sys.executable, "-I", "-S", str(HOUSE / "lab" / "start.py")]


class Terminal:
    """The program inside tmux, as a student has it."""

    def __init__(self, root: str, columns: int, rows: int) -> None:
        self.server = f"lab{os.getpid()}"
        self.env = {**os.environ, "CONTAINER_LAB_ROOT": root}
        # A size that the caller's shell exports would count for more than the terminal's own.
        for name in ("TMUX", "COLUMNS", "LINES"):
            self.env.pop(name, None)
        line = " ".join(START) + "; echo ended $?; sleep 600"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-s", "s",
                  "-x", str(columns), "-y", str(rows), line)

    def tmux(self, *words: str) -> str:
        return subprocess.run(["tmux", "-L", self.server, *words], check=True, text=True,
                              capture_output=True, env=self.env).stdout

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", "s")

    def until(self, *words: str, seconds: float = 20.0) -> str:
        """The screen once all the words are on it."""
        deadline = time.monotonic() + seconds
        while True:
            seen = self.screen()
            if all(word in seen for word in words):
                return seen
            if time.monotonic() > deadline:
                pytest.fail(f"not on the screen: {[w for w in words if w not in seen]}\n{seen}")
            time.sleep(0.05)

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", "-t", "s", *keys)

    def close(self) -> None:
        self.tmux("kill-server")


@pytest.fixture
def root():
    folder = tempfile.mkdtemp(prefix="lt", dir="/tmp")
    yield folder
    env = {**os.environ, "CONTAINER_LAB_ROOT": folder}
    names = subprocess.run([*START, "ps", "-aq"], capture_output=True, text=True, env=env)
    for name in names.stdout.split():
        subprocess.run([*START, "rm", "-f", name], capture_output=True, env=env)
    subprocess.run([*START, "clean"], capture_output=True, env=env)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def terminal(root, request):
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    made = Terminal(root, *request.param)
    yield made
    made.close()


SIZES = pytest.mark.parametrize("terminal", [(80, 24), (200, 60)], indirect=True,
                                ids=["80x24", "200x60"])


@pytest.mark.kernel
@SIZES
def test_a_student_sees_the_kernel_throttle_and_kill(terminal):
    terminal.until("Limits", "enter open", "Linux")
    terminal.press("Right", "Right")
    terminal.until("▸ ○ Throttled, and killed")
    terminal.press("Enter")
    terminal.until("step 1 of 12")
    terminal.press("n")
    terminal.until("How sure are you?")
    terminal.press("3", "Enter")
    terminal.until("✔ locked")
    terminal.press("n")
    terminal.until("step 3 of 12", "--cpus 0.5", "r runs it")
    terminal.press("r")
    seen = terminal.until("▲ THROTTLED", "you said")
    count = int(seen.split("▲ nr_throttled ")[1].split()[0])
    assert count > 0
    terminal.press("n")
    terminal.until("step 4 of 12")
    terminal.press("n", "n")
    terminal.until("step 5 of 12", "How sure are you?")
    terminal.press("2", "Enter")
    terminal.until("✔ locked")
    terminal.press("n")
    terminal.until("step 6 of 12", "hog 200M")
    terminal.press("r")
    seen = terminal.until("✖ OOM", "oom_kill 1", "137", "oom_kill 0→1", "the kernel said",
                          "exit 137\n")
    assert seen.splitlines()[-2].endswith("exit 137")
    terminal.press("w")
    terminal.until("is dead. Why?", "128 + 9")
    terminal.press("w", "q")
    terminal.until("enter open")
    terminal.press("q")
    terminal.until("ended 0")


@pytest.mark.kernel
@pytest.mark.parametrize("terminal", [(100, 30)], indirect=True)
def test_the_free_lab_and_a_shell_where_docker_is_ours(terminal):
    terminal.until("enter open", "Linux")
    terminal.press("f")
    terminal.until("no container yet")
    terminal.press("n")
    terminal.until("takes it")
    terminal.press("Enter")
    terminal.until("● RUN", "tea")
    terminal.press("e")
    terminal.until("exit or ctrl+d goes back")
    terminal.press("docker ps --format '{{.Names}}={{.State}}'", "Enter")
    terminal.until("tea=running")
    terminal.press("exit", "Enter")
    terminal.until("▸ tea", "● RUN")
    terminal.press("K")
    terminal.until("EXIT 137")
    terminal.press("d", "d")
    terminal.until("no container yet")


@pytest.mark.kernel
@pytest.mark.parametrize("terminal", [(20, 5)], indirect=True)
def test_a_terminal_of_20_by_5_gets_a_sentence(terminal):
    seen = " ".join(terminal.until("needs").split())
    assert "60×18" in seen and "20×5" in seen
    terminal.press("q")
    terminal.until("ended 0")


@pytest.mark.kernel
@pytest.mark.parametrize("terminal", [(80, 24)], indirect=True)
def test_a_killed_lab_leaves_the_terminal_as_it_was(terminal):
    terminal.until("enter open")
    flags = "#{alternate_on} #{mouse_any_flag} #{cursor_flag}"
    assert terminal.tmux("display", "-p", "-t", "s", flags).split() == ["1", "1", "0"]
    shell = int(terminal.tmux("display", "-p", "-t", "s", "#{pane_pid}"))
    children = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    terminal.until("ended 137")
    deadline = time.monotonic() + 5
    while terminal.tmux("display", "-p", "-t", "s", flags).split() != ["0", "0", "1"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    pty = terminal.tmux("display", "-p", "-t", "s", "#{pane_tty}").strip()
    with open(pty) as opened:
        local = termios.tcgetattr(opened)[3]
    assert local & termios.ISIG and local & termios.ECHO and local & termios.ICANON


@pytest.mark.kernel
@pytest.mark.parametrize("terminal", [(100, 30)], indirect=True)
def test_the_shell_says_where_one_is_and_completes(terminal):
    terminal.until("enter open", "Linux")
    terminal.press("f", "e")
    terminal.until("exit or ctrl+d goes back", "(lab)")
    terminal.press("docker vers", "Tab")
    terminal.until("docker version")
    terminal.press("C-u", "exit", "Enter")
    terminal.until("no container yet")


def test_a_closed_standard_input_is_one_sentence(tmp_path):
    line = " ".join(START) + " <&-"
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True,
                          env={**os.environ, "CONTAINER_LAB_ROOT": str(tmp_path)})
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "needs a terminal" in done.stderr and "isatty" not in done.stderr


def test_anothers_state_is_a_sentence():
    words = trouble_words(PermissionError(13, "Permission denied", "/r/containers"), "/r")
    assert words.startswith("/r is another user's: ") and "--root" in words


def test_without_a_terminal_there_is_one_sentence(tmp_path):
    done = subprocess.run(START, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env={**os.environ, "CONTAINER_LAB_ROOT": str(tmp_path)})
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "needs a terminal" in done.stderr and "container-lab lesson list" in done.stderr
