"""The two recorded hosts, and a process of our own in new namespaces for the kernel tests."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.inspect.source import Recording

RECORDINGS = Path(__file__).parent / "recordings"


@pytest.fixture
def v2_host() -> Recording:
    """Ubuntu 24.04, cgroup v2, in a session of ann (1000), a container `tea` with pid 4213."""
    return Recording(RECORDINGS / "v2-ubuntu.json")


@pytest.fixture
def v1_host() -> Recording:
    """Debian 12, every controller on v1 and an empty v2 tree, root, the same container."""
    return Recording(RECORDINGS / "v1-debian.json")


@pytest.fixture(params=["v2-ubuntu", "v1-debian"])
def host(request: pytest.FixtureRequest) -> Recording:
    return Recording(RECORDINGS / f"{request.param}.json")


Start = Callable[..., int]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start("unshare", "--uts", script="…") → the host's pid of the shell that runs the script.

    The script says `ready` when it is; whoever still runs is killed at the end.
    """
    running: list[subprocess.Popen[bytes]] = []

    def begin(*command: str, script: str = "ready; exec sleep 300") -> int:
        mark = tmp_path / f"ready-{len(running)}"
        shell = f"ready() {{ : > {mark}; }}; {script}"
        running.append(subprocess.Popen([*command, "sh", "-c", shell], stdin=subprocess.DEVNULL))
        pid = running[-1].pid
        wait_until(mark.exists)
        if "--fork" not in command:
            return pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    yield begin
    for process in running:
        # `unshare --fork --kill-child` takes its child along.
        process.kill()
        process.wait()


def wait_until(true: Callable[[], bool], timeout_s: float = 20) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
