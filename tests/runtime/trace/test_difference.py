"""Two films side by side: the same, changed, moved, or only on one side."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.trace.difference import Fold, counted, folded, pairs, plain, said, subject


def made(name: str, /, phase: str = "root", **arguments: Any) -> dict[str, Any]:
    return {"name": name, "phase": phase, "arguments": arguments}


def signs(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> str:
    return "".join(row.sign for row in pairs(left, right))


PROC = made("mount", kind="proc", target="/proc", source="proc", flags="MS_NOSUID")
DEV = made("mount", kind="tmpfs", target="/dev", source="tmpfs")
USER = made("setresuid", "drop", real=0, effective=0, saved=0)
STUDENT = made("setresuid", "drop", real=1000, effective=1000, saved=1000)


@pytest.mark.parametrize(("left", "right", "wanted"), [
    ([PROC, DEV], [PROC, DEV], "  "),
    ([PROC, USER], [PROC, STUDENT], " |"),
    ([PROC, DEV], [PROC], " <"),
    ([PROC], [DEV, PROC], "> "),
    ([PROC, DEV, USER], [DEV, PROC, USER], "~  "),
    ([], [], ""),
    ([PROC], [], "<"),
])
def test_the_sign_of_a_row(left: list[dict[str, Any]], right: list[dict[str, Any]],
                           wanted: str) -> None:
    assert sorted(signs(left, right)) == sorted(wanted)


def test_phases_are_compared_each_by_itself() -> None:
    early, late = made("setsid", "isolate"), made("setsid", "drop")
    assert signs([early], [late]) == "<>", "in another phase it is another thing"


@pytest.mark.parametrize(("one", "other"), [
    (made("write_open_control", fd=4, path="/sys/fs/cgroup/cpu/lab/tea/tasks", text="0"),
     made("write_control", path="/sys/fs/cgroup/cpu/lab/ink/tasks", text="0")),
    (made("mkdir_at", folder_fd=3, name="pts", mode="0755"),
     made("mkdir", path="/dev/pts", mode="0755")),
    (made("mount", kind="overlay", target="/a/" + "b" * 64 + "/rootfs"),
     made("mount", kind="overlay", target="/c/" + "d" * 64 + "/rootfs")),
    (made("sethostname", name="0123456789ab"), made("sethostname", name="ba9876543210")),
    (made("write_control", path="/proc/17/uid_map", text="0 0 1"),
     made("write_control", path="/proc/18/uid_map", text="0 0 1")),
    (made("clone3", flags="CLONE_NEWNS", cgroup_fd=5), made("clone3", flags="CLONE_NEWNS")),
    (made("umount2", target=".", flags=2), made("umount2", target=".", flags="MNT_DETACH")),
])
def test_what_differs_between_any_two_starts_is_no_difference(one: dict[str, Any],
                                                              other: dict[str, Any]) -> None:
    assert subject(one) == subject(other) and said(one) == said(other)
    assert signs([one], [other]) == " "


def test_the_group_s_tree_its_depth_and_its_file_count() -> None:
    assert plain("/sys/fs/cgroup/cpu/lab/tea/tasks") == "/sys/fs/cgroup/cpu/…/…/tasks"
    assert plain("/sys/fs/cgroup/cpu/lab") != plain("/sys/fs/cgroup/cpu/lab/tea")


def test_whoever_is_first_makes_the_groups_above_for_all() -> None:
    above = made("mkdir", "prepare", path="/sys/fs/cgroup/cpu/lab")
    number = made("write_control", "prepare", path="/sys/fs/cgroup/cpu/lab/cpu.shares", text="1")
    own = made("mkdir", "prepare", path="/sys/fs/cgroup/cpu/lab/tea")
    assert signs([above, number, own], [own]) == " "


def test_the_rest_is_counted() -> None:
    same = [made("mknod", path=f"/dev/{n}") for n in range(9)]
    rows = pairs([*same, USER], [*same, STUDENT])
    shown = folded(rows)
    assert isinstance(shown[0], Fold) and shown[0].count == 8
    assert [row.sign for row in shown[1:] if not isinstance(row, Fold)] == [" ", "|"]
    near = folded(pairs([*same, made("setsid"), *same], [*same, *same]))
    counts = [row.count for row in near if isinstance(row, Fold)]
    assert counts == [8, 8] and len(near) == 5
    assert counted(rows) == {" ": 9, "|": 1, "~": 0, "<": 0, ">": 0}
