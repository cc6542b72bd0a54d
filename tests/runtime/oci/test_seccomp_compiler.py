"""The compiled filter against libseccomp's, call by call, and the compiler's own promises.

Both filters are interpreted (bpf_machine.py), nothing is installed: no root, any kernel. Where we
mean to differ from libseccomp, the test says so: calls newer than the profile get ENOSYS as with
runc, x32 numbers ENOSYS, an entrance that is not listed kills the process and not the thread.
"""

from __future__ import annotations

import ctypes
import itertools
import random
import struct
from typing import Any

import pytest

from runtime.engine.seccomp_profile import default_profile
from runtime.errors import Invalid, Unsupported
from runtime.oci import seccomp_compiler
from runtime.oci.seccomp_compiler import compile_profile, compile_with_report
from runtime.oci.syscalls import TABLES, numbers
from tests.runtime.oci.bpf_machine import (
    ALLOW, ERRNO, KILL_PROCESS, TRAP, Call, answer, compile_with_libseccomp, instructions,
    load_libseccomp,
)

FOURTEEN = ("CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP "
            "NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE")
DOCKER = [f"CAP_{name}" for name in FOURTEEN.split()]
EPERM, ENOSYS = ERRNO | 1, ERRNO | 38
X86_64 = numbers("x86_64")
# Values at which Docker's conditions change their mind, for the first argument.
INTERESTING = (0, 1, 2, 8, 16, 40, 0x11, 0x20000, 0x20008, 0x40000, 0x10000000, 0x7E020000,
               0xFFFFFFFF, 0x1_0000_0000, 0x1_0000_0028, 0xFFFFFFFF_FFFFFFFF)


@pytest.fixture(scope="module")
def libseccomp() -> ctypes.CDLL:
    library = load_libseccomp()
    if library is None:
        pytest.skip("needs libseccomp.so.2 as the oracle")
    return library


def profile(*entries: dict[str, Any], default: str = "SCMP_ACT_ERRNO",
            **more: Any) -> dict[str, Any]:
    return {"defaultAction": default, "syscalls": list(entries), **more}


def allow(*names: str, args: list[dict[str, Any]] | None = None,
          action: str = "SCMP_ACT_ALLOW", **more: Any) -> dict[str, Any]:
    return {"names": list(names), "action": action, "args": args or [], **more}


def condition(op: str, value: int, second: int = 0, index: int = 0) -> dict[str, Any]:
    return {"index": index, "op": op, "value": value, "valueTwo": second}


def ask(program: bytes, name: str, *arguments: int, architecture: str = "x86_64") -> int:
    number = numbers(architecture)[name]
    return answer(instructions(program), Call(architecture, number, arguments))


@pytest.mark.parametrize("architecture", sorted(TABLES))
def test_every_number_is_libseccomps(libseccomp: ctypes.CDLL, architecture: str) -> None:
    audit = seccomp_compiler.AUDIT_ARCH[architecture]
    resolve = libseccomp.seccomp_syscall_resolve_name_arch
    known = {name: resolve(audit, name.encode()) for name in numbers(architecture)}
    # -1 are those younger than this libseccomp; below are its own names for calls that x86 may
    # make through socketcall too.
    wrong = {name: number for name, number in known.items()
             if number >= 0 and number != numbers(architecture)[name]}
    assert not wrong
    assert len(known) - list(known.values()).count(-1) > 300


@pytest.mark.parametrize("extra", [[], ["CAP_SYS_ADMIN"], ["CAP_SYS_PTRACE", "CAP_SYS_TIME"]])
def test_dockers_profile_answers_as_libseccomps(libseccomp: ctypes.CDLL,
                                                extra: list[str]) -> None:
    docker = default_profile(DOCKER + extra, "x86_64")
    ours = instructions(compile_profile(docker, "x86_64"))
    theirs = compile_with_libseccomp(libseccomp, docker, ["x86"])
    named = {name for entry in docker["syscalls"] for name in entry["names"]}
    compared = 0
    for architecture in ("x86_64", "x86"):
        table = numbers(architecture)
        last = max(table[name] for name in named if name in table)
        looked_at = {table[name] for name in ("socket", "personality", "clone")}
        for number in range(500):
            choices = INTERESTING if number in looked_at else (0, 1)
            for first in choices:
                # Registers of a 32-bit program are 32 bits wide; the kernel pads with zeros.
                first &= 0xFFFFFFFF if architecture == "x86" else ~0
                call = Call(architecture, number, (first, 1))
                expected = answer(theirs, call) if number <= last else ENOSYS
                assert answer(ours, call) == expected, call
                compared += 1
    assert compared > 2000


HOLDS: dict[str, Any] = {
    "SCMP_CMP_NE": lambda a, v, _: a != v, "SCMP_CMP_LT": lambda a, v, _: a < v,
    "SCMP_CMP_LE": lambda a, v, _: a <= v, "SCMP_CMP_EQ": lambda a, v, _: a == v,
    "SCMP_CMP_GE": lambda a, v, _: a >= v, "SCMP_CMP_GT": lambda a, v, _: a > v,
    "SCMP_CMP_MASKED_EQ": lambda a, v, w: a & v == w,
}
VALUES = (0, 1, 7, 0xFFFFFFFF, 0x1_0000_0000, 0x1_0000_0007, 0xFFFFFFFF_FFFFFFFF)
POINTS = (*VALUES, 6, 8, 0xFFFFFFFE, 0x1_0000_0006, 0x1_0000_0008)


def random_profile(dice: random.Random, rules_per_call: int) -> dict[str, Any]:
    entries = []
    for name in dice.sample(sorted(name for name, number in X86_64.items() if number < 335), 40):
        if dice.random() < 0.3:
            entries.append(allow(name, action=dice.choice(["SCMP_ACT_ALLOW", "SCMP_ACT_TRAP"])))
        for _ in range(dice.randint(1, rules_per_call)):
            args = [condition(dice.choice(sorted(HOLDS)), dice.choice(VALUES), index=index)
                    for index in dice.sample((0, 3, 5), dice.choice((1, 2, 3)))]
            for arg in args:
                if arg["op"] == "SCMP_CMP_MASKED_EQ":
                    arg["valueTwo"] = dice.choice(VALUES) & arg["value"]
            action = dice.choice(["SCMP_ACT_ALLOW", "SCMP_ACT_TRAP"])
            entries.append(allow(name, args=args, action=action))
    return profile(*entries, defaultErrnoRet=13)


def read_as_prose(rules: dict[str, Any], name: str, arguments: tuple[int, ...]) -> int:
    """The answer of a profile by the words of the specification, without any compiling."""
    entries = [entry for entry in rules["syscalls"] if name in entry["names"]]
    for entry in [entry for entry in entries if not entry["args"]] + entries:
        if all(HOLDS[arg["op"]](arguments[arg["index"]], arg["value"], arg["valueTwo"])
               for arg in entry["args"]):
            return {"SCMP_ACT_ALLOW": ALLOW, "SCMP_ACT_TRAP": TRAP}[entry["action"]]
    return ERRNO | 13


def random_calls(dice: random.Random, rules: dict[str, Any]) -> list[tuple[str, Call]]:
    names = sorted({entry["names"][0] for entry in rules["syscalls"]})
    return [(name, Call("x86_64", X86_64[name], tuple(dice.choice(POINTS) for _ in range(6))))
            for name in names for _ in range(40)]


@pytest.mark.parametrize("seed", range(10))
def test_random_profiles_answer_as_they_read(seed: int) -> None:
    dice = random.Random(seed)
    rules = random_profile(dice, rules_per_call=4)
    ours = instructions(compile_profile(rules, "x86_64"))
    for name, call in random_calls(dice, rules):
        assert answer(ours, call) == read_as_prose(rules, name, call.arguments), (name, call)


@pytest.mark.parametrize("seed", range(10))
def test_random_profiles_answer_as_libseccomps(libseccomp: ctypes.CDLL, seed: int) -> None:
    """One rule a call: of several, libseccomp 2.5.4 makes other answers, or never returns."""
    dice = random.Random(seed)
    rules = random_profile(dice, rules_per_call=1)
    ours = instructions(compile_profile(rules, "x86_64"))
    theirs = compile_with_libseccomp(libseccomp, rules, [])
    for name, call in random_calls(dice, rules):
        assert answer(ours, call) == answer(theirs, call), (name, call)


@pytest.mark.parametrize("op", sorted(set(HOLDS) - {"SCMP_CMP_MASKED_EQ"}))
def test_comparisons_are_of_64_bits(op: str) -> None:
    points = (0, 1, 2, 0xFFFFFFFF, 0x1_0000_0000, 0x1_0000_0001, 0x2_0000_0001, (1 << 64) - 1)
    for value, argument in itertools.product(points, points):
        program = compile_profile(profile(allow("read", args=[condition(op, value, index=2)])),
                                  "x86_64")
        expected = ALLOW if HOLDS[op](argument, value, 0) else EPERM
        assert ask(program, "read", 5, 6, argument) == expected, (value, argument)


def test_masked_comparison_takes_value_as_the_mask() -> None:
    wide = profile(allow("read", args=[condition("SCMP_CMP_MASKED_EQ", 0xF0_0000_00F0,
                                                 0x10_0000_0020)]))
    program = compile_profile(wide, "x86_64")
    assert ask(program, "read", 0x1F_0000_002F) == ALLOW
    assert ask(program, "read", 0x1F_0000_003F) == EPERM
    assert ask(program, "read", 0x2F_0000_002F) == EPERM


def test_every_action() -> None:
    words = {"SCMP_ACT_KILL": 0, "SCMP_ACT_KILL_THREAD": 0, "SCMP_ACT_KILL_PROCESS": 0x80000000,
             "SCMP_ACT_TRAP": 0x00030000, "SCMP_ACT_ERRNO": 0x00050016,
             "SCMP_ACT_TRACE": 0x7FF00016, "SCMP_ACT_LOG": 0x7FFC0000,
             "SCMP_ACT_NOTIFY": 0x7FC00000}
    for action, word in words.items():
        rules = profile(allow("read", action=action, errnoRet=22), default="SCMP_ACT_ALLOW")
        assert ask(compile_profile(rules, "x86_64"), "read") == word


def test_unconditional_wins_and_first_wins() -> None:
    trap: dict[str, Any] = {"action": "SCMP_ACT_TRAP"}
    program = compile_profile(profile(
        allow("read", args=[condition("SCMP_CMP_EQ", 1)]), allow("read", **trap), allow("read"),
        allow("write", args=[condition("SCMP_CMP_GT", 5)], **trap),
        allow("write", args=[condition("SCMP_CMP_GT", 3)]),
    ), "x86_64")
    assert ask(program, "read", 1) == TRAP
    assert [ask(program, "write", fd) for fd in (3, 4, 6)] == [EPERM, ALLOW, TRAP]


def test_two_conditions_on_one_argument_are_alternatives_as_with_runc() -> None:
    program = compile_profile(profile(allow(
        "read", args=[condition("SCMP_CMP_EQ", 1), condition("SCMP_CMP_EQ", 2)])), "x86_64")
    assert [ask(program, "read", fd) for fd in (0, 1, 2, 3)] == [EPERM, ALLOW, ALLOW, EPERM]


def test_newer_calls_are_enosys_unless_unknown_calls_may_pass() -> None:
    newer = Call("x86_64", 600)
    strict = instructions(compile_profile(profile(allow("read", "statx")), "x86_64"))
    assert answer(strict, newer) == ENOSYS
    assert answer(strict, Call("x86_64", X86_64["statx"] - 1)) == EPERM
    for default in ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"):
        rules = profile(allow("read", action="SCMP_ACT_TRAP"), default=default)
        program = instructions(compile_profile(rules, "x86_64"))
        assert answer(program, newer) == answer(program, Call("x86_64", 1))


def test_entrances() -> None:
    getpid = numbers("x86")["getpid"]
    native = instructions(compile_profile(profile(allow("getpid")), "x86_64"))
    both = instructions(compile_profile(
        profile(allow("getpid"), architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]), "x86_64"))
    assert answer(native, Call("x86", getpid)) == KILL_PROCESS
    assert answer(both, Call("x86", getpid)) == ALLOW
    assert answer(both, Call("x86_64", getpid)) == EPERM
    assert answer(both, Call("aarch64", 172)) == KILL_PROCESS
    for x32 in (0x40000000 | X86_64["getpid"], 0xFFFFFFFF):
        assert answer(both, Call("x86_64", x32)) == ENOSYS


def test_arm() -> None:
    docker = default_profile(DOCKER, "aarch64")
    program = instructions(compile_profile(docker, "aarch64"))
    for architecture in ("aarch64", "arm"):
        table = numbers(architecture)
        assert answer(program, Call(architecture, table["openat"])) == ALLOW
        assert answer(program, Call(architecture, table["mount"])) == EPERM
        assert answer(program, Call(architecture, table["clone3"])) == ENOSYS
    assert answer(program, Call("arm", numbers("arm")["set_tls"])) == ALLOW
    assert answer(program, Call("x86_64", 0)) == KILL_PROCESS


def test_unknown_names_are_counted_not_fatal() -> None:
    rules = profile(allow("read", "reed", "send"), architectures=["SCMP_ARCH_X86_64",
                                                                  "SCMP_ARCH_X32"])
    program, report = compile_with_report(rules, "x86_64")
    assert report.names == 3
    assert report.unknown == ["reed", "send"]
    assert report.architectures == ["x86_64"]
    assert report.other_architectures == ["SCMP_ARCH_X32"]
    assert report.instructions == len(program) // 8


def test_far_jumps() -> None:
    """Hundreds of conditional rules stretch the search tree over more than 255 instructions."""
    names = sorted(name for name, number in X86_64.items() if number < 330)
    rules = profile(*[allow(name, args=[condition("SCMP_CMP_EQ", X86_64[name])])
                      for name in names])
    program, report = compile_with_report(rules, "x86_64")
    assert report.instructions > 1500
    for name in names:
        assert ask(program, name, X86_64[name]) == ALLOW
        assert ask(program, name, X86_64[name] + 1) == EPERM


@pytest.mark.parametrize("wrong", [
    {"defaultAction": "SCMP_ACT_MAYBE"}, {},
    profile(allow("read", action="allow")),
    profile(allow("read", args=[condition("SCMP_CMP_ABOUT", 1)])),
    profile(allow("read", args=[condition("SCMP_CMP_EQ", 1, index=6)])),
    profile(allow("read", args=[condition("SCMP_CMP_EQ", -1)])),
    profile(allow("read", action="SCMP_ACT_ERRNO", errnoRet=1 << 16)),
])
def test_bad_profiles_are_invalid(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="compile a seccomp profile"):
        compile_profile(wrong, "x86_64")


def test_unknown_machine_is_unsupported() -> None:
    with pytest.raises(Unsupported, match="riscv64"):
        compile_profile(profile(), "riscv64")


def test_the_program_is_small() -> None:
    """A search, not a list: libseccomp makes 364 instructions of it for x86-64 alone."""
    docker = default_profile(DOCKER, "x86_64")
    _, both = compile_with_report(docker, "x86_64")
    _, native = compile_with_report({**docker, "architectures": []}, "x86_64")
    assert native.instructions < 130
    assert both.instructions < 300


def test_layout_is_struct_sock_filter() -> None:
    program = compile_profile(profile(default="SCMP_ACT_ALLOW"), "aarch64")
    first = struct.unpack_from("<HBBI", program)
    assert first == (0x20, 0, 0, 4)  # ld [4]: the architecture
