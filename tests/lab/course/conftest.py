"""A made-up world for checks: containers, cgroup files, events and a recorded /proc, by hand."""

from __future__ import annotations

import shutil
import time
from types import SimpleNamespace

import pytest

from lab.course import loader
from lab.course.attempt import Attempt, Record
from lab.course.evidence import Facts, GroupFile
from lab.course.result import Context
from lab.course.steps import read_check
from runtime.inspect.source import Recording

STATUS = """Name:\tsleep
State:\tS (sleeping)
Pid:\t4213
PPid:\t4190
NSpid:\t4213\t1
Uid:\t0\t0\t0\t0
Gid:\t0\t0\t0\t0
Threads:\t1
SigBlk:\t0000000000000000
SigIgn:\t0000000000000000
SigCgt:\t0000000000004002
CapInh:\t0000000000000000
CapPrm:\t00000000a80425fb
CapEff:\t00000000a80425fb
CapBnd:\t00000000a80425fb
CapAmb:\t0000000000000000
NoNewPrivs:\t0
Seccomp:\t2
"""
STAT = "4213 (sleep) S 4190 4213 4213 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 777 0 0 0"
MOUNTINFO = (
    "600 500 0:50 / / rw,relatime - overlay overlay "
    "rw,lowerdir=/img/base,upperdir=/c/upper,workdir=/c/work\n"
    "601 600 0:51 / /proc rw,nosuid - proc proc rw\n"
    "602 600 8:1 /srv/data /data rw - ext4 /dev/sda1 rw\n"
)


def stat(mode: int, size: int = 0, device: tuple[int, int] = (0, 0)) -> dict:
    return {"stat": {"mode": mode, "inode": 7, "device": device, "filesystem": 1, "uid": 0,
                     "gid": 0, "size_bytes": size, "links": 1, "modified_s": 0.0}}


class World:
    """Everything a check may read, changed by the test as the story needs it."""

    def __init__(self) -> None:
        self.here: dict[str, Facts] = {}
        self.groups: dict[tuple[str, str], GroupFile] = {}
        self.told: list[dict] = []
        self.certificate: dict[str, list[dict]] = {}
        self.files: dict = {f"/proc/self/ns/{kind}": {"link": f"{kind}:[40265318{at}]"}
                            for at, kind in enumerate(KINDS, 30)}
        self.overlays: dict = {}
        self.removed: list[str] = []

    @property
    def source(self) -> Recording:
        return Recording(self.files)

    def container(self, name):
        return self.here.get(name)

    def containers(self):
        return sorted(self.here.values(), key=lambda one: -one.created_ns)

    def events(self, since_ns):
        return [one for one in self.told if one["timeNano"] >= since_ns]

    def group(self, name, file):
        return self.groups.get((name, file)) if name in self.here else None

    def layers(self, name):
        return self.overlays.get(name)

    def operations(self, name):
        return self.certificate.get(name, [])

    # How a test makes things happen.

    def put(self, name, status="running", **facts) -> Facts:
        """A container in that state; running ones have a /proc entry."""
        given = {"id": f"{name}-id", "pid": 4213 if status in ("running", "paused") else 0,
                 "created_ns": time.time_ns(), "path": f"/r/{name}/state.json"} | facts
        self.here[name] = found = Facts(name=name, status=status, **given)
        if found.pid:
            self.process(found.pid)
        return found

    def process(self, pid) -> None:
        top = f"/proc/{pid}"
        self.files |= {top: ["ns"], f"{top}/status": STATUS, f"{top}/stat": STAT,
                       f"{top}/comm": "sleep\n", f"{top}/cmdline": "sleep\x00600\x00",
                       f"{top}/mountinfo": MOUNTINFO, "/proc/4190/comm": "shim\n"}
        for at, kind in enumerate(KINDS, 30):
            number = f"40265318{at}" if kind in ("user", "time") else f"40265322{at}"
            self.files[f"{top}/ns/{kind}"] = {"link": f"{kind}:[{number}]"}

    def die(self, name, code, oom=False) -> None:
        self.put(name, "exited", exit_code=code, oom_killed=oom)

    def write(self, name, file, text, alive=True) -> None:
        self.groups[name, file] = GroupFile(text, f"/sys/fs/cgroup/lab/{name}/{file}", alive)

    def tell(self, action, name, at_ns=None, **attributes) -> None:
        self.told.append({"Action": action, "timeNano": at_ns or time.time_ns(),
                          "Actor": {"Attributes": {"name": name} | attributes}})


KINDS = ("mnt", "pid", "net", "uts", "ipc", "cgroup", "user", "time")


class Engine(SimpleNamespace):
    """The one thing that a lesson asks of the engine itself: to remove what it made."""

    def remove(self, container_id, force=False) -> None:
        world = self.world
        name = next(one.name for one in world.here.values() if one.id == container_id)
        world.removed.append(name)
        del world.here[name]


@pytest.fixture
def world():
    return World()


@pytest.fixture
def engine(world):
    return Engine(world=world)


@pytest.fixture
def context(world):
    return Context(world, Attempt("made-up", 1, 1, {"name": "ink", "limit": "48m"}), Record(1),
                   time.time_ns())


@pytest.fixture
def check():
    """A check from the words that an author would write."""
    return lambda **words: read_check(words, "made up", {"name": {}, "limit": {}})


@pytest.fixture
def file_stat():
    return stat


@pytest.fixture
def course_copy(tmp_path):
    """The real course in a folder that a test may break."""
    folder = tmp_path / "lessons"
    shutil.copytree(loader.default_folder(), folder)
    return folder
