"""An operation in words."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.inspect import operations


def made(name: str, /, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments, "result": None, "errno": 0, "ns": 41000}


@pytest.mark.parametrize(("operation", "words"), [
    (made("umount2", target=".", flags=2), [("target", "."), ("flags", "MNT_DETACH")]),
    (made("umask", mask=18), [("mask", "0022")]),
    (made("mount_setattr", target="/sys", set_attributes=15, clear=0, recursive=True),
     [("target", "/sys"), ("set_attributes", "MOUNT_ATTR_RDONLY|MOUNT_ATTR_NOSUID|"
       "MOUNT_ATTR_NODEV|MOUNT_ATTR_NOEXEC"), ("recursive", "yes")]),
    (made("mount", source=None, target="/", kind=None, flags="MS_REC|MS_PRIVATE"),
     [("target", "/"), ("flags", "MS_REC|MS_PRIVATE")]),
    (made("capset", effective="21", permitted="1fffeffffff", inheritable="0"),
     [("effective", "2 of 41: CHOWN KILL"), ("permitted", "40 of 41: "), ("inheritable", "none")]),
    (made("mkdir_at", folder_fd=4, name="pts", mode="0755"),
     [("folder_fd", "descriptor 4"), ("name", "pts"), ("mode", "0755")]),
    (made("setgroups", groups=[0, 5]), [("groups", "0 5")]),
    (made("open_tree", source="/x", recursive=False, fd=-100),
     [("source", "/x"), ("recursive", "no")]),
    (made("capset", effective="?"), [("effective", "?")]),
])
def test_arguments_by_flag_and_name(operation: dict[str, Any],
                                    words: list[tuple[str, str]]) -> None:
    found = operations.decoded(operation)
    assert [name for name, _ in found] == [name for name, _ in words]
    for (_, value), (_, wanted) in zip(found, words):
        assert value.startswith(wanted)


@pytest.mark.parametrize(("operation", "word"), [
    (made("mount"), "ok"), ({**made("mount"), "errno": 1}, "EPERM"),
    ({**made("mount"), "errno": 4095}, "4095"), ({**made("mount"), "ns": -1}, ""),
    ({**made("execve"), "ns": None}, "ok"),
    ({**made("clone3"), "result": [48213, 9]}, "pid 48213"),
])
def test_the_result(operation: dict[str, Any], word: str) -> None:
    assert operations.result_word(operation) == word


def test_the_time() -> None:
    assert operations.time_word(made("mount")) == "41 µs"
    assert operations.time_word({**made("mount"), "ns": 5_764_000}) == "5.8 ms"
    assert operations.time_word({**made("mount"), "ns": -1}) == ""
    assert operations.time_word({**made("mount"), "ns": None}) == ""


@pytest.mark.parametrize(("operation", "words"), [
    (made("mount", kind="proc", target="/proc", source="proc"), "proc on /proc"),
    (made("mount", source="/a", target="/b", flags="MS_BIND"), "/a on /b"),
    (made("pivot_root", new_root=".", put_old="."), '".", "."'),
    (made("umount2", target=".", flags=2), '"." MNT_DETACH'),
    (made("write_open_control", fd=4, text="0", path="/sys/fs/cgroup/cpu/lab/tea/tasks"),
     "0 → cpu/tasks"),
    (made("write_control", text="50331648\n", path="/sys/fs/cgroup/memory/lab/tea/memory.x"),
     "50331648 → memory.x"),
    (made("clone3", flags="CLONE_NEWNS|CLONE_NEWPID"), "mnt pid"),
    (made("capset", effective="a80425fb"), "14 of 41"),
    (made("execve", path="/bin/sh", arguments=["sh", "-c", "exit"]), "sh -c exit"),
    (made("mount", kind="proc"), "proc"),
])
def test_in_short(operation: dict[str, Any], words: str) -> None:
    assert operations.short(operation) == words


def test_the_arrow_of_a_poor_terminal() -> None:
    assert operations.short(made("symlink", path="/a", target="/b"), "->") == "/a -> /b"
