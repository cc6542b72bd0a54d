"""Which operation made a row: by hand, and over a real container's certificate and table."""

from __future__ import annotations

import subprocess
import time

import pytest

from lab.birth import births
from lab.rows import effect_of
from lab.snapshot import Effect
from runtime.engine.engine import Engine
from runtime.inspect.mounts import mounts, parse
from runtime.inspect.source import Live

TABLE = parse(
    "1 0 0:1 / / rw - overlay overlay rw\n2 1 0:2 / /proc rw - proc proc rw\n"
    "3 2 0:2 /sys /proc/sys ro - proc proc rw\n4 2 0:3 / /proc/sys ro - tmpfs tmpfs rw\n"
    "5 1 8:1 /srv /data rw - ext4 /dev/sda1 rw\n6 5 8:2 / /data/more rw - ext4 /dev/sdb1 rw\n"
    "7 1 0:9 / /later rw - tmpfs tmpfs rw\n")
ROOT = "/lab/containers/4f/rootfs"


def effect(n: int, name: str, target: str, errno: int = 0, result: object = None,
           **arguments: object) -> Effect:
    return Effect(n, "root", name, f"{name}(2)", {"target": target, **arguments}, errno=errno,
                  result=result, symbol="runtime/oci/mounts.py:attach")


EFFECTS = [
    effect(1, "mount", "/", flags="MS_REC|MS_PRIVATE"),
    effect(2, "mount", ROOT, kind="overlay", flags="0"),
    effect(3, "mount", "/proc", kind="proc", flags="MS_NOSUID"),
    effect(4, "mount", "/proc", errno=1, kind="proc", flags="0"),
    effect(5, "open_tree", "", result=9, recursive=True),
    effect(6, "move_mount", "/data", tree=9),
    effect(7, "mount", "/proc/sys", flags="MS_BIND|MS_REC", source="/proc/sys"),
    effect(8, "mount_setattr", "/proc/sys"),
    effect(9, "mount", "/proc/sys", kind="tmpfs", flags="MS_RDONLY"),
]


def test_rows_are_matched_by_path_and_in_order():
    found = births(TABLE, EFFECTS)
    assert {row: birth.made.n for row, birth in found.items()} == {
        1: 2, 2: 3, 3: 7, 4: 9, 5: 6, 6: 6}
    assert [each.n for each in found[3].changed] == [8]
    assert found[6].inherited and not found[5].inherited, "it came with the tree that was bound"


def test_what_came_later_has_no_birth_and_a_failed_call_made_nothing():
    found = births(TABLE, EFFECTS)
    assert 7 not in found and all(birth.made.n != 4 for birth in found.values())
    assert births(TABLE, []) == {} == births([], EFFECTS)


def test_a_tree_that_was_bound_alone_brings_nothing_with_it():
    alone = [EFFECTS[1], effect(5, "open_tree", "", result=9, recursive=False),
             effect(6, "move_mount", "/data", tree=9)]
    assert set(births(TABLE, alone)) == {1, 5}


@pytest.fixture
def real(root):
    """real(HostConfig): a container on the kernel, and its film once that is written."""
    engine = Engine(root)

    def start(host):
        ident = engine.create(None, {"Image": "lab/base", "Cmd": ["sleep", "60"],
                                     "HostConfig": {"NetworkMode": "none", **host}})
        engine.start(ident)
        deadline = time.monotonic() + 10
        while not (lines := engine.operations(ident)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return engine.find(ident), [effect_of(line) for line in lines]

    return start


@pytest.mark.kernel
@pytest.mark.parametrize("part", [None, "pivot", "mount"])
def test_every_row_of_a_container_is_told(real, tmp_path, part):
    (tmp_path / "given").mkdir()
    host = {"Binds": [f"{tmp_path}/given:/given:ro"], "Tmpfs": {"/run": "size=1m"}}
    if part:
        host["ContainerLab"] = {"Without": [part], "Unsafe": True}
    container, effects = real(host)
    table = mounts(Live(), container.pid)
    found = births(table, effects)
    assert [row.target for row in table if row.id not in found] == []
    for row in table:
        made = found[row.id].made
        asked = str(made.arguments["target"])
        assert asked == row.target or row.target == "/" and asked.endswith("/rootfs")
        if made.name == "mount" and made.arguments.get("kind"):
            assert made.arguments["kind"] == row.fstype
    numbers = [birth.made.n for birth in found.values() if not birth.inherited]
    assert len(numbers) == len(set(numbers)), "no operation made two rows"


@pytest.mark.kernel
def test_a_mount_made_later_is_said_to_be(real):
    container, effects = real({})
    subprocess.run(["nsenter", "-t", str(container.pid), "-m", "mount", "-t", "tmpfs", "none",
                    "/tmp"], check=True)
    table = mounts(Live(), container.pid)
    assert [row.target for row in table if row.id not in births(table, effects)] == ["/tmp"]
