"""Many starts and stops, one after the other and at once: the host is afterwards as it was.

By command line: run, and create – start – delete --force in turn. In the ring a few of them; `make
soak` asks for 1,000 one after the other and 200 at once (CONTAINER_LAB_SOAK="1000 200").
What counts is the kernel's own list each time: processes, mounts, groups, namespaces that a file or
a process keeps, network links, our descriptors, files.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.runtime.oci.bundles import Bundle
from tests.runtime.oci.commandline import BARE, Runtime, written

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(3600)]
ONE_BY_ONE, AT_ONCE = (int(word) for word in os.environ.get("CONTAINER_LAB_SOAK", "12 8").split())


def host(bundle: Bundle, ours: Runtime) -> dict[str, list[str]]:
    """What is on the host because of us."""
    name = bundle.group.strip("/")
    mine = [entry for entry in Path("/proc").glob("[0-9]*") if belongs(entry, name, ours)]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return {
        "processes": sorted(entry.name for entry in mine),
        "namespaces": sorted({os.readlink(link) for entry in mine
                              for link in entry.glob("ns/*")}),
        "mounts": [line for line in mounts if str(bundle.folder) in line or str(ours.root) in line],
        "kept namespaces": [line for line in mounts if " - nsfs " in line],
        "groups": sorted(str(path) for pattern in (f"*/{name}*", f"{name}*")
                         for path in Path("/sys/fs/cgroup").glob(pattern)),
        "links": sorted(line.partition(":")[0].strip()
                        for line in Path("/proc/net/dev").read_text().splitlines()[2:]),
        "descriptors": sorted(os.listdir("/proc/self/fd")),
        "files": sorted(str(path) for folder in (ours.root, bundle.folder)
                        for path in folder.rglob("*") if "@seccomp" not in path.parts),
    }


def belongs(entry: Path, name: str, ours: Runtime) -> bool:
    """Is it a process in one of our groups, or a command of ours?"""
    try:
        if "\nState:\tZ" in (entry / "status").read_text():
            return False
        return name in (entry / "cgroup").read_text() or \
            str(ours.root).encode() in (entry / "cmdline").read_bytes()
    except OSError:
        return False


def unchanged(before: dict[str, list[str]], bundle: Bundle, ours: Runtime) -> None:
    """What was killed just now may be on its last instructions: asked again for a while."""
    deadline = time.monotonic() + 10
    while (after := host(bundle, ours)) != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert after == before


def bundles(bundle: Bundle, count: int) -> list[str]:
    """So many bundles with one root file system, each with a group of its own."""
    made = []
    for number in range(count):
        folder = bundle.folder / f"b{number}"
        folder.mkdir(exist_ok=True)
        if not (folder / "rootfs").exists():
            os.symlink("../rootfs", folder / "rootfs")
        bundle.spec["root"]["path"] = str(bundle.rootfs)
        written(bundle, "/bin/sh", "-c", "exit 3")
        text = (bundle.folder / "config.json").read_text()
        (folder / "config.json").write_text(
            text.replace(f'"{bundle.group}"', f'"{bundle.group}-{number}"'))
        made.append(str(folder))
    return made


def test_one_after_the_other(ours: Runtime, bundle: Bundle) -> None:
    folder = bundles(bundle, 1)[0]
    assert ours("run", "-b", folder, "warm").code == 3
    before = host(bundle, ours)
    for number in range(ONE_BY_ONE):
        if number % 2:
            assert ours("run", "-b", folder, "tea").code == 3
            continue
        assert ours("create", "-b", folder, "tea").code == 0
        assert ours("start", "tea").code == 0
        assert ours("delete", "--force", "tea").code == 0
    unchanged(before, bundle, ours)


def test_all_at_once(ours: Runtime, bundle: Bundle) -> None:
    folders = bundles(bundle, AT_ONCE)
    assert ours("run", "-b", folders[0], "warm").code == 3
    before = host(bundle, ours)
    line = ('"$@" create -b "$BUNDLE" "$ID" >/dev/null </dev/null && "$@" start "$ID" && '
            '"$@" delete --force "$ID"')
    running = [subprocess.Popen(
        ["sh", "-c", line, "sh", *ours.command, "--root", str(ours.root)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env={**BARE, "BUNDLE": folder, "ID": f"tea{number}"})
        for number, folder in enumerate(folders)]
    said = [each.communicate(timeout=600)[1].decode() for each in running]
    assert [each.returncode for each in running] == [0] * len(running), set(said)
    unchanged(before, bundle, ours)
