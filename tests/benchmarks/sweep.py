"""Remove what a race left behind, and nothing else.

Run by bench_start's first process, when the racing one is gone, however it went. Everything has the
race's own name: processes in its control groups, the groups, and the directory below /tmp.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

PATIENCE_S = 5.0


def remove_everything(work: str, group: str) -> None:
    """Kill what still runs in the groups, remove the groups, remove the directory."""
    folders = [folder for mount in cgroup_mounts() if (folder := Path(mount + group)).is_dir()]
    deadline = time.monotonic() + PATIENCE_S
    while (left := [folder for folder in folders if folder.is_dir()]) \
            and time.monotonic() < deadline:
        for folder in left:
            kill_and_remove(folder)
        time.sleep(0.01)
    shutil.rmtree(work, ignore_errors=True)
    for folder in [*left, *([Path(work)] if os.path.exists(work) else [])]:
        print(f"left behind: {folder}")


def kill_and_remove(folder: Path) -> None:
    """Try once; a process just killed keeps its group for a moment."""
    for place in [*sorted(folder.rglob("*/"), reverse=True), folder]:
        try:
            for pid in (place / "cgroup.procs").read_text().split():
                if int(pid) != os.getpid():
                    os.kill(int(pid), signal.SIGKILL)
            place.rmdir()
        except OSError:
            continue


def cgroup_mounts() -> list[str]:
    """Where this host's hierarchies are mounted."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [line.split()[1] for line in lines if line.split()[2] in ("cgroup", "cgroup2")]
