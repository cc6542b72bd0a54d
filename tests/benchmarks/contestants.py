"""Who starts `true`: unshare, bwrap, crun, runc by command line; us by command line and warm.

Run by bench_start, in its private mount namespace. Each function makes Rows; what is not installed,
or fails on a first try, is left out with the reason: ("crun D", "cgroup v2 refused …"). CRUN=path
adds a newer crun, CONTAINER_LAB=path says which of our programs is meant.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import _socket

from runtime.cgroup import hierarchies
from runtime.shim import protocol
from runtime.shim.zygote import Zygote
from tests.benchmarks.bundles import BUNDLES
from tests.benchmarks.rounds import Row

SOURCE = Path(__file__).parents[2]
WARM, COMMAND, NEWER_CRUN = "warm (zygote forks the shim)", "container-lab oci run", "crun of $CRUN"
RUN = "container-lab run --rm"


def all_rows(work: str, group: str, zygote: Zygote) -> Iterator[Row]:
    """Every contestant that might take part, in the order of a round."""
    rootfs = os.path.join(work, "rootfs")
    yield from command("unshare", "-", work, lambda n: [
        "unshare", "--mount", "--uts", "--ipc", "--net", "--cgroup", "--pid", "--fork", "true"])
    yield from command("bwrap", "-", work, lambda n: [
        "bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts",
        "--unshare-cgroup", "--ro-bind", rootfs, "/", "--proc", "/proc", "--dev", "/dev", "true"])
    ours = our_program()
    for bundle in BUNDLES:
        place = os.path.join(work, bundle)
        for name, program in (("crun", "crun"), (NEWER_CRUN, os.environ.get("CRUN", "")),
                              ("runc", "runc")):
            yield from oci_command(name, program, bundle, work)
        yield Warm(work, group, bundle, zygote).row()
        yield from command(COMMAND, bundle, work, lambda n, place=place: [  # type: ignore[misc]
            ours, "oci", "run", "--bundle", place, f"bench-{n}"])
    yield from command(RUN, "lab", work, lambda n: [ours, "run", "--rm", "lab/base", "true"])


def our_program() -> str:
    """CONTAINER_LAB, the program beside this Python, or the one in the source tree."""
    beside = Path(sys.prefix) / "bin" / "container-lab"
    candidates = (os.environ.get("CONTAINER_LAB", ""), str(beside),
                  str(SOURCE / "assets" / "bin" / "container-lab"))
    return next((path for path in candidates if path and os.access(path, os.X_OK)), str(beside))


def oci_command(name: str, program: str, bundle: str, work: str) -> Iterator[Row]:
    """A runtime with runc's command line."""
    state, place = os.path.join(work, "state"), os.path.join(work, bundle)
    if program:
        yield from command(name, bundle, work, lambda n: [
            program, "--root", state, "run", "--bundle", place, f"bench-{n}"])


def command(name: str, bundle: str, work: str, line: Callable[[int], list[str]]) -> Iterator[Row]:
    """A contestant that is a command: spawned with nothing but /dev/null, and waited for."""
    program = shutil.which(line(0)[0]) or line(0)[0]
    environment = {**os.environ, "CONTAINER_LAB_ROOT": os.path.join(work, "lab")}
    errors = os.path.join(work, "stderr")
    actions = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1)]
    actions.append((os.POSIX_SPAWN_OPEN, 2, errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))

    def run(number: int) -> None:
        pid = os.posix_spawn(program, line(number), environment, file_actions=actions)
        status = os.waitpid(pid, 0)[1]
        if status:
            said = Path(errors).read_text(errors="replace").strip().splitlines()
            raise RuntimeError(f"wait status {status}: {said[-1][:150] if said else 'no message'}")

    yield Row(name, bundle, run)


class Warm:
    """A start as the lab makes it: one request to the zygote, one report from the shim.

    What `run --rm` does, without the image: the container's directory goes before the exit is told.
    """

    def __init__(self, work: str, group: str, bundle: str, zygote: Zygote) -> None:
        self.work, self.group, self.bundle, self.zygote = work, group, bundle, zygote

    def row(self) -> Row:
        cpu = group_cpu_counter(self.group)
        return Row(WARM, self.bundle, self.run, self.prepare, cpu)

    def directory(self, number: int) -> str:
        return os.path.join(self.work, f"warm-{self.bundle}-{number}")

    def prepare(self, number: int) -> None:
        os.mkdir(self.directory(number))
        shutil.copy(os.path.join(self.work, self.bundle, "config.json"), self.directory(number))

    def run(self, number: int) -> None:
        directory = self.directory(number)
        ours, theirs = _socket.socketpair()
        with_limit = _Connection(ours)
        self.zygote.launch({
            "id": f"{number:064x}", "directory": directory, "run": f"{self.work}/run/{number}",
            "cgroup": f"{self.group}/{self.bundle}", "cache": os.path.join(self.work, "seccomp"),
            "attach": True, "remove": [directory]}, theirs)
        theirs.close()
        code = with_limit.exit_code()
        if code:
            raise RuntimeError(f"exit code {code}")


class _Connection:
    """The caller's end of a shim's report."""

    def __init__(self, sock: _socket.socket) -> None:
        self.sock, self.frames = sock, protocol.Frames()
        self.sock.settimeout(20)

    def exit_code(self) -> int:
        """Read to the end of the conversation. Raises RuntimeError with what the shim says."""
        from runtime import documents

        try:
            while (found := protocol.receive(self.sock, self.frames)) is not None:
                for kind, payload in found:
                    if kind == b"X":
                        return int(documents.parse(payload)["code"])
                    if kind == b"R" and "error" in documents.parse(payload):
                        raise RuntimeError(payload.decode()[:200])
            raise RuntimeError("the shim went away")
        finally:
            self.sock.close()


_counters: dict[str, Callable[[], float]] = {}


def group_cpu_counter(group: str) -> Callable[[], float]:
    """CPU seconds of everything that was ever in the group or below it, less our own."""
    found = hierarchies.find()
    if found.version == 1:
        path, scale = f"{found.controllers['cpuacct']}{group}/cpuacct.usage", 1e-9
    else:
        path, scale = f"{found.unified}{group}/cpu.stat", 1e-6

    def read() -> float:
        with open(path) as file:
            word = file.read().split()[1 if found.version == 2 else 0]
        return int(word) * scale

    return _counters.setdefault(group, read)


def try_once(row: Row, keep: frozenset[int]) -> str:
    """Run the row once, outside the race: "" when it can take part, else why not."""
    from tests.benchmarks.rounds import reap

    number = 900_000 + int(time.monotonic()) % 1000
    try:
        row.prepare(number)
        row.run(number)
        return ""
    except (OSError, RuntimeError) as error:
        return str(error)
    finally:
        reap(keep)
