"""Mounts, in a mount namespace of the test's own, seen by findmnt and /proc."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import KernelError
from runtime.kernel import mounts, namespaces


def alone() -> None:
    namespaces.unshare(namespaces.CLONE_NEWNS)
    mounts.mount(None, "/", None, mounts.MS_PRIVATE | mounts.MS_REC)


def options(path: str) -> str:
    return subprocess.run(["findmnt", "-no", "FSTYPE,OPTIONS,PROPAGATION", path], text=True,
                          capture_output=True).stdout.strip()


def test_flags_print_as_the_manual_spells_them() -> None:
    assert str(mounts.Flags(mounts.MS_BIND | mounts.MS_REC)) == "MS_BIND|MS_REC"
    assert str(mounts.Flags(0)) == "0"


def test_the_words_are_those_of_mount_8() -> None:
    for name, (add, clear) in mounts.FLAGS.items():
        if not name.startswith("no") and f"no{name}" in mounts.FLAGS:
            assert mounts.FLAGS[f"no{name}"] == (clear, add), name
    for name, flags in mounts.PROPAGATION.items():
        assert bool(flags & mounts.MS_REC) == (name in ("rprivate", "rslave", "rshared",
                                                        "runbindable"))


@pytest.mark.kernel
def test_mount_change_and_take_off(child: Callable[[Callable[[], Any]], Any], tmp_path: Path
                                   ) -> None:
    def action() -> list[str]:
        alone()
        path, seen = str(tmp_path), []
        mounts.mount("none", path, "tmpfs", mounts.MS_NOSUID, "mode=700,size=1m")
        seen.append(options(path))
        mounts.mount_setattr(path, mounts.MOUNT_ATTR_RDONLY | mounts.MOUNT_ATTR_NOATIME)
        seen.append(options(path))
        mounts.mount_setattr(path, 0, False, mounts.MOUNT_ATTR_RDONLY)
        mounts.mount(None, path, None, mounts.MS_SHARED)
        seen.append(options(path))
        mounts.umount2(path)
        seen.append(options(path))
        return seen

    first, second, third, fourth = child(action)
    kind, flags, propagation = first.split()
    assert (kind, propagation) == ("tmpfs", "private")
    assert {"rw", "nosuid", "size=1024k", "mode=700"} <= set(flags.split(","))
    assert "ro,nosuid,noatime" in second
    assert "rw,nosuid,noatime" in third and third.endswith("shared")
    assert fourth == ""


@pytest.mark.kernel
def test_recursive_in_one_step(child: Callable[[Callable[[], Any]], Any], tmp_path: Path) -> None:
    def action() -> list[str]:
        alone()
        mounts.mount("none", str(tmp_path), "tmpfs")
        os.mkdir(tmp_path / "below")
        mounts.mount("none", str(tmp_path / "below"), "tmpfs")
        mounts.mount_setattr(str(tmp_path), mounts.MOUNT_ATTR_RDONLY, recursive=True)
        return [options(str(tmp_path)), options(str(tmp_path / "below"))]

    assert all(" ro," in seen for seen in child(action))


@pytest.mark.kernel
def test_pivot_root_leaves_no_way_back(child: Callable[[Callable[[], Any]], Any], tmp_path: Path
                                       ) -> None:
    def action() -> list[Any]:
        alone()
        mounts.mount("none", str(tmp_path), "tmpfs")
        os.mkdir(tmp_path / "only")
        os.chdir(tmp_path)
        mounts.pivot_root(".", ".")
        mounts.umount2(".", mounts.MNT_DETACH)
        os.chdir("/")
        return [os.listdir("/"), os.listdir("/.."), os.path.exists("/proc")]

    assert child(action) == [["only"], ["only"], False]


@pytest.mark.kernel
def test_what_the_kernel_refuses_says_what_to_what(tmp_path: Path) -> None:
    with pytest.raises(KernelError) as caught:
        mounts.mount("none", str(tmp_path), "nosuchfs")
    assert caught.value.errno == errno.ENODEV
    assert str(caught.value).startswith(f"mount nosuchfs on {tmp_path}: ENODEV")
    with pytest.raises(KernelError, match="umount2 .*: EINVAL"):
        mounts.umount2(str(tmp_path))
    with pytest.raises(KernelError, match="pivot_root"):
        mounts.pivot_root(str(tmp_path), str(tmp_path))
