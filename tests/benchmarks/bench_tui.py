"""How much the lab costs: CPU per update, key → paint, first paint, idle, memory, event → screen.

`make bench-tui`, as root for what needs a container. Drives the real program in a pty of 120×40, as
a terminal does, and reads what it writes; the CPU is the process's own, so a busy machine does not
lie about it (the times are wall clock, and do). Budgets: the lab's design, section 5.
The last line is one sentence with the numbers.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
START = [sys.executable, "-I", "-S", str(HOUSE / "lab" / "start.py")]
COLUMNS, ROWS = 120, 40
BUDGET = {"update": 10.0, "key": 30.0, "first": 700.0, "idle": 1.0, "rss": 60.0, "event": 100.0,
          "start": 100.0}
CONTROL = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>]|\x1b\][^\x07]*\x07")
TICKS = os.sysconf("SC_CLK_TCK")


class Screen:
    """The program in a pty; what it wrote, without control sequences, is `text`."""

    def __init__(self, root: str) -> None:
        self.text = b""
        self.began = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(CONTAINER_LAB_ROOT=root, TERM="xterm-256color", COLORTERM="truecolor")
            os.execv(START[0], START)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def read(self, seconds: float) -> bytes:
        """What it writes within the time, or at once when there is something."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self.fd, 1 << 16)
        except OSError:
            return b""
        self.text += CONTROL.sub(b"", data)
        return data

    def until(self, words: bytes, seconds: float = 10.0) -> float:
        """Milliseconds until the words have been painted; fails after the time."""
        start = time.perf_counter()
        while words not in self.text:
            if time.perf_counter() - start > seconds:
                raise SystemExit(f"bench_tui: {words!r} was not painted in {seconds} s")
            self.read(0.5)
        return (time.perf_counter() - start) * 1000

    def key(self, key: bytes, words: bytes = b"") -> float:
        """Milliseconds from the key to the first paint (or to the words)."""
        self.text = b""
        start = time.perf_counter()
        os.write(self.fd, key)
        if words:
            return self.until(words)
        self.read(5.0)
        return (time.perf_counter() - start) * 1000

    def rest(self, seconds: float) -> None:
        """Read what it writes for a while, as a terminal would."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.read(left)

    def cpu(self) -> float:
        """CPU seconds of the program so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss(self) -> float:
        """Resident megabytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024

    def busy(self, seconds: float) -> float:
        """CPU milliseconds per tenth of a second over the time."""
        before = self.cpu()
        self.rest(seconds)
        return (self.cpu() - before) * 1000 / (seconds * 10)

    def close(self) -> None:
        """End it."""
        try:
            os.kill(self.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def docker(root: str, *words: str) -> None:
    """One command line, that must succeed."""
    subprocess.run([*START, *words], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "CONTAINER_LAB_ROOT": root})


def first_paint(root: str, rounds: int = 5) -> float:
    """Median of fresh starts, to the moment the course map can be read."""
    found = []
    for _ in range(rounds):
        screen = Screen(root)
        screen.until(b"Namespaces")
        found.append((time.perf_counter() - screen.began) * 1000)
        screen.close()
    return statistics.median(found)


def measure(root: str) -> dict[str, float]:
    """Every number there is a budget for; those with a container only as root."""
    found = {"first": first_paint(root)}
    screen = Screen(root)
    screen.until(b"Namespaces")
    screen.rest(2.0)
    keys = []
    for number in range(40):
        keys.append(screen.key(b"j" if number % 8 < 3 else b"k"))
        screen.rest(0.03)
    found["idle"] = screen.busy(5.0)
    # Keys that change nothing on this screen would wait for nothing: only real paints count.
    found["key"] = statistics.median(time_ms for time_ms in keys if time_ms < 4000)
    if os.geteuid() == 0:
        found |= with_container(screen, root)
    found["rss"] = screen.rss()
    screen.close()
    return found


def with_container(screen: Screen, root: str) -> dict[str, float]:
    """The six panes over a container that is throttled, and its death."""
    docker(root, "run", "-d", "--name", "bench", "--cpus", "0.5", "lab/base", "burn")
    try:
        screen.key(b"f", b"bench")
        screen.rest(1.0)
        updates = []
        for pane in b"123456":
            screen.key(bytes([pane]))
            screen.rest(0.5)
            updates.append(screen.busy(2.0))
    finally:
        docker(root, "rm", "-f", "bench")
    print("per pane, ms CPU per update: " + "  ".join(
        f"{pane} {cost:.1f}" for pane, cost in zip(
            ("limits", "namespaces", "mounts", "lifecycle", "processes", "hood"), updates)))
    screen.key(b"1")
    screen.rest(0.5)
    return {"update": max(updates), **start_and_death(screen, root)}


def start_and_death(screen: Screen, root: str, rounds: int = 7) -> dict[str, float]:
    """Medians: enter on a docker run line to RUN on the screen; a SIGKILL to EXIT 137 there."""
    starts, deaths = [], []
    for _ in range(rounds):
        screen.key(b"n", b"takes it")
        screen.rest(0.3)
        starts.append(screen.key(b"\r", b"RUN"))
        pid = subprocess.run([*START, "inspect", "--format", "{{.State.Pid}}", "tea"],
                             capture_output=True, text=True, check=True,
                             env={**os.environ, "CONTAINER_LAB_ROOT": root}).stdout.strip()
        screen.rest(2.5)
        screen.text = b""
        began = time.perf_counter()
        os.kill(int(pid), signal.SIGKILL)
        screen.until(b"EXIT 137")
        deaths.append((time.perf_counter() - began) * 1000)
        docker(root, "rm", "-f", "tea")
        screen.rest(0.5)
    return {"event": statistics.median(deaths), "start": statistics.median(starts)}


def main() -> int:
    """Measure, print the table, and the sentence."""
    root = tempfile.mkdtemp(prefix="bt", dir="/tmp")
    try:
        found = measure(root)
    finally:
        docker(root, "clean")
        shutil.rmtree(root, ignore_errors=True)
    words = {
        "update": "ms CPU per update, dearest of six panes at 10 Hz",
        "key": "ms key → paint, median",
        "first": "ms first paint, median",
        "idle": "% of a core idle",
        "rss": "MB resident",
        "event": "ms from a death to the screen, median",
        "start": "ms from enter on docker run to the screen, median",
    }
    for name, unit in words.items():
        if name not in found:
            print(f"{'–':>8}          {unit}: needs root")
            continue
        verdict = "✔" if found[name] <= BUDGET[name] else "over"
        print(f"{found[name]:8.1f} ≤ {BUDGET[name]:5.0f}  {verdict:<5} {unit}")
    load = os.getloadavg()[0]
    over = [name for name in found if found[name] > BUDGET[name]]
    judged = "not judged, the load is above 1" if load > 1 and over else (
        "all within budget" if not over else f"over budget: {', '.join(over)}")
    numbers = ", ".join(f"{name} {found[name]:.1f}" for name in words if name in found)
    print(f"The lab at {COLUMNS}×{ROWS}, load {load:.1f}: {numbers}; {judged}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
