"""User and time namespaces where config.json asks for them, and namespaces joined by path."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.errors import KernelError
from tests.runtime.oci.bundles import SLEEP, Bundle, peer, until

pytestmark = pytest.mark.kernel


@pytest.fixture
def mapped(bundle: Bundle) -> Bundle:
    """A bundle whose root is 100000 on the host."""
    bundle.linux["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        bundle.linux[key] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    for path in (bundle.folder, *bundle.folder.parents):
        if path.stat().st_uid == 0 and str(path) not in ("/", "/tmp"):
            path.chmod(path.stat().st_mode | 0o55)
    for path in (bundle.rootfs, *bundle.rootfs.rglob("*")):
        os.chown(path, 100000, 100000, follow_symlinks=False)
    return bundle


def test_root_inside_is_nobody_outside(mapped: Bundle) -> None:
    started = mapped.start()
    started.ready()
    assert Path(f"/proc/{started.pid}/uid_map").read_text().split() == ["0", "100000", "65536"]
    assert Path(f"/proc/{started.pid}/gid_map").read_text().split() == ["0", "100000", "65536"]
    assert os.stat(f"/proc/{started.pid}").st_uid == 100000
    shown = subprocess.run(["nsenter", "-t", str(started.pid), "-U", "-S", "0", "-G", "0", "id",
                            "-u"], capture_output=True, text=True, check=True)
    assert shown.stdout == "0\n"


def test_inside_it_has_what_a_container_has(mapped: Bundle) -> None:
    code, out, err = mapped.run(
        "id -u; echo > /dev/null && head -c 4 /dev/zero | wc -c; touch /tmp/mine && "
        "stat -c %u /tmp/mine; mount | grep -c 'on /proc type proc'; "
        "mknod /tmp/sda b 8 0 2>/dev/null || echo refused")
    assert (code, err) == (0, "")
    assert out.split() == ["0", "4", "0", "1", "refused"]
    assert (mapped.rootfs / "tmp/mine").stat().st_uid == 100000


def test_exec_enters_it_too(mapped: Bundle) -> None:
    started = mapped.start()
    code, out = started.exec("id -u; cat /proc/self/uid_map; cat /proc/$$/oom_score_adj",
                             oomScoreAdj=100)
    assert (code, out.split()) == (0, ["0", "0", "100000", "65536", "100"])


def test_the_clock_of_a_time_namespace(bundle: Bundle) -> None:
    bundle.linux["namespaces"].append({"type": "time"})
    bundle.linux["timeOffsets"] = {"boottime": {"secs": 864000, "nanosecs": 0}}
    code, out, _ = bundle.run("cut -d. -f1 /proc/uptime; grep boottime /proc/self/timens_offsets")
    uptime, *offsets = out.split()
    here = float(Path("/proc/uptime").read_text().split()[0])
    assert code == 0
    assert 0 <= here + 864000 - int(uptime) < 30
    assert offsets == ["boottime", "864000", "0"]


def test_an_impossible_offset_is_one_line(bundle: Bundle) -> None:
    bundle.linux["namespaces"].append({"type": "time"})
    bundle.linux["timeOffsets"] = {"boottime": {"secs": -(10 ** 12)}}
    error = bundle.refused()
    assert isinstance(error, KernelError) and "timens_offsets" in str(error)


@pytest.fixture
def other() -> Iterator[int]:
    """A process with namespaces of its own."""
    program = subprocess.Popen(["unshare", "-n", "-i", "-u", "sh", "-c",
                                "hostname somebody; exec sleep 1000"])
    try:
        until(lambda: Path(f"/proc/{program.pid}/comm").read_text() == "sleep\n", "it sleeps")
        yield program.pid
    finally:
        program.kill()
        program.wait()


@pytest.mark.parametrize(("kind", "name"), [("network", "net"), ("ipc", "ipc"), ("uts", "uts")])
def test_a_namespace_joined_by_path(bundle: Bundle, other: int, kind: str, name: str) -> None:
    for entry in bundle.linux["namespaces"]:
        if entry["type"] == kind:
            entry["path"] = f"/proc/{other}/ns/{name}"
    if kind == "uts":
        del bundle.spec["hostname"]
    bundle.script(f"hostname; {SLEEP}")
    started = bundle.start()
    started.ready()
    assert os.readlink(f"/proc/{started.pid}/ns/{name}") == os.readlink(f"/proc/{other}/ns/{name}")
    assert bundle.read("init.out").startswith("somebody" if kind == "uts" else "tea")


def test_a_host_name_for_a_namespace_that_is_joined(bundle: Bundle, other: int) -> None:
    """It is set in there, by us as by runc."""
    (uts,) = [entry for entry in bundle.linux["namespaces"] if entry["type"] == "uts"]
    uts["path"] = f"/proc/{other}/ns/uts"
    for run in (bundle.run, lambda script: peer("runc", bundle, script)):
        assert run("hostname") == (0, "tea\n", "")
        seen = subprocess.run(["nsenter", "-u", "-t", str(other), "sh", "-c",
                               "hostname; hostname somebody"], capture_output=True, text=True)
        assert seen.stdout == "tea\n"


def test_a_namespace_that_is_not_there(bundle: Bundle) -> None:
    bundle.linux["namespaces"][2]["path"] = "/proc/1/ns/no-such"
    assert "no-such" in str(bundle.refused())
