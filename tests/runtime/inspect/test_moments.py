"""What the kernel shows of a process, and what has moved from one moment to the next."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from runtime.inspect import moments
from runtime.inspect.recording import Entry
from runtime.inspect.source import Live, Recording

STATUS = ("Name:\tsh\nPid:\t7\nNSpid:\t7\t1\nUid:\t0\t1000\t0\t0\nGid:\t0\t5\t0\t0\n"
          "CapEff:\t0000000000000021\nCapBnd:\t00000000a80425fb\nNoNewPrivs:\t1\nSeccomp:\t2\n")
MOUNTINFO = ("20 1 8:1 / / rw - ext4 /dev/vda rw\n600 20 0:50 / / rw - overlay overlay rw\n"
             "601 600 0:51 / /proc rw - proc proc rw\n")
FILES: dict[str, Entry] = {
    "/proc/7/status": STATUS, "/proc/7/mountinfo": MOUNTINFO,
    "/proc/7/cgroup": "4:memory:/container-lab/tea\n3:cpu:/\n1:name=systemd:/\n0::/u\n",
}


def recorded() -> moments.Moment:
    found = moments.moment(Recording(FILES), 7)
    assert found is not None
    return found


def test_it_is_read_from_proc() -> None:
    own = recorded()
    assert (own.pid, own.inner_pid, own.program) == (7, 1, "sh")
    assert (own.root, own.mounts) == ("overlay", 3), "of two on the same place the later is seen"
    assert own.device == "0:50"
    assert own.groups == {"memory": "/container-lab/tea", "cpu": "/", "unified": "/u"}
    assert (own.uid, own.gid, own.effective, own.bounding) == (1000, 5, 0x21, 0xA80425FB)
    assert own.no_new_privs and own.seccomp == 2


def test_nobody_is_there() -> None:
    assert moments.moment(Recording({}), 7) is None


def test_the_rows_are_the_same_in_every_moment() -> None:
    host = replace(recorded(), groups={"memory": "/", "cpu": "/", "unified": "/u"}, root="ext4")
    before, after = moments.rows(None, host), moments.rows(recorded(), host)
    assert [row.name for row in before] == [row.name for row in after]
    assert len({row.name for row in before}) == len(before), "a name is one row's"
    assert not any(row.differs or row.own or row.proof for row in before)
    shown = {row.name: row for row in after}
    assert shown["group"].own == "/container-lab/tea in 1 of 3" and shown["group"].differs
    assert shown["caps"].own == "2 of 41, bound 14"
    assert shown["seccomp"].own == "filter, no new privs"
    assert shown["/"].differs and not shown["mounts"].differs
    assert all(row.proof for row in after if row.own)


def test_a_host_whose_own_root_is_an_overlay() -> None:
    own = recorded()
    host = replace(own, device="0:31")
    before = replace(own, device="0:31")
    shown = {row.name: row for row in moments.rows(own, host)}
    assert shown["/"].own == "overlay 0:50" and shown["/"].differs
    assert moments.changes(before, own, host) == [("/", "overlay", "overlay 0:50")]


def test_what_has_moved() -> None:
    host = recorded()
    later = replace(host, mounts=9, hostname="tea")
    assert moments.changes(host, later, host) == [("mounts", "3", "9"), ("host", "", "tea")]
    assert moments.changes(host, None, host) == []


def test_a_moment_is_kept_as_json() -> None:
    own = recorded()
    assert moments.from_data(moments.to_data(own)) == own
    assert moments.from_data({"pid": 7}) is None


@pytest.mark.kernel
def test_this_very_process() -> None:
    own = moments.moment(Live(), os.getpid())
    assert own is not None and own.namespaces["mnt"] == os.stat("/proc/self/ns/mnt").st_ino
    assert own.hostname == os.uname().nodename and own.uid == os.geteuid()
    with open("/proc/self/mountinfo") as table:
        assert own.mounts == len(table.readlines())
