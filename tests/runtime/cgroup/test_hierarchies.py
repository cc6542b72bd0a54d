"""Which hierarchies a host has, read from mount tables of different hosts."""

from __future__ import annotations

import subprocess

import pytest

from runtime.cgroup import hierarchies
from runtime.errors import Unsupported

SYSTEMD_V2 = "32 25 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
LEGACY = """\
25 30 0:23 / /sys rw - sysfs sysfs rw
33 32 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
34 32 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 32 0:31 / /sys/fs/cgroup/memory rw shared:3 master:1 - cgroup cgroup rw,memory
36 32 0:32 / /sys/fs/cgroup/net_cls,net_prio rw - cgroup cgroup rw,net_cls,net_prio
99 32 0:31 / /mnt/again rw - cgroup cgroup rw,memory
"""
HYBRID = LEGACY + "40 32 0:40 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"


def test_pure_v2() -> None:
    found = hierarchies.parse(SYSTEMD_V2, "cpu io memory pids")
    assert (found.version, found.unified) == (2, "/sys/fs/cgroup")
    assert found.controllers == dict.fromkeys(("cpu", "io", "memory", "pids"), "/sys/fs/cgroup")


def test_legacy() -> None:
    found = hierarchies.parse(LEGACY)
    assert (found.version, found.unified) == (1, None)
    assert found.controllers == {"cpu": "/sys/fs/cgroup/cpu,cpuacct",
                                 "cpuacct": "/sys/fs/cgroup/cpu,cpuacct",
                                 "net_cls": "/sys/fs/cgroup/net_cls,net_prio",
                                 "net_prio": "/sys/fs/cgroup/net_cls,net_prio",
                                 "memory": "/sys/fs/cgroup/memory"}, "the first mount counts"


def test_hybrid() -> None:
    found = hierarchies.parse(HYBRID)
    assert (found.version, found.unified) == (1, "/sys/fs/cgroup/unified")


def test_named_hierarchies_alone_are_not_v1() -> None:
    found = hierarchies.parse(LEGACY.splitlines()[1] + "\n" + SYSTEMD_V2, "memory")
    assert found.version == 2


def test_none_at_all() -> None:
    with pytest.raises(Unsupported) as caught:
        hierarchies.parse("25 30 0:23 / /sys rw - sysfs sysfs rw\n")
    assert "mount -t cgroup2" in str(caught.value)


def test_this_host_as_findmnt_sees_it() -> None:
    listed = subprocess.run(["findmnt", "-rno", "TARGET,FSTYPE,OPTIONS", "-t", "cgroup,cgroup2"],
                            capture_output=True, text=True).stdout
    if not listed:
        pytest.skip("no cgroup file system is mounted here")
    rows = {row.split()[0]: row.split() for row in listed.splitlines()}
    found = hierarchies.find()
    for name, mount in found.controllers.items():
        kind, options = rows[mount][1:]
        assert kind == "cgroup2" if found.version == 2 else name in options.split(",")
    assert hierarchies.find() is found
