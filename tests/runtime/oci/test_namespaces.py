"""User and time namespaces where config.json asks for them, and namespaces joined by path."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.errors import KernelError
from runtime.kernel.namespaces import KINDS
from tests.runtime.oci.bundles import SLEEP, Bundle, group_name, peer, until

pytestmark = pytest.mark.kernel


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


def test_a_clock_of_its_own_beside_users_of_its_own(mapped: Bundle) -> None:
    mapped.linux["namespaces"].append({"type": "time"})
    mapped.linux["timeOffsets"] = {"monotonic": {"secs": 7881, "nanosecs": 2718281},
                                   "boottime": {"secs": 1337, "nanosecs": 3141519}}
    started = mapped.start()
    code, out = started.exec("cat /proc/self/timens_offsets")
    assert (code, out.split()) == (
        0, ["monotonic", "7881", "2718281", "boottime", "1337", "3141519"])


def test_an_impossible_offset_is_one_line(bundle: Bundle) -> None:
    bundle.linux["namespaces"].append({"type": "time"})
    bundle.linux["timeOffsets"] = {"boottime": {"secs": -(10 ** 12)}}
    error = bundle.refused()
    assert isinstance(error, KernelError) and "timens_offsets" in str(error)


@pytest.fixture
def other() -> Iterator[int]:
    """A process with namespaces of its own, of every kind; its own children are in its PID one."""
    program = subprocess.Popen(
        ["unshare", "-n", "-i", "-u", "-m", "-p", "-C", "-T", "--boottime", "1000000", "--fork",
         "--kill-child", "sh", "-c", "hostname somebody; exec sleep 1000"])
    children = Path(f"/proc/{program.pid}/task/{program.pid}/children")
    try:
        until(lambda: children.read_text() and Path(
            f"/proc/{children.read_text().split()[0]}/comm").read_text() == "sleep\n", "it sleeps")
        yield int(children.read_text().split()[0])
    finally:
        program.kill()
        program.wait()


def entry_of(bundle: Bundle, kind: str) -> dict[str, str]:
    """The entry of config.json's namespaces for a kind, made if it is missing."""
    found = [entry for entry in bundle.linux["namespaces"] if entry["type"] == kind]
    if not found:
        found = [{"type": kind}]
        bundle.linux["namespaces"] += found
    return found[0]


def same(kind: str, first: int, second: int) -> bool:
    return os.readlink(f"/proc/{first}/ns/{kind}") == os.readlink(f"/proc/{second}/ns/{kind}")


@pytest.mark.parametrize(("kind", "name"), [
    ("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("pid", "pid"), ("cgroup", "cgroup"),
    ("time", "time"), ("mount", "mnt")])
def test_a_namespace_joined_by_path(bundle: Bundle, other: int, kind: str, name: str) -> None:
    entry_of(bundle, kind)["path"] = f"/proc/{other}/ns/{name}"
    if kind == "uts":
        del bundle.spec["hostname"]
    bundle.script(f"hostname; {SLEEP}")
    started = bundle.start()
    started.ready()
    assert same(name, started.pid, other)
    others = set(KINDS) - {name, "user", *({"time"} if kind != "time" else ())}
    assert not [each for each in others if same(each, started.pid, other)]
    assert not [each for each in others if same(each, started.pid, os.getpid())]
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


def test_a_joined_pid_namespace_shows_its_processes(bundle: Bundle, other: int) -> None:
    entry_of(bundle, "pid")["path"] = f"/proc/{other}/ns/pid"
    bundle.linux["namespaces"] = [entry for entry in bundle.linux["namespaces"]
                                  if entry["type"] != "time"]
    script = "cat /proc/1/comm; test $$ -gt 1 && readlink /proc/self/ns/pid"
    code, out, err = bundle.run(script)
    assert (code, out.split()[0]) == (0, "sleep"), err
    their_code, theirs, error = peer("runc", bundle, script)
    assert (their_code, theirs) == (0, out), error


@pytest.fixture
def owner(mapped: Bundle) -> Iterator[int]:
    """The first process of another container, which has a user namespace."""
    started = mapped.start()
    started.ready()
    try:
        yield started.pid
    finally:
        started.close()


def test_a_joined_user_namespace_owns_what_is_made(mapped: Bundle, owner: int) -> None:
    """So its root may set the name of the host, which belongs to a namespace it owns."""
    mapped.group = group_name()
    entry_of(mapped, "user")["path"] = f"/proc/{owner}/ns/user"
    entry_of(mapped, "network")["path"] = f"/proc/{owner}/ns/net"
    mapped.spec["hostname"] = "second"
    (mapped.folder / "closed").mkdir(mode=0o700)
    (mapped.folder / "closed/data").mkdir()
    mapped.spec["mounts"].append({"destination": "/data", "source": str(
        mapped.folder / "closed/data"), "options": ["bind"]})
    mapped.script(f"hostname; cat /proc/self/uid_map; {SLEEP}")
    (mapped.folder / "init.out").unlink()
    started = mapped.start()
    started.ready()
    assert same("user", started.pid, owner) and same("net", started.pid, owner)
    assert not same("uts", started.pid, owner) and not same("pid", started.pid, owner)
    assert mapped.read("init.out").split()[:4] == ["second", "0", "100000", "65536"]
    assert os.stat(f"/proc/{started.pid}").st_uid == 100000
    assert started.exec("id -u; ls -d /data") == (0, "0\n/data\n")
    calls = [(each["by"], each["name"]) for each in started.operations]
    assert calls.count(("shim", "clone3")) == 1 and ("shim", "setns") in calls


def test_maps_that_are_not_those_of_the_one_joined(mapped: Bundle, owner: int) -> None:
    mapped.group = group_name()
    entry_of(mapped, "user")["path"] = f"/proc/{owner}/ns/user"
    mapped.linux["uidMappings"] = [{"containerID": 0, "hostID": 5, "size": 1}]
    error = mapped.refused()
    assert str(error) == "$.linux.uidMappings: not those of the user namespace that is joined"


@pytest.mark.parametrize(("kind", "path", "words"), [
    ("network", "/proc/self/ns/uts", "is no net namespace"),
    ("pid", "/proc/self/ns/pid_for_nobody", "ENOENT"),
    ("ipc", "/etc/passwd", "is no ipc namespace"), ("uts", "/", "is no uts namespace")])
def test_a_path_that_leads_to_something_else(
        bundle: Bundle, kind: str, path: str, words: str) -> None:
    entry = entry_of(bundle, kind)
    entry["path"] = path
    index = bundle.linux["namespaces"].index(entry)
    error = str(bundle.refused())
    assert error.startswith(f"$.linux.namespaces[{index}].path: ") and words in error


def test_the_hosts_own_sysctls_are_out_of_reach_by_a_path(bundle: Bundle) -> None:
    entry_of(bundle, "network")["path"] = f"/proc/{os.getpid()}/ns/net"
    bundle.linux["sysctl"] = {"net.ipv4.ip_forward": "0"}
    assert "not allowed in host net namespace" in str(bundle.refused())
    assert peer("runc", bundle, "true")[0] != 0


def test_the_starter_stays_where_it_was(bundle: Bundle) -> None:
    """What is born of it later, hooks among them, is not born into the container's clock."""
    entry_of(bundle, "time")
    bundle.linux["timeOffsets"] = {"boottime": {"secs": 864000}}
    started = bundle.start()
    for name in ("time", "time_for_children", "pid_for_children"):
        assert same(name, started.program.pid, os.getpid()), name
