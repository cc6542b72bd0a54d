"""A lab without a kernel: a fake engine, a sampler that stands still, and views made by hand.

What the screens are handed is the same frozen data as in the real program; only who reads it is
another. `lab` gives a program over the real course; `shown` a container that was killed for memory.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from lab.course.loader import Course
from lab.course.progress import Progress
from lab.program import Lab
from lab.snapshot import Effect, Happening, Host, Leaf, Point, Row, Snapshot, View
from runtime.engine.seccomp_profile import default_profile
from runtime.errors import NotFound
from runtime.inspect.capabilities import decode
from runtime.inspect.cgroups import from_texts
from runtime.inspect.mounts import parse
from runtime.inspect.namespaces import KINDS, IdRange, Namespace
from runtime.inspect.processes import Process
from runtime.inspect.security import Security
from runtime.inspect.source import Recording

GROUP = "/sys/fs/cgroup/memory/container-lab/ink"
MOUNTINFO = (
    "600 500 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/img/base,upperdir=/c/upper,"
    "workdir=/c/work\n"
    "601 600 0:51 / /proc rw,nosuid,nodev,noexec - proc proc rw\n"
    "602 600 0:52 / /dev rw,nosuid - tmpfs tmpfs rw,mode=755\n"
    "603 600 8:1 /srv/data /data rw - ext4 /dev/sda1 rw\n"
)
DOCKERS_FOURTEEN, ALL = 0xA80425FB, 0x1FFFFFFFFFF
HOST = Host("6.18", "v1", True, {kind: 4026531834 + at for at, kind in enumerate(KINDS)}, 31,
            Security(1, ALL, ALL, ALL, 0, 0, False, 0, 0))


class StillSampler:
    """Reads nothing; remembers what the screens looked at."""

    def __init__(self, engine, source, post) -> None:
        self.looks: list[tuple] = []

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def wake(self) -> None: ...
    def hurry(self) -> None: ...

    def look(self, name, parts) -> None:
        self.looks.append((name, parts))


class FakeEngine:
    """An engine with containers made by hand: {name: (config, state)}."""

    def __init__(self, root) -> None:
        self.root = str(root)
        self.made: list[SimpleNamespace] = []

    def containers(self):
        return list(reversed(self.made))

    def find(self, name):
        for one in self.containers():
            if name in (one.name, one.id):
                return one
        raise NotFound(f"No such container: {name}")

    def operations(self, ref):
        return []

    def evidence(self, ref):
        return []

    def events(self, since_ns=0):
        return []

    def last_cgroup(self, ref):
        return {}

    def why(self, ref):
        return []


def process(pid: int, ppid: int, comm: str, inner: int, command: str, caught: int = 0) -> Process:
    return Process(
        pid=pid, ppid=ppid, comm=comm, cmdline=tuple(command.split()), state="S",
        start_ticks=1, uid=0, gid=0, ns_pids=(pid, inner) if inner else (pid,), threads=1,
        rss_bytes=1 << 20, sig_caught=caught, sig_blocked=0, sig_ignored=0, cap_eff=0, cap_bnd=0,
        cap_prm=0, cap_inh=0, cap_amb=0, no_new_privs=False, seccomp=2, wchan="", cwd="/",
        root="/", exe="/bin/hog",
    )


def usage(**more: str):
    texts = {
        "memory.current": "50226790", "memory.max": "50331648", "memory.peak": "50331648",
        "memory.events": "low 0\nhigh 0\nmax 231\noom 1\noom_kill 1\n",
        "cpu.stat": "usage_usec 610000\nnr_periods 24\nnr_throttled 12\nthrottled_usec 612000\n",
        "cpu.max": "50000 100000", "pids.current": "1", "pids.max": "max",
    } | more
    v1 = {"memory.current": "memory.usage_in_bytes", "memory.max": "memory.limit_in_bytes",
          "memory.events": "memory.oom_control", "cpu.max": "cpu.cfs_quota_us"}
    found = {name: (text, f"{GROUP}/{v1.get(name, name)}") for name, text in texts.items()}
    return from_texts("/container-lab/ink", True, found, 1790000001.0)


def dead_view() -> View:
    """A container that wanted more memory than it had."""
    started = 1790000000.0
    row = Row("a" * 64, "ink", "lab/base", "hog 200M", "exited", 48213, 48190, 137, True, "",
              started, started, started + 0.140, "/container-lab/ink",
              "docker run --name ink --memory 48m lab/base hog 200M")
    happenings = (
        Happening(started, "engine", "create"), Happening(started + 0.02, "engine", "start"),
        Happening(started + 0.114, "kernel", "max", "118", "231", source=GROUP),
        Happening(started + 0.131, "kernel", "oom_kill", "0", "1", source=GROUP),
        Happening(started + 0.132, "init", "signal", detail="hog SIGKILL"),
        Happening(started + 0.140, "engine", "die", detail="exit 137"),
    )
    spaces = tuple(
        Namespace(kind, 4026532214 + at if kind not in ("user", "time") else 4026531834 + at,
                  4026531834 + at, f"/proc/48213/ns/{kind}", (48213,))
        for at, kind in enumerate(KINDS))
    effects = (
        Effect(1, "isolate", "unshare", "unshare(2)", {"flags": "mnt pid"}, 41000,
               symbol="runtime/oci/create.py:isolate"),
        Effect(2, "root", "mount", "mount(2)",
               {"source": "overlay", "target": "/merged", "kind": "overlay"}, 118000,
               symbol="runtime/oci/rootfs.py:enter"),
        Effect(3, "limit", "write_control", "write(2)",
               {"path": f"{GROUP}/memory.limit_in_bytes", "text": "50331648"}, 9000,
               symbol="runtime/oci/cgroups.py:limit"),
    )
    return View(
        row=row, remembered=True, namespaces=spaces, uid_map=(IdRange(0, 0, 4294967295),),
        hostname="ink", processes=(
            Leaf(process(48190, 1, "lab-shim", 0, "shim"), 0, "shim"),
            Leaf(process(48213, 48190, "hog", 1, "hog 200M"), 1, "init")),
        usage=usage(), points=tuple(Point(started + at / 10, 5_000_000 * at, 0.4, at > 4)
                                    for at in range(10)),
        mounts=tuple(parse(MOUNTINFO)), effects=effects, happenings=happenings,
        security=Security(48213, *[DOCKERS_FOURTEEN] * 3, 0, 0, False, 2, 1, "",
                          ("/proc/kcore",), ("/proc/sys",)),
        filter=default_profile([f"CAP_{name}" for name in decode(DOCKERS_FOURTEEN)]),
        why=(("the kernel", "killed hog: its cgroup had no page left", "memory.events oom_kill 1"),
             ("the shim", "saw pid 48213 end by signal 9 (SIGKILL)", "waitid status"),
             ("docker", "says Exited (137), OOMKilled true", "inspect .State")),
    )


@pytest.fixture
def shown() -> Snapshot:
    view = dead_view()
    return Snapshot(1790000001.0, HOST, (view.row,), view)


@pytest.fixture
def engine(tmp_path) -> FakeEngine:
    return FakeEngine(tmp_path)


@pytest.fixture
def lab(engine, tmp_path, monkeypatch) -> Lab:
    """The program over the real course, with a still sampler; no terminal, no kernel."""
    monkeypatch.setattr(Lab, "examine", lambda self: None)
    root = str(tmp_path)
    return Lab(engine, Recording({}), root, Course.load(), Progress.load(root),
               look_with=StillSampler)
