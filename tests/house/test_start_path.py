"""The way of `run` imports nothing dear: not the command, nor its shim, nor the container's init.

A finder that finds nothing stands first in sys.meta_path, where every import passes; the processes
forked from the command have it too. So an intruder is caught in whichever process it comes, and
the finder says which file asked for it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2]
DEAR = """json dataclasses enum typing collections functools re signal socket pathlib subprocess
logging argparse asyncio threading shutil contextlib tempfile datetime urllib http
random hashlib inspect importlib.metadata textual rich""".split()  # noqa: SIM905

PROGRAM = """
import os, sys
HERE, REPORT, DEAR = sys.argv[1], sys.argv[2], sys.argv[3].split()
sys.path.insert(0, HERE)
report = os.open(REPORT, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
# Far above what is closed, moved or counted on the way.
import fcntl
report = fcntl.fcntl(report, fcntl.F_DUPFD_CLOEXEC, 9000)

def tell(text):
    try:
        os.write(report, (text + chr(10)).encode())
    except OSError:
        pass

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in DEAR:
            frame = sys._getframe(1)
            while frame and "importlib" in frame.f_code.co_filename:
                frame = frame.f_back
            where = frame.f_code.co_filename if frame else "?"
            tell(f"import {name} by {where.removeprefix(HERE + '/')} in {os.getpid()}")
        return None

def list_modules(moment):
    tell(f"modules {moment} " + " ".join(sorted(sys.modules)))

sys.meta_path.insert(0, Finder)
tell("begin")

from runtime.shim import spare
launch = spare.launch
def listed(*arguments):
    list_modules("launch")
    launch(*arguments)
spare.launch = listed

leave = os._exit
def exit_(code):
    list_modules("exit")
    leave(code)
os._exit = exit_

sys.argv = ["container-lab", *sys.argv[4:]]
from lab import start
start.main(sys.argv[1:])
"""


def trace(tmp_path: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    report = tmp_path / "report"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROGRAM, str(HERE), str(report), " ".join(DEAR),
         *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return done, report.read_text().splitlines()


@pytest.mark.kernel
@pytest.mark.parametrize("flags", [
    ["--rm"],
    ["--rm", "--memory", "32m", "-e", "A=b", "-w", "/tmp"],
], ids=["plain", "flags"])
def test_run_imports_nothing_dear(root: str, tmp_path: Path, flags: list[str]):
    done, lines = trace(tmp_path, "--root", root, "run", *flags, "lab/base", "true")
    assert done.returncode == 0, done.stderr
    assert lines[0] == "begin"
    intruders = [line for line in lines if line.startswith("import ")]
    assert not intruders, "\n".join(intruders)
    listings = [line.split()[1:] for line in lines if line.startswith("modules ")]
    assert {"launch", "exit"} <= {listing[0] for listing in listings}
    for moment, *modules in listings:
        assert not set(modules) & set(DEAR), f"at {moment}"


@pytest.mark.kernel
def test_the_finder_would_see_one(root: str, tmp_path: Path):
    """A command off the start path does import json: the test above is not blind."""
    _, lines = trace(tmp_path, "--root", root, "version", "--format", "json")
    _, more = trace(tmp_path, "--root", root, "stats", "--no-stream")
    assert [line for line in lines + more if line.startswith("import ")]
