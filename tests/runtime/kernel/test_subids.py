"""Subordinate ids: read from the host's tables, put into a map, written by whoever may."""

from __future__ import annotations

import os
import subprocess

import pytest

from runtime.errors import KernelError
from runtime.kernel import files, subids, unshared


@pytest.fixture
def tables(monkeypatch):
    """tables(subuid, subgid): what is in the two files; ann is 1000."""
    def set_(users: str, groups: str) -> None:
        text = {"/etc/subuid": users, "/etc/subgid": groups}
        monkeypatch.setattr(files, "read", lambda path: text.get(path))
        monkeypatch.setattr(subids, "user_name", lambda uid: "ann" if uid == 1000 else "")
        monkeypatch.setattr(subids.commands, "find", lambda name: f"/usr/bin/{name}")

    return set_


def test_by_name_and_by_number(tables):
    tables("bob:100000:65536\nann:165536:65536\n1000:300000:10\n", "ann:165536:65536\n")
    assert subids.ranges("uid", 1000) == [(165536, 65536), (300000, 10)]
    assert subids.maps(1000, 100) == (
        [(0, 1000, 1), (1, 165536, 65536), (65537, 300000, 10)],
        [(0, 100, 1), (1, 165536, 65536)])


@pytest.mark.parametrize("users, groups", [
    ("", ""), ("ann:165536:65536\n", ""),
    ("ann:x:65536\nann\n:::\nann:1:0\n", "ann:165536:65536\n"),
])
def test_none_or_half_of_them_is_his_own_id(tables, users, groups):
    tables(users, groups)
    assert subids.maps(1000, 100) == ([(0, 1000, 1)], [(0, 100, 1)])


def test_without_a_name_or_the_programs(tables, monkeypatch):
    tables("1001:165536:65536\nann:1:2\n", "1001:165536:65536\nann:1:2\n")
    assert subids.ranges("uid", 1001) == []
    monkeypatch.setattr(subids.commands, "find", lambda name: "")
    assert subids.maps(1000, 100) == ([(0, 1000, 1)], [(0, 100, 1)])


def test_what_a_map_covers():
    wanted = [(0, 1000, 1), (1, 100000, 10)]
    assert [each for each in range(20) if subids.covers(wanted, each)] == list(range(11))


def test_the_hosts_own_namespace():
    whole = subprocess.run(["cat", "/proc/self/uid_map"], capture_output=True, text=True,
                           check=True).stdout.split() == ["0", "0", "4294967295"]
    assert subids.is_whole() == whole


@pytest.mark.kernel
def test_a_function_as_root_of_a_user_namespace(tmp_path):
    (tmp_path / "file").write_text("x")
    assert unshared.call("os:getuid") == 0
    inside = unshared.call("runtime.kernel.files:read", "/proc/self/uid_map")
    assert inside.split() == ["0", str(os.getuid()), "1"]
    assert unshared.call("runtime.kernel.files:read", str(tmp_path / "file")) == "x"
    with pytest.raises(KernelError) as told:
        unshared.call("os:rmdir", "/no/such/place")
    assert told.value.errno == 2
