"""What a container's filter answers to one system call, and by which rule of its profile.

Runs in whoever wants to know (the security pane); computes, and touches nothing. The answer is not
read off the profile: the profile is compiled as for a start, and the program is run as the kernel
runs it, over the number and the arguments. The rule is then named from the profile:
    answer(profile, "unshare") → Answer("SCMP_ACT_ERRNO", 1, "no rule names it: …", …)
    answer(profile, "socket", (40,)) → Answer("SCMP_ACT_ERRNO", 1, "rule 3 allows it only if …", …)
Sources: seccomp(2), linux/filter.h, runtime-spec config-linux.md "Seccomp".
"""

from __future__ import annotations

import errno
import os
import struct

from runtime.errors import Invalid
from runtime.oci import bpf, seccomp, syscalls
from runtime.oci.seccomp_compiler import ACTIONS, AUDIT_ARCH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Profile = dict[str, Any]

ACTION_BITS, DATA_BITS = 0xFFFF0000, 0xFFFF
# Of the names with the same value the one that runtime-spec 1.2 prefers.
NAMES = {value: name for name, value in ACTIONS.items() if name != "SCMP_ACT_KILL"}
WORDS = {"SCMP_CMP_EQ": "==", "SCMP_CMP_NE": "!=", "SCMP_CMP_LT": "<", "SCMP_CMP_LE": "<=",
         "SCMP_CMP_GT": ">", "SCMP_CMP_GE": ">="}


class Answer:
    """action "SCMP_ACT_ERRNO", errno 1 (0 for none), and the rule in words."""

    __slots__ = ("name", "number", "action", "errno", "rule", "depends")

    def __init__(self, name: str, number: int, action: str, errno_: int, rule: str,
                 depends: bool) -> None:
        self.name, self.number, self.action, self.errno = name, number, action, errno_
        self.rule = rule
        self.depends = depends  # on its arguments

    @property
    def allowed(self) -> bool:
        """Does the call go through, for these arguments?"""
        return self.action in ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG")

    @property
    def word(self) -> str:
        """"SCMP_ACT_ERRNO EPERM", or the action alone."""
        code = f" {errno.errorcode.get(self.errno, self.errno)}" if self.errno else ""
        return f"{self.action}{code}"


def answer(profile: Profile | None, name: str, arguments: tuple[int, ...] = (),
           machine: str | None = None) -> Answer:
    """What happens to this call. Raises Invalid for a name this machine has no number for."""
    machine = machine or os.uname().machine
    table = syscalls.numbers(machine)
    if name not in table:
        raise Invalid(f"no system call of {machine} is called {name}", "see syscalls(2)")
    if not profile:
        return Answer(name, table[name], "SCMP_ACT_ALLOW", 0, "there is no filter", False)
    program = seccomp.compile_profile(profile, machine)
    value = run(program, AUDIT_ARCH[machine], table[name], arguments)
    action = NAMES[value & ACTION_BITS]
    code = value & DATA_BITS if action == "SCMP_ACT_ERRNO" else 0
    rules = naming(profile, name)
    return Answer(name, table[name], action, code, told(profile, rules, code),
                  bool(rules) and all(entry.get("args") for _, entry in rules))


def overview(profile: Profile | None, machine: str | None = None
             ) -> tuple[list[str], list[str], list[str]]:
    """(allowed, depending on arguments, refused): every system call of this machine by name."""
    machine = machine or os.uname().machine
    table = syscalls.numbers(machine)
    if not profile:
        return sorted(table), [], []
    program = seccomp.compile_profile(profile, machine)
    conditional = {name for entry in profile.get("syscalls") or [] if entry.get("args")
                   for name in entry["names"]}
    always = {name for entry in profile.get("syscalls") or [] if not entry.get("args")
              for name in entry["names"]}
    found: tuple[list[str], list[str], list[str]] = ([], [], [])
    for name, number in sorted(table.items()):
        value = run(program, AUDIT_ARCH[machine], number, ()) & ACTION_BITS
        place = 1 if name in conditional - always else \
            0 if NAMES[value] in ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG") else 2
        found[place].append(name)
    return found


def naming(profile: Profile, name: str) -> list[tuple[int, dict[str, Any]]]:
    """The rules of the profile that name this call, counted from 1."""
    return [(index, entry) for index, entry in enumerate(profile.get("syscalls") or [], 1)
            if name in entry["names"]]


def told(profile: Profile, rules: list[tuple[int, dict[str, Any]]], code: int) -> str:
    """The rule in words."""
    if not rules:
        if code == errno.ENOSYS and profile.get("defaultErrnoRet", errno.EPERM) != errno.ENOSYS:
            return "newer than every name in the profile: as if the kernel did not have it"
        return f"no rule names it: the profile's default, {profile['defaultAction']}"
    parts = []
    for index, entry in rules:
        conditions = entry.get("args") or []
        link = " or " if len({each["index"] for each in conditions}) < len(conditions) else " and "
        when = f" if {link.join(map(condition, conditions))}" if conditions else ""
        parts.append(f"rule {index}: {entry['action']}{when}")
    return "; ".join(parts)


def condition(entry: dict[str, Any]) -> str:
    """One comparison: "argument 0 & 0x7e020000 == 0"."""
    index, value = entry["index"], entry.get("value", 0)
    if entry["op"] == "SCMP_CMP_MASKED_EQ":
        return f"argument {index} & {value:#x} == {entry.get('valueTwo', 0):#x}"
    return f"argument {index} {WORDS.get(entry['op'], entry['op'])} {value:#x}"


def run(program: bytes, architecture: int, number: int, arguments: tuple[int, ...]) -> int:
    """The value that the program returns for struct seccomp_data. The kernel's own machine."""
    values = [*(value & 0xFFFFFFFFFFFFFFFF for value in arguments[:6]), 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("=iIQ6Q", number, architecture, 0, *values)
    at = accumulator = 0
    while True:
        code, yes, no, k = struct.unpack_from("HBBI", program, at * seccomp.INSTRUCTION_LENGTH)
        at += 1
        if code == bpf.RETURN:
            return int(k)
        if code == bpf.LOAD:
            accumulator = struct.unpack_from("=I", data, k)[0]
        elif code == bpf.AND:
            accumulator &= k
        elif code == bpf.ALWAYS:
            at += k
        else:
            at += yes if TESTS[code](accumulator, k) else no


TESTS = {bpf.JUMPS["=="]: lambda a, k: a == k, bpf.JUMPS[">"]: lambda a, k: a > k,
         bpf.JUMPS[">="]: lambda a, k: a >= k}
