"""Detached mounts, in a mount namespace of the test's own: made, set, and only then to be seen."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import KernelError
from runtime.kernel import mounts, namespaces, trees

pytestmark = pytest.mark.kernel
Run = Callable[[Callable[[], Any]], Any]


def alone() -> None:
    namespaces.unshare(namespaces.CLONE_NEWNS)
    mounts.mount(None, "/", None, mounts.MS_PRIVATE | mounts.MS_REC)


def rows(path: Path) -> list[list[str]]:
    """[target, options] of what is mounted at a path and below."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4:6] for line in lines if line.split()[4].startswith(str(path))]


def test_a_copy_is_seen_when_it_is_ready(child: Run, tmp_path: Path) -> None:
    def action() -> list[Any]:
        alone()
        for name in ("from", "to"):
            os.mkdir(tmp_path / name)
        (tmp_path / "from/file").write_text("x")
        before = len(Path("/proc/self/mountinfo").read_text().splitlines())
        tree = trees.open_tree(str(tmp_path / "from"))
        mounts.mount_setattr("a tree", mounts.MOUNT_ATTR_RDONLY | mounts.MOUNT_ATTR_NOEXEC, fd=tree)
        hidden = len(Path("/proc/self/mountinfo").read_text().splitlines()) == before
        place = os.open(tmp_path / "to", os.O_PATH)
        os.rename(tmp_path / "to", tmp_path / "moved")
        os.mkdir(tmp_path / "to")
        trees.move_mount(tree, place, "/to")
        # By the descriptor it is the mount, and where it went is where the directory went.
        return [hidden, os.get_inheritable(tree), os.listdir(f"/proc/self/fd/{tree}"),
                rows(tmp_path)]

    hidden, inheritable, inside, seen = child(action)
    assert hidden and not inheritable and inside == ["file"]
    assert seen == [[str(tmp_path / "moved"), "ro,noexec,relatime"]]


def test_with_all_that_is_mounted_below(child: Run, tmp_path: Path) -> None:
    def action() -> list[list[str]]:
        alone()
        for name in ("from", "one", "all"):
            os.mkdir(tmp_path / name)
        mounts.mount("none", str(tmp_path / "from"), "tmpfs")
        os.mkdir(tmp_path / "from/below")
        mounts.mount("none", str(tmp_path / "from/below"), "tmpfs")
        for name in ("one", "all"):
            tree = trees.open_tree(str(tmp_path / "from"), name == "all")
            mounts.mount_setattr(name, mounts.MOUNT_ATTR_RDONLY, True, fd=tree)
            trees.move_mount(tree, os.open(tmp_path / name, os.O_PATH), name)
        return [row for row in rows(tmp_path) if "from" not in row[0]]

    assert child(action) == [[str(tmp_path / "one"), "ro,relatime"],
                             [str(tmp_path / "all"), "ro,relatime"],
                             [str(tmp_path / "all/below"), "ro,relatime"]]


def test_a_new_file_system(child: Run, tmp_path: Path) -> None:
    def action() -> list[Any]:
        alone()
        tree = trees.fsmount("tmpfs", "mine", "mode=711,size=1m,noswap,ro",
                             mounts.MOUNT_ATTR_NOSUID)
        mode = os.fstat(tree).st_mode & 0o7777
        trees.move_mount(tree, os.open(tmp_path, os.O_PATH), str(tmp_path))
        line = next(line for line in Path("/proc/self/mountinfo").read_text().splitlines()
                    if line.split()[4] == str(tmp_path))
        return [mode, line.split()[5], line.split(" - ")[1]]

    mode, options, own = child(action)
    assert mode == 0o711 and options == "rw,nosuid,relatime"
    assert own.startswith("tmpfs mine ro,") and "size=1024k" in own


def test_what_a_file_system_says_of_its_refusal() -> None:
    with pytest.raises(KernelError) as caught:
        trees.fsmount("tmpfs", "mine", "nosuchoption=1")
    assert caught.value.errno == errno.EINVAL
    assert "fsconfig nosuchoption=1: EINVAL" in str(caught.value)
    assert "Unknown parameter 'nosuchoption'" in str(caught.value)
    with pytest.raises(KernelError, match="fsopen nosuchfs: ENODEV"):
        trees.fsmount("nosuchfs")


def test_nothing_to_copy(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match=f"open_tree {tmp_path}/none: ENOENT"):
        trees.open_tree(f"{tmp_path}/none")
    tree = trees.open_tree(str(tmp_path))
    file = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
    with pytest.raises(KernelError, match="move_mount /there: E"):
        trees.move_mount(tree, file, "/there")
    os.close(file)
    os.close(tree)
