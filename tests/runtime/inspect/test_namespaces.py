"""Namespaces: a recorded container, and live ones beside lsns and nsenter."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.inspect import namespaces
from runtime.inspect.source import Live, Recording

LIVE = Live()
ALL = ("unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup", "--time",
       "--fork", "--kill-child")


def test_a_recorded_container_has_six_of_its_own(host: Recording) -> None:
    rows = namespaces.table(host, 4213)
    assert [row.kind for row in rows] == list(namespaces.KINDS)
    assert [row.kind for row in rows if not row.private] == ["user", "time"]
    assert rows[1].members == (4213, 4300, 4301) and rows[1].kept_by == "process"
    assert rows[1].path == "/proc/4213/ns/pid" and rows[1].word == "private"


def test_a_bind_mount_keeps_a_namespace_without_a_process(v2_host: Recording) -> None:
    assert namespaces.bound(v2_host) == {4026532500: ("/run/netns/blue",)}
    kept = namespaces.Namespace("net", 4026532500, 1, "", (), ("/run/netns/blue",))
    assert kept.kept_by == "bind"


def test_maps_offsets_and_host_name_of_a_recorded_container(host: Recording) -> None:
    ranges = namespaces.uid_map(host, 4213)
    assert ranges == (namespaces.IdRange(0, 0, 4294967295),) and namespaces.is_identity(ranges)
    assert namespaces.time_offsets(host, 4213) == {"monotonic": 0.0, "boottime": 864000.0}
    assert namespaces.hostname(host, 4213) == "tea"
    assert namespaces.hostname(host, 4200) is None


def test_an_id_is_translated_by_its_range() -> None:
    ranges = (namespaces.IdRange(0, 1000, 1), namespaces.IdRange(1, 100000, 65535))
    assert [namespaces.to_outside(ranges, inside) for inside in (0, 1, 65535, 65536)] == [
        1000, 100000, 165534, None]
    assert not namespaces.is_identity(ranges)


def test_when_process_1_cannot_be_read_the_host_is_ours() -> None:
    there = Recording({"/proc/1/ns/pid": {"denied": True},
                       "/proc/self/ns/pid": {"link": "pid:[7]"}})
    assert namespaces.host(there) == {"pid": 7}


def lsns(*options: str) -> list[list[str]]:
    said = subprocess.run(["lsns", "--raw", "--noheadings", "-o", "NS,TYPE,NPROCS", *options],
                          capture_output=True, text=True, check=True).stdout
    return [line.split() for line in said.splitlines()]


@pytest.mark.kernel
def test_the_inodes_are_those_of_lsns(start: Callable[..., int]) -> None:
    pid = start(*ALL)
    mine = namespaces.namespaces(LIVE, pid)
    assert mine == {row[1]: int(row[0]) for row in lsns("-p", str(pid))}
    ours = namespaces.own(LIVE)
    assert {kind for kind in mine if mine[kind] != ours[kind]} == set(namespaces.KINDS) - {"user"}


@pytest.mark.kernel
def test_members_are_as_many_as_lsns_counts(start: Callable[..., int]) -> None:
    pid = start(*ALL, script="sleep 300 & ready; wait")
    mine = {row.kind: row for row in namespaces.table(LIVE, pid)}
    counts = {int(row[0]): int(row[2]) for row in lsns()}
    # unshare itself, the shell and its sleep; unshare stays outside of the PID namespace.
    for kind, number in (("pid", 2), ("uts", 3), ("net", 3)):
        assert len(mine[kind].members) == counts[mine[kind].inode] == number
        assert pid in mine[kind].members


@pytest.mark.kernel
def test_the_host_name_is_what_nsenter_reads_and_ours_does_not_move(
        start: Callable[..., int]) -> None:
    pid = start("unshare", "--uts", script="hostname teapot; ready; exec sleep 300")
    said = subprocess.run(["nsenter", "-t", str(pid), "-u", "hostname"], capture_output=True,
                          text=True, check=True).stdout.strip()
    before, threads = os.uname().nodename, threading.active_count()
    assert namespaces.hostname(LIVE, pid) == said == "teapot"
    assert os.uname().nodename == before and threading.active_count() == threads
    assert namespaces.hostname(LIVE, os.getpid()) == before


@pytest.mark.kernel
def test_no_file_shows_another_host_name(start: Callable[..., int]) -> None:
    """Why `hostname` goes there: the kernel answers for who reads, wherever the path leads."""
    pid = start("unshare", "--uts", "--mount", script="hostname teapot; ready; exec sleep 300")
    shown = Live().read(f"/proc/{pid}/root/proc/sys/kernel/hostname").strip()
    assert shown == os.uname().nodename != "teapot"


@pytest.mark.kernel
def test_maps_and_offsets_of_a_live_process(start: Callable[..., int]) -> None:
    pid = start("unshare", "--user", "--map-root-user", "--time", "--boottime", "864000",
                "--fork", "--kill-child")
    assert namespaces.uid_map(LIVE, pid) == (namespaces.IdRange(0, os.getuid(), 1),)
    assert namespaces.gid_map(LIVE, pid) == (namespaces.IdRange(0, os.getgid(), 1),)
    assert namespaces.time_offsets(LIVE, pid)["boottime"] == 864000.0


def test_owner_and_parent_of_a_recorded_namespace() -> None:
    there = Recording({
        "/proc/7/ns/net": {"link": "net:[20]", "owner": 40},
        "/proc/7/ns/user": {"link": "user:[40]", "denied": True},
        "/proc/7/ns/pid": {"link": "pid:[30]", "owner": 40, "parent": 31},
        "/proc/1/ns/net": {"link": "net:[1]"}})
    rows = {row.kind: row for row in namespaces.table(there, 7, {}, {})}
    assert (rows["net"].owner, rows["net"].parent) == (40, 0)
    assert (rows["pid"].owner, rows["pid"].parent) == (40, 31)
    assert rows["user"].owner == 0, "above the reader's own nobody is told"


def test_an_open_descriptor_keeps_a_namespace() -> None:
    there = Recording({
        "/proc": ["7", "9", "self"], "/proc/7/fd": ["0", "5", "6"], "/proc/9/fd": {"denied": True},
        "/proc/7/fd/0": {"link": "/dev/null"}, "/proc/7/fd/5": {"link": "net:[20]"},
        "/proc/7/fd/6": {"link": "net:[20]"}})
    assert namespaces.holders(there) == {20: (7,)}
    kept = namespaces.Namespace("net", 20, 1, "", (), (), (7,))
    assert kept.kept_by == "descriptor"


def lsns_rows(pid: int, *columns: str) -> dict[str, list[str]]:
    """lsns gives up when a process ends while it looks, whoever's that is: then once more."""
    command = ["lsns", "--raw", "--noheadings", "-p", str(pid), "-o", ",".join(("TYPE", *columns))]
    for _ in range(20):
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        if said.returncode == 0:
            return {line.split()[0]: line.split()[1:] for line in said.stdout.splitlines()}
    raise AssertionError(said.stderr)


@pytest.mark.kernel
@pytest.mark.parametrize("command", [ALL, ("unshare", "--user", "--map-root-user", "--net", "--pid",
                                           "--fork", "--kill-child")], ids=["root", "userns"])
def test_owner_and_parent_are_those_of_lsns(start: Callable[..., int],
                                            command: tuple[str, ...]) -> None:
    pid = start(*command)
    told = lsns_rows(pid, "ONS", "PNS")
    for row in namespaces.table(LIVE, pid, {}):
        owner, parent = (int(word) for word in told[row.kind])
        assert row.owner == owner, row.kind
        if row.kind in ("pid", "user"):
            assert row.parent == parent, row.kind


@pytest.mark.kernel
def test_a_namespace_without_a_process_is_found_by_its_descriptor(
        start: Callable[..., int]) -> None:
    pid = start("unshare", "--uts")
    fd = os.open(f"/proc/{pid}/ns/uts", os.O_RDONLY)
    try:
        inode = os.fstat(fd).st_ino
        os.kill(pid, 9)
        deadline = time.monotonic() + 10
        while ("uts", inode) in namespaces.members(LIVE):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert namespaces.holders(LIVE)[inode] == (os.getpid(),)
    finally:
        os.close(fd)


@pytest.mark.kernel
def test_a_namespace_kept_by_a_bind_mount_alone_is_findmnts(tmp_path: Path) -> None:
    place = tmp_path / "kept"
    place.touch()
    subprocess.run(["unshare", f"--uts={place}", "true"], check=True)
    try:
        inode = place.stat().st_ino
        assert ("uts", inode) not in namespaces.members(LIVE), "no process is in it"
        assert namespaces.bound(LIVE)[inode] == (str(place),)
        told = subprocess.run(["findmnt", "-n", "-o", "FSROOT", str(place)], capture_output=True,
                              text=True, check=True).stdout.strip()
        assert told == f"uts:[{inode}]"
    finally:
        subprocess.run(["umount", str(place)], check=True)
