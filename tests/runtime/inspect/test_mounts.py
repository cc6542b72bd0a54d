"""The mount table: the manual's own example, a recorded container, and live ones beside findmnt."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime.inspect.mounts import (
    Mount,
    mount_at,
    mounts,
    overlay_layers,
    parse,
    parse_line,
    purpose,
)
from runtime.inspect.source import Live, Recording

LIVE = Live()


def one(line: str) -> Mount:
    row = parse_line(line)
    assert row is not None
    return row


def test_the_example_of_the_manual() -> None:
    row = one("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue")
    assert row == Mount(36, 35, "98:0", "/mnt1", "/mnt2", ("rw", "noatime"), ("master:1",),
                        "ext3", "/dev/root", ("rw", "errors=continue"))
    assert row.option("errors") == "continue" and row.option("noatime") == ""
    assert row.option("quota") is None and row.is_bind and not row.read_only


@pytest.mark.parametrize(("tags", "word"), [
    ("", "private"), ("shared:7 ", "shared"), ("master:7 ", "slave"),
    ("shared:8 master:7 ", "shared,slave"), ("master:7 propagate_from:2 ", "slave"),
    ("unbindable ", "unbindable"),
])
def test_optional_fields_are_any_number_of_tags(tags: str, word: str) -> None:
    row = one(f"36 35 0:5 / /m rw {tags}- tmpfs tmpfs rw")
    assert row.propagation == word and row.fstype == "tmpfs"


def test_octal_escapes_are_undone() -> None:
    row = one(r"36 35 0:5 /a\040b /t\011x\134y rw - ext4 /dev/my\040disk rw")
    assert (row.root, row.target, row.source) == ("/a b", "/t\tx\\y", "/dev/my disk")


@pytest.mark.parametrize("line", ["", "36 35 0:5 / /m rw", "36 35 0:5 / /m rw - ext4"])
def test_a_line_cut_short_is_left_out(line: str) -> None:
    assert parse_line(line) is None
    assert parse(line + "\n") == []


def test_overlay_layers_topmost_first(host: Recording) -> None:
    root = mount_at(mounts(host, 4213), "/")
    assert root is not None
    lowers, upper, work = overlay_layers(root) or ((), "", "")
    assert [lower.rpartition("/")[2] for lower in lowers] == ["two", "one"]
    assert upper.endswith("/8f1c/upper") and work.endswith("/8f1c/work")
    proc = mount_at(mounts(host, 4213), "/proc")
    assert proc is not None and overlay_layers(proc) is None


def test_overlay_layers_of_both_ways_to_name_them() -> None:
    plus = one("9 1 0:9 / / rw - overlay o rw,lowerdir+=/a:b,lowerdir+=/c,upperdir=/u,workdir=/w")
    assert overlay_layers(plus) == (("/a:b", "/c"), "/u", "/w")
    escaped = one(r"9 1 0:9 / / ro - overlay o ro,lowerdir=/a\134:b:/c\054d")
    assert overlay_layers(escaped) == (("/a:b", "/c,d"), "", "")


PURPOSES = {
    "/": "is the root: the image's layers below",
    "/proc": "shows the processes of this PID namespace",
    "/dev": "holds the few devices",
    "/dev/pts": "gives the container terminals",
    "/dev/shm": "is the memory that processes share",
    "/dev/mqueue": "shows the message queues",
    "/sys": "shows the kernel's devices and settings, and lets nothing",
    "/etc/resolv.conf": "tells the container which name servers",
    "/etc/hostname": "gives the container its own host name",
    "/etc/hosts": "gives the container its own names",
    "/site": "shows /home/ann/my site of /dev/sda2 here, and lets nothing be written",
    "/proc/sys": "keeps /proc/sys readable",
    "/proc/kcore": "hides /proc/kcore",
    "/proc/acpi": "hides /proc/acpi",
    "/sys/firmware": "hides /sys/firmware",
}


def test_every_row_of_a_container_has_its_purpose(host: Recording) -> None:
    table = mounts(host, 4213)
    for target, sentence in PURPOSES.items():
        row = mount_at(table, target)
        assert row is not None and purpose(row).startswith(sentence), target
    for row in table:
        assert "{" not in purpose(row) and len(purpose(row)) < 100


def test_purposes_of_cgroup_rows(v1_host: Recording, v2_host: Recording) -> None:
    v1 = [purpose(row) for row in mounts(v1_host, 4213) if row.target.startswith("/sys/fs/cgroup")]
    assert v1 == ["holds one directory for each cgroup v1 controller",
                  "shows the groups of the v1 controller memory"]
    v2 = mount_at(mounts(v2_host, 4213), "/sys/fs/cgroup")
    assert v2 is not None
    assert purpose(v2) == "shows the cgroup v2 tree from the container's group down"


def test_the_last_mount_on_a_path_is_the_one_that_shows() -> None:
    table = parse("5 1 0:5 / /m rw - tmpfs a rw\n6 5 0:6 / /m rw - tmpfs b rw\n")
    top = mount_at(table, "/m")
    assert top is not None and top.id == 6
    assert mount_at(table, "/n") is None


def test_a_process_that_is_gone_has_no_mounts(host: Recording) -> None:
    assert mounts(host, 9999) == []


@pytest.mark.kernel
def test_a_live_table_is_what_findmnt_reads(start: Callable[..., int], tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "file").touch()
    script = f"""
        cd {tmp_path}; mount -t tmpfs -o size=64k,nosuid space 'a b'; mount --make-shared 'a b'
        mount --bind /dev/null file && mount -o remount,bind,ro file
        cd /; ready; exec sleep 300"""
    pid = start("unshare", "--mount", script=script)
    said = subprocess.run(
        ["findmnt", "--task", str(pid), "-J", "--list", "-o",
         "ID,PARENT,TARGET,FSTYPE,FSROOT,VFS-OPTIONS,FS-OPTIONS,PROPAGATION,MAJ:MIN"],
        capture_output=True, check=True).stdout
    theirs = {row["id"]: row for row in json.loads(said)["filesystems"]}
    mine = mounts(LIVE, pid)
    assert {row.id for row in mine} == set(theirs)
    for row in mine:
        other = theirs[row.id]
        assert (row.parent, row.target, row.fstype, row.root, row.major_minor) == (
            other["parent"], other["target"], other["fstype"], other["fsroot"], other["maj:min"])
        assert ",".join(row.options) == other["vfs-options"]
        assert ",".join(row.super_options) == other["fs-options"]
        assert row.propagation == other["propagation"]
    assert [row.propagation for row in mine if row.target == f"{tmp_path}/a b"] == ["shared"]


@pytest.mark.kernel
def test_overlay_layers_of_a_live_mount_with_odd_names(
        start: Callable[..., int], tmp_path: Path) -> None:
    for name in ("low er", "c,d", "up", "wk", "merged"):
        (tmp_path / name).mkdir()
    options = f"lowerdir={tmp_path}/low er:{tmp_path}/c\\,d,upperdir=up,workdir=wk"
    script = f"""cd {tmp_path}
        mount -t overlay overlay -o '{options}' {tmp_path}/merged && ready; exec sleep 300"""
    pid = start("unshare", "--mount", script=script)
    row = mount_at(mounts(LIVE, pid), f"{tmp_path}/merged")
    assert row is not None
    lowers, upper, _ = overlay_layers(row) or ((), "", "")
    assert lowers == (f"{tmp_path}/low er", f"{tmp_path}/c,d") and upper == "up"


@pytest.fixture
def runc_container(tmp_path: Path) -> Iterator[int]:
    """The pid of a container that runc made from its own default config.json."""
    busybox = shutil.which("busybox")
    if not shutil.which("runc") or not busybox:
        pytest.skip("runc and a static busybox are needed")
    (tmp_path / "rootfs/bin").mkdir(parents=True)
    shutil.copy(busybox, tmp_path / "rootfs/bin/sleep")
    subprocess.run(["runc", "spec"], cwd=tmp_path, check=True)
    spec = json.loads((tmp_path / "config.json").read_text())
    spec["process"] |= {"terminal": False, "args": ["sleep", "300"]}
    (tmp_path / "config.json").write_text(json.dumps(spec))
    runc, name = ["runc", "--root", f"{tmp_path}/state"], f"inspect-mounts-{os.getpid()}"
    # Its standard streams stay with the container, so they must not be pipes of ours.
    done = subprocess.run([*runc, "run", "-d", name], cwd=tmp_path, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode:
        pytest.skip("runc cannot run a container here")
    yield json.loads(subprocess.run([*runc, "state", name], capture_output=True,
                                    check=True).stdout)["pid"]
    subprocess.run([*runc, "delete", "--force", name], check=True)


@pytest.mark.conformance
def test_every_row_of_a_container_by_runc_is_explained(runc_container: int) -> None:
    table = mounts(LIVE, runc_container)
    assert {"/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys"} <= {
        row.target for row in table}
    vague = ("is a file system of kind", "shows /null", "is memory that looks like")
    assert [row for row in table if purpose(row).startswith(vague)] == []
    hidden = {row.target for row in table if purpose(row).startswith("hides")}
    assert "/sys/firmware" in hidden
