"""Bundles for the tests: a root of busybox, a config.json, and the ways to start them.

`Bundle(folder).start()` starts ours by `starter.py`; `peer("runc", bundle)` runs the same bundle by
somebody else's runtime. Every control group is called container-lab-test-<pid>-<n>, and goes.
"""

from __future__ import annotations

import copy
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.cgroup import cgroup
from runtime.engine import defaults
from runtime.errors import LabError, from_data

ROOT = Path(__file__).parents[3]
COUNT = itertools.count(1)
APPLETS = (
    "sh", "cat", "ls", "sleep", "id", "env", "pwd", "hostname", "mount", "readlink",
    "stat", "test", "echo", "grep", "true", "false", "kill", "head", "dd", "mkdir",
    "touch", "ps", "awk", "sort", "tr", "wc", "date", "ln", "rm", "setsid", "uname",
    "cut", "find", "sed", "ip", "nproc", "chmod", "yes", "mknod", "umount",
)
NAMESPACES = ("pid", "mount", "network", "uts", "ipc", "cgroup")
SLEEP = "echo ready; exec sleep 1000"


def group_name() -> str:
    """A control group nobody else has: "/container-lab-test-4213-1"."""
    return f"/container-lab-test-{os.getpid()}-{next(COUNT)}"


def until(happens: Callable[[], Any], what: str, seconds: float = 10.0) -> Any:
    """Ask until the answer is true; fail after the deadline."""
    deadline = time.monotonic() + seconds
    while not (answer := happens()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.005)
    return answer


def config(script: str = SLEEP) -> dict[str, Any]:
    """What dockerd writes for a container of no wishes, without seccomp."""
    held = dict.fromkeys(("bounding", "effective", "permitted"), list(defaults.CAPABILITIES))
    return {
        "ociVersion": "1.0.2", "hostname": "tea", "root": {"path": "rootfs"},
        "process": {"args": ["/bin/sh", "-c", script], "cwd": "/", "env": [defaults.PATH],
                    "user": {"uid": 0, "gid": 0}, "noNewPrivileges": True, "capabilities": held},
        "mounts": defaults.mounts(1 << 20, privileged=False),
        "linux": {"namespaces": [{"type": kind} for kind in NAMESPACES],
                  "resources": {"devices": copy.deepcopy(defaults.DEVICE_RULES)},
                  "maskedPaths": list(defaults.MASKED_PATHS),
                  "readonlyPaths": list(defaults.READONLY_PATHS)},
    }


class Bundle:
    """A directory with rootfs/ and config.json; `spec` is written at every start."""

    def __init__(self, folder: Path, script: str = SLEEP) -> None:
        self.folder, self.spec = folder, config(script)
        self.rootfs = folder / "rootfs"
        self.group = group_name()
        for name in ("bin", "etc", "proc", "tmp"):
            (self.rootfs / name).mkdir(parents=True)
        (self.rootfs / "bin/busybox").write_bytes(Path("/bin/busybox").read_bytes())
        (self.rootfs / "bin/busybox").chmod(0o755)
        for name in APPLETS:
            (self.rootfs / "bin" / name).symlink_to("busybox")
        (self.rootfs / "etc/passwd").write_text(
            "root:x:0:0:root:/root:/bin/sh\nlab:x:1000:1000:lab:/home/lab:/bin/sh\n")
        self.started: list[Started] = []

    @property
    def process(self) -> dict[str, Any]:
        return self.spec["process"]

    @property
    def linux(self) -> dict[str, Any]:
        return self.spec["linux"]

    def script(self, text: str) -> None:
        self.process["args"] = ["/bin/sh", "-c", text]

    def write(self) -> None:
        self.linux["cgroupsPath"] = self.group
        (self.folder / "config.json").write_text(json.dumps(self.spec))

    def spawn(self, prefix: tuple[str, ...] = (), **asked: Any) -> Started:
        """Begin a start by ours; says nothing of how it went."""
        self.write()
        started = Started(self, prefix, asked)
        self.started.append(started)
        return started

    def start(self, prefix: tuple[str, ...] = (), **asked: Any) -> Started:
        """Start by ours; returns when the program runs, raises what create or start raised."""
        started = self.spawn(prefix, **asked)
        started.answer("created")
        if not asked.get("stop_at_created"):
            started.run()
        return started

    def run(self, script: str, **asked: Any) -> tuple[int, str, str]:
        """(exit code, stdout, stderr) of a container that ends by itself."""
        self.script(script)
        started = self.start(**asked)
        code = started.wait()
        started.close()
        return code, self.read("init.out"), self.read("init.err")

    def refused(self, **asked: Any) -> LabError:
        """The error of a start that has to fail; checks that nothing is left of it."""
        started = self.spawn(**asked)
        try:
            while "running" not in (message := started.hear()):
                if "error" in message:
                    break
            else:
                raise AssertionError("it started")
        finally:
            started.close()
        started.operations = message["operations"]
        assert not self.cgroup().exists(), "its control group is left"
        assert str(self.folder) not in Path("/proc/self/mountinfo").read_text()
        return from_data(message["error"])

    def read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def cgroup(self) -> cgroup.Cgroup:
        return cgroup.open_group(self.group)

    def close(self) -> None:
        # The last first: an earlier one may hold the namespaces of a later one.
        for started in reversed(self.started):
            started.close()
        for name in {self.group, *(started.group for started in self.started)}:
            group = cgroup.open_group(name)
            if group.exists():
                group.kill()
                group.remove()


class Started:
    """A start by ours: the process that does it, and what it said so far."""

    def __init__(self, bundle: Bundle, prefix: tuple[str, ...], asked: dict[str, Any]) -> None:
        self.bundle, self.pid, self.operations = bundle, 0, []  # type: ignore[var-annotated]
        self.group = bundle.group
        self.warnings: list[str] = []
        request = {"bundle": str(bundle.folder), "cgroup": bundle.group, **asked}
        self.program = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.runtime.oci.starter", json.dumps(request)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            pass_fds=asked.get("leak", ()))

    def hear(self) -> dict[str, Any]:
        assert self.program.stdout is not None
        line = self.program.stdout.readline()
        assert line, f"the starter ended: {self.program.wait()} {self.bundle.read('init.err')}"
        message: dict[str, Any] = json.loads(line)
        return message

    def answer(self, key: str) -> dict[str, Any]:
        """The next message, which has to have this key; an error is raised."""
        message = self.hear()
        if "error" in message:
            self.operations = message["operations"]
            raise from_data(message["error"])
        assert key in message, message
        self.pid = message.get("created", self.pid)
        self.warnings = message.get("warnings", self.warnings)
        return message

    def run(self) -> None:
        self.operations = self.answer("running")["operations"]

    def ask(self, **question: Any) -> None:
        assert self.program.stdin is not None
        self.program.stdin.write(json.dumps(question) + "\n")
        self.program.stdin.flush()

    def wait(self) -> int:
        self.ask(wait=1)
        status: int = self.hear()["status"]
        return status if status >= 0 else 128 - status

    def ready(self) -> None:
        """Until the script has said `ready`."""
        until(lambda: "ready" in self.bundle.read("init.out"), "the script runs")

    def exec(self, script: str, **changed: Any) -> tuple[int, str]:
        """(exit code, output) of one more process inside."""
        for name in ("exec.out", "exec.err"):
            (self.bundle.folder / name).unlink(missing_ok=True)
        process = {**self.bundle.process, "args": ["/bin/sh", "-c", script], **changed}
        self.ask(exec=process)
        self.answer("pid")
        return self.hear()["status"], self.bundle.read("exec.out")

    def close(self) -> None:
        if self.program.poll() is None:
            assert self.program.stdin is not None
            self.program.stdin.close()
            try:
                self.program.wait(10)
            except subprocess.TimeoutExpired:
                self.program.kill()
                self.program.wait()
        if self.program.stdout is not None:
            self.program.stdout.close()


# crun 1.8 takes a tree with v1 and v2 for a mistake; in a mount namespace of its own is no v2.
CRUN = ("unshare", "-m", "sh", "-c", 'umount /sys/fs/cgroup/unified; exec "$@"', "sh", "crun")
PEERS = {"runc": ("runc",), "crun": CRUN}


def peer(name: str, bundle: Bundle, script: str) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of the bundle by another runtime; skips where there is none."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not here")
    bundle.script(script)
    bundle.write()
    state, ident = bundle.folder / f"{name}-state", bundle.group.strip("/")
    command = [*PEERS[name], "--root", str(state)]
    try:
        ended = subprocess.run([*command, "run", "--bundle", str(bundle.folder), ident],
                               stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    finally:
        subprocess.run([*command, "delete", "--force", ident], capture_output=True, timeout=30)
    return ended.returncode, ended.stdout, ended.stderr
