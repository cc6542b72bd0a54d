"""The machine itself: booted by QEMU, spoken to by its command."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.vm import boot, machine

pytestmark = [pytest.mark.v2, pytest.mark.timeout(600)]
START = str(Path(machine.__file__).parents[1] / "start.py")
LINE = [sys.executable, "-I", "-S", START, "vm"]


def vm(*words: str, **more):
    return subprocess.run([*LINE, *words], capture_output=True, timeout=500, check=False, **more)


def left_over() -> list[str]:
    """Work directories, and QEMUs by their command line."""
    found = [str(path) for path in Path("/tmp").glob("container-lab-vm-*")]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"name=lab.agent" in path.read_bytes():
                found.append(str(path))
        except OSError:
            continue
    return found


@pytest.fixture(autouse=True)
def nothing_stays():
    before = left_over()
    yield
    deadline = time.monotonic() + 10
    while set(left_over()) - set(before):
        assert time.monotonic() < deadline, left_over()
        time.sleep(0.05)


def test_exit_codes():
    done = vm("--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")
    assert vm("--", "false").returncode == 1
    assert vm("--", "sh", "-c", "kill -9 $$").returncode == 137
    done = vm("--", "no-such-command")
    assert done.returncode == 127
    assert b"no-such-command: No such file or directory" in done.stderr


def test_ten_megabytes_both_ways():
    data = random.Random(1).randbytes(10_000_000)
    done = vm("--", "cat", input=data)
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()


def test_pure_cgroup_v2():
    done = vm("--", "sh", "-c",
              "stat -fc %T /sys/fs/cgroup; cat /sys/fs/cgroup/cgroup.subtree_control; "
              "cat /proc/self/cgroup; grep -c . /proc/swaps; stat -c %F /dev/vda; "
              "cat /proc/pressure/memory")
    kind, controllers, group, swaps, disk, *pressure = done.stdout.decode().splitlines()
    assert kind == "cgroup2fs"
    assert {"cpuset", "cpu", "io", "memory", "pids"} <= set(controllers.split())
    assert group == "0::/session.scope"
    assert swaps == "2"
    assert disk == "block special file"
    assert pressure[0].startswith("some avg10=")


def test_the_host_is_not_touched(tmp_path):
    path = Path("/etc/container-lab-vm-test")
    assert vm("--", "sh", "-c", f"echo x > {path}; cat {path}").stdout == b"x\n"
    assert not path.exists()


@pytest.mark.parametrize("name", ["plain", "with, comma"])
def test_a_shared_directory(tmp_path, name):
    tmp_path /= name
    tmp_path.mkdir()
    (tmp_path / "in").write_text("from the host\n")
    done = vm("--share", str(tmp_path), "--", "sh", "-c",
              f"cd '{tmp_path}'; cat in; echo from the machine > out")
    assert done.stdout == b"from the host\n", done.stderr
    assert (tmp_path / "out").read_text() == "from the machine\n"


def test_signals_reach_the_command():
    program = "import signal, sys, time\n" \
        "signal.signal(signal.SIGTERM, lambda *a: sys.exit(42))\n" \
        "print('here', flush=True)\ntime.sleep(300)"
    with subprocess.Popen([*LINE, "--", sys.executable, "-c", program],
                          stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"here\n"
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 42


def test_qemu_is_killed():
    with subprocess.Popen([*LINE, "--", "sh", "-c", "echo here; sleep 300"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None and running.stderr is not None
        assert running.stdout.readline() == b"here\n"
        (qemu,) = children(running.pid)
        os.kill(qemu, signal.SIGKILL)
        assert running.wait(30) == 125
        assert running.stderr.read().startswith(b"container-lab: vm: the machine ended: QEMU, "
                                                b"signal 9")


def test_we_are_killed():
    """QEMU goes with us; the directory is the only thing that SIGKILL can leave."""
    with subprocess.Popen([*LINE, "--", "sh", "-c", "echo here; sleep 300"],
                          stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"here\n"
        (qemu,) = children(running.pid)
        work = Path(f"/proc/{qemu}/cmdline").read_bytes().partition(b"file=")[2].partition(
            b"/disk")[0].decode()
        running.kill()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{qemu}/exe").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    subprocess.run(["rm", "-r", work], check=True)


def test_a_stale_snapshot_is_not_used(monkeypatch):
    """Another memory size, kernel, QEMU or agent is another snapshot."""
    files = boot.Boot(None)
    names = set()
    for wish in (machine.Wish(), machine.Wish(memory=1024), machine.Wish(cpus=1)):
        names.add(machine.Machine(files, wish, Path("/tmp/x")).snapshot_directory())
    assert len(names) == 3
    assert machine.Machine(files, machine.Wish(), Path("/tmp/y")).snapshot_directory() in names
    monkeypatch.setattr(boot.Boot, "identity", lambda self: "another agent")
    assert machine.Machine(files, machine.Wish(), Path("/tmp/x")).snapshot_directory() not in names


def test_a_broken_snapshot_ends_in_a_boot():
    files = boot.Boot(None)
    wish = machine.Wish(memory=512)
    folder = machine.Machine(files, wish, Path("/tmp/x")).snapshot_directory()
    folder.mkdir(parents=True)
    (folder / "ram").write_bytes(b"")
    (folder / "state").write_bytes(b"no state")
    done = vm("--memory", "512M", "--", "echo", "all the same")
    assert done.stdout == b"all the same\n", done.stderr
    assert b"the snapshot is thrown away, and this start a slower one: " in done.stderr
    assert not (folder / "state").exists()


def children(pid: int) -> list[int]:
    return [int(word) for word in
            Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
