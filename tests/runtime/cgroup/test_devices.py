"""The device policy: rules as v1 reads them, as a program run here, and asked by the kernel."""

from __future__ import annotations

import errno
import itertools
import os
import random
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.cgroup import devices, hierarchies
from runtime.cgroup.v2 import CgroupV2
from runtime.engine.defaults import DEVICE_RULES
from runtime.errors import Invalid, KernelError, LabError, Unsupported
from runtime.kernel import programs
from tests.runtime.oci.bundles import group_name

DENY: dict[str, Any] = {"allow": False, "access": "rwm"}
ACCESS = devices.ACCESS


def rule(allow: bool, kind: str, major: int | None, minor: int | None, access: str
         ) -> dict[str, Any]:
    return {"allow": allow, "type": kind, "major": major, "minor": minor, "access": access}


def run(program: bytes, kind: str, major: int, minor: int, access: str) -> int:
    """What the kernel's interpreter would make of the program."""
    asked = sum(ACCESS[letter] for letter in access)
    context = struct.pack("=III", asked << 16 | devices.TYPES[kind], major, minor)
    code = [struct.unpack_from("=BBhi", program, at) for at in range(0, len(program), 8)]
    register, at = [0] * 11, 0
    while True:
        what, registers, offset, value = code[at]
        dst, src = registers & 15, registers >> 4
        at += 1
        if what == programs.EXIT:
            return register[0]
        if what == programs.LOAD_WORD:
            register[dst] = struct.unpack_from("=I", context, offset)[0]
        elif what == programs.MOVE_REGISTER:
            register[dst] = register[src]
        elif what == programs.MOVE:
            register[dst] = value
        elif what == programs.AND:
            register[dst] &= value
        elif what == programs.SHIFT_RIGHT:
            register[dst] >>= value
        elif (what == programs.JUMP_EQUAL) == (register[dst] == value):
            at += offset


def decided(rules: list[dict[str, Any]], kind: str, major: int, minor: int, access: str) -> int:
    """The same, said plainly: for each of r, w, m the last rule that names it."""
    for letter in access:
        verdict = True
        for each in rules:
            fits = all((each.get(key) in (None, -1, "a")) or each[key] == value for key, value in (
                ("type", kind), ("major", major), ("minor", minor)))
            if fits and letter in each.get("access", "rwm"):
                verdict = each["allow"]
        if not verdict:
            return 0
    return 1


@pytest.mark.parametrize("seed", range(60))
def test_the_program_is_what_the_rules_say(seed: int) -> None:
    source = random.Random(seed)
    made = [rule(source.random() < 0.6, source.choice("cb"), source.choice([None, 1, 5, -1]),
                 source.choice([None, 3, 200]), "".join(source.sample("rwm", source.randint(1, 3))))
            for _ in range(source.randint(0, 8))]
    if source.random() < 0.7:
        made.insert(0, DENY)
    program = devices.program(made)
    for kind, major, minor in itertools.product("cb", (1, 5, 9), (3, 7, 200)):
        for access in ("r", "w", "m", "rw", "rwm"):
            assert run(program, kind, major, minor, access) == \
                decided(made, kind, major, minor, access), (made, kind, major, minor, access)


def test_docker_s_rules() -> None:
    program = devices.program(DEVICE_RULES)
    assert run(program, "c", 1, 3, "rw") == 1
    assert run(program, "c", 136, 77, "rw") == 1
    assert run(program, "b", 8, 0, "r") == 0
    assert run(program, "b", 8, 0, "m") == 1
    assert run(program, "b", 8, 0, "rm") == 0
    assert run(program, "c", 10, 229, "rw") == 0


def test_as_v1_takes_them() -> None:
    assert [each.text() for each in devices.rules(DEVICE_RULES)][:4] == [
        "a", "c *:* m", "b *:* m", "c 1:3 rwm"]
    assert devices.Rule(rule(True, "b", 8, -1, "mr"), "$").text() == "b 8:* rm"


@pytest.mark.parametrize(("bad", "kind", "where"), [
    ({"type": "p"}, Invalid, "$.linux.resources.devices[1].type"),
    ({"type": "c", "access": "rx"}, Invalid, "$.linux.resources.devices[1].access"),
    ({"allow": True, "major": 1, "minor": 3}, Unsupported, "$.linux.resources.devices[1]"),
    ({"allow": True, "type": "a", "access": "r"}, Unsupported, "$.linux.resources.devices[1]"),
])
def test_what_cannot_be_said_is_refused(bad: dict[str, Any], kind: type[LabError], where: str
                                        ) -> None:
    with pytest.raises(kind) as caught:
        devices.program([DENY, bad])
    assert str(caught.value).startswith(where)


def test_too_many_rules_are_one_line() -> None:
    with pytest.raises(Invalid, match="instructions"):
        devices.program([rule(True, "c", 1, n, "r") for n in range(2000)])


@pytest.fixture
def group() -> Iterator[CgroupV2]:
    """A group of our own in this host's v2 tree, whatever controllers that has."""
    found = hierarchies.find()
    if found.unified is None:
        pytest.skip("no cgroup v2 tree here")
    made = CgroupV2(group_name(), hierarchies.Hierarchies(2, {}, found.unified))
    made.create()
    yield made
    made.kill()
    made.remove()


def errno_inside(group: CgroupV2, script: str) -> str:
    """What sh says of a command, run inside the group."""
    command = f'echo $$ > {group.directory}/cgroup.procs && {script}'
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True).stderr


@pytest.mark.kernel
def test_the_kernel_asks_the_program(group: CgroupV2, tmp_path: Path) -> None:
    group.apply({"devices": [DENY, rule(True, "c", 1, 3, "rwm"), rule(True, "c", 1, 5, "r"),
                             rule(True, "b", None, None, "m")]})
    assert errno_inside(group, ": > /dev/null; : < /dev/zero") == ""
    assert "not permitted" in errno_inside(group, ": > /dev/zero")
    assert "not permitted" in errno_inside(group, ": < /dev/full")
    assert errno_inside(group, f"mknod {tmp_path}/loop b 7 0") == ""
    assert "not permitted" in errno_inside(group, f": < {tmp_path}/loop")
    assert "not permitted" in errno_inside(group, f"mknod {tmp_path}/kmsg c 1 11")
    assert errno_inside(group, f"mkfifo {tmp_path}/fifo") == "", "a fifo is no device"


@pytest.mark.kernel
def test_a_later_policy_takes_the_place_of_the_first(group: CgroupV2) -> None:
    group.apply({"devices": [DENY]})
    assert "not permitted" in errno_inside(group, ": < /dev/zero")
    group.apply({"devices": [DENY, rule(True, "c", 1, 5, "r")]})
    assert errno_inside(group, ": < /dev/zero") == ""
    folder = os.open(group.directory, os.O_RDONLY)
    try:
        assert len(programs.attached_device_programs(folder, group.directory)) == 1
    finally:
        os.close(folder)


@pytest.mark.kernel
def test_the_group_below_is_asked_both(group: CgroupV2) -> None:
    group.apply({"devices": [rule(False, "c", 1, 5, "r")]})
    below = CgroupV2(f"{group.path}/below", group.hierarchies)
    below.create()
    try:
        below.apply({"devices": [rule(False, "c", 1, 7, "r")]})
        assert "not permitted" in errno_inside(below, ": < /dev/zero")
        assert "not permitted" in errno_inside(below, ": < /dev/full")
        assert errno_inside(below, ": < /dev/null") == ""
    finally:
        below.kill()
        below.remove()


@pytest.mark.kernel
def test_what_the_verifier_refuses_says_why() -> None:
    with pytest.raises(KernelError) as caught:
        programs.load_device_program(programs.instruction(programs.EXIT))
    assert caught.value.errno in (errno.EACCES, errno.EINVAL)
    assert "R0 !read_ok" in str(caught.value) and "\n" not in str(caught.value)
