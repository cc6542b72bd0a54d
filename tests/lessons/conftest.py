"""A lab of its own for each lesson test, and what is left of it on the host afterwards.

Everything is asked of tools that are not ours: lsns, findmnt, find, and /proc. Other labs may be
running on this host, so only what carries this lab's root or group counts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lab.course.loader import Course
from lab.course.progress import Progress
from lab.course.shell import Terminal
from lab.course.stepper import Stepper
from runtime.engine.engine import Engine
from runtime.inspect.source import Live

HOME = Path(__file__).resolve().parents[2]
# What a lab keeps of its own accord: the story, the images, caches of what a start needs.
KEPT = ("progress", "images", "cache", "events.jsonl", "ledger.jsonl")


class Lab:
    """One root directory, with everything that a lesson needs."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.engine = Engine(root)
        self.group = self.engine.places.group.strip("/")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The program itself, as a student's shell starts it."""
        return subprocess.run(
            [sys.executable, "-I", "-S", str(HOME / "lab" / "start.py"), "--root", self.root,
             *arguments], capture_output=True, text=True, timeout=110, stdin=subprocess.DEVNULL)

    def stepper(self, lesson_id: str) -> Stepper:
        lesson = Course.load().lesson(lesson_id)
        return Stepper(lesson, self.engine, Live(), Progress.load(self.root))

    def at(self, lesson_id: str, step_id: str) -> Stepper:
        """A stepper at that step, its prediction made, the steps before it solved or skipped."""
        stepper = self.stepper(lesson_id)
        while stepper.step.id != step_id:
            if stepper.step.kind == "predict":
                stepper.predict(stepper.step.correct, "guess")
            stepper.skip()
        return stepper

    def type(self, stepper: Stepper, *lines: str) -> None:
        """Lines typed into the student's shell, the lesson's values filled in."""
        with Terminal(self.root) as terminal:
            for line in lines:
                for name, value in stepper.vars.items():
                    line = line.replace(f"${name}", value)
                terminal.type(line)

    def left(self) -> dict[str, list[str]]:
        """What of this lab is on the host: groups, processes, namespaces, mounts, files."""
        groups = subprocess.run(["find", "/sys/fs/cgroup", "-type", "d", "-path",
                                 f"*/{self.group}/*"], capture_output=True, text=True)
        mounts = subprocess.run(["findmnt", "-rno", "TARGET"], capture_output=True, text=True)
        pids = self.processes()
        spaces = subprocess.run(["lsns", "-rno", "NS,PID"], capture_output=True, text=True)
        return {
            "groups": sorted(groups.stdout.split()),
            "processes": sorted(pids),
            "namespaces": sorted(line.split()[0] for line in spaces.stdout.splitlines()
                                 if line.split()[-1] in pids),
            "mounts": sorted(line for line in mounts.stdout.splitlines()
                             if line.startswith(self.root)),
            "files": self.files(),
        }

    def processes(self) -> list[str]:
        """Pids in one of our groups, or of a program that names our root."""
        found = []
        for pid in filter(str.isdecimal, os.listdir("/proc")):
            try:
                groups = Path(f"/proc/{pid}/cgroup").read_text()
                command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if f"/{self.group}/" in groups or self.root in command:
                found.append(pid)
        return found

    def files(self) -> list[str]:
        found = []
        for place in (self.root, self.engine.run_dir):
            for folder, folders, files in os.walk(place):
                if folder == place:
                    folders[:] = [name for name in folders if name not in KEPT]
                    files = [name for name in files if name not in KEPT]
                found += [os.path.join(folder, name) for name in (*folders, *files)]
        return sorted(set(found))

    def close(self) -> None:
        for container in self.engine.containers():
            self.engine.remove(container.id, force=True)
        self.engine.clean()
        shutil.rmtree(self.root, ignore_errors=True)


@pytest.fixture
def lab(monkeypatch):
    monkeypatch.delenv("CONTAINER_LAB_ROOT", raising=False)
    root = tempfile.mkdtemp(prefix="cl-", dir="/tmp")
    made = Lab(root)
    # The first start makes the state's own directories and the image: no lesson's doing.
    first = made.run("run", "--rm", "lab/base", "true")
    assert first.returncode == 0, first.stderr
    yield made
    made.close()
