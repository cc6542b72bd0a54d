"""A seccomp profile as a program for the kernel: what libseccomp does for runc and crun.

Run when a profile has no compiled filter yet (`seccomp.filter_for`), by whoever starts the
container; it computes bytes and touches nothing. In comes the specification's `linux.seccomp`:
    {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "architectures": ["SCMP_ARCH_X86_64"],
     "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW",
                   "args": [{"index": 0, "value": 2, "valueTwo": 0, "op": "SCMP_CMP_LE"}]}]}
Out goes classic BPF, an array of struct sock_filter, that answers for every system call. Numbers
with the same answer are one run, and a binary search finds the run: Docker's profile has 64 runs,
so 6 comparisons decide. Sources: seccomp(2), linux/filter.h, OCI runtime-spec config-linux.md.
"""

from __future__ import annotations

import errno
import struct

from runtime.errors import Invalid, Unsupported
from runtime.oci.bpf import OPERATORS, Program
from runtime.oci.syscalls import numbers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    # (index, op, value, valueTwo); the conditions of a rule, all of which must hold, and its answer
    Condition = tuple[int, str, int, int]
    Rule = tuple[tuple[Condition, ...], int]
    # What a number gets: an answer, or rules to try in order with the answer when none holds
    Outcome = int | tuple[tuple[Rule, ...], int]

# linux/seccomp.h: the answer is the action in the upper half, its data in the lower.
RET_KILL_PROCESS = 0x80000000
RET_ERRNO = 0x00050000
ACTIONS = {
    "SCMP_ACT_KILL": 0x00000000, "SCMP_ACT_KILL_THREAD": 0x00000000,
    "SCMP_ACT_KILL_PROCESS": RET_KILL_PROCESS, "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": RET_ERRNO, "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_NOTIFY": 0x7FC00000, "SCMP_ACT_LOG": 0x7FFC0000, "SCMP_ACT_ALLOW": 0x7FFF0000,
}
WITH_DATA = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
PERMISSIVE = ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE")

# linux/audit.h: what the processor's way into the kernel is called in struct seccomp_data.
AUDIT_ARCH = {"x86_64": 0xC000003E, "x86": 0x40000003, "aarch64": 0xC00000B7, "arm": 0x40000028}
LISTED = {"SCMP_ARCH_X86_64": "x86_64", "SCMP_ARCH_X86": "x86",
          "SCMP_ARCH_AARCH64": "aarch64", "SCMP_ARCH_ARM": "arm"}
# A kernel of the first lets programs of the second in, through an entrance with other numbers.
ENTRANCES = {"x86_64": ("x86_64", "x86"), "aarch64": ("aarch64", "arm")}
OFFSET_NUMBER, OFFSET_ARCHITECTURE = 0, 4
X32_BIT = 0x40000000


class Report:
    """What became of a profile; for a note to the user, and for tests."""

    __slots__ = ("architectures", "other_architectures", "instructions", "runs", "names", "unknown")

    def __init__(self) -> None:
        self.architectures: list[str] = []        # ["x86_64", "x86"]: compiled in
        self.other_architectures: list[str] = []  # ["SCMP_ARCH_X32"]: listed, not compiled in
        self.instructions = 0
        self.runs: dict[str, int] = {}            # {"x86_64": 64}
        self.names = 0                            # names in the profile
        self.unknown: list[str] = []              # names that no compiled architecture has


def compile_profile(profile: dict[str, Any], architecture: str) -> bytes:
    """The profile as struct sock_filter[] for this machine: "x86_64" or "aarch64".

    Raises Invalid for a word the specification does not have, Unsupported for a machine without a
    table.
    """
    return compile_with_report(profile, architecture)[0]


def compile_with_report(profile: dict[str, Any], architecture: str) -> tuple[bytes, Report]:
    """As compile_profile, and what was left out.

    Which entrance a call came through is asked first, as each has its own numbers:
      - the machine's own is always compiled in; the 32-bit one when the profile lists it;
      - x32 numbers get ENOSYS, whether listed or not: what a kernel without x32 says, and
        the distributions' kernels have it off;
      - a 32-bit program under a profile that does not list it dies by SIGSYS, as with libseccomp.
    """
    if architecture not in ENTRANCES:
        raise Unsupported(f"compile a seccomp profile for {architecture}: no table of its numbers",
                          f"known: {', '.join(ENTRANCES)}; run with seccomp=unconfined")
    report = Report()
    _choose_architectures(profile, architecture, report)
    program = Program()
    entrances = []
    for name in reversed(report.architectures):
        runs = _runs(_outcomes(profile, numbers(name)), profile, name)
        report.runs[name] = len(runs)
        label = _search(program, runs, {})
        entrances.append((AUDIT_ARCH[name], program.load(OFFSET_NUMBER, label)))
    label = program.ret(RET_KILL_PROCESS)
    for audit, entrance in entrances:
        label = program.jump("==", audit, entrance, label)
    program.load(OFFSET_ARCHITECTURE, label)
    code = program.code()
    if len(code) > 4096:
        raise Invalid(f"compile a seccomp profile: {len(code)} instructions, the kernel takes 4096")
    report.instructions = len(code)
    _count_names(profile, report)
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code), report


def _choose_architectures(profile: dict[str, Any], architecture: str, report: Report) -> None:
    listed = profile.get("architectures") or []
    report.architectures = [name for name in ENTRANCES[architecture]
                            if name == architecture
                            or name in (LISTED.get(word) for word in listed)]
    report.other_architectures = [word for word in listed
                                  if LISTED.get(word) not in report.architectures]


def _count_names(profile: dict[str, Any], report: Report) -> None:
    known = set().union(*(numbers(name) for name in report.architectures))
    names = {name for entry in profile.get("syscalls") or [] for name in entry["names"]}
    report.names = len(names)
    report.unknown = sorted(names - known)


def _answer(action: str, errno_ret: int | None) -> int:
    """The word that the filter returns for an action: SCMP_ACT_ERRNO, 38 is 0x00050026."""
    if action not in ACTIONS:
        raise Invalid(f"compile a seccomp profile: unknown action {action!r}")
    if action not in WITH_DATA:
        return ACTIONS[action]
    data = errno.EPERM if errno_ret is None else errno_ret
    if not 0 <= data <= 0xFFFF:
        raise Invalid(f"compile a seccomp profile: errnoRet {data} is not in 0..65535")
    return ACTIONS[action] | data


def _default(profile: dict[str, Any]) -> int:
    return _answer(profile.get("defaultAction", ""), profile.get("defaultErrnoRet"))


def _outcomes(profile: dict[str, Any], table: dict[str, int]) -> dict[int, Outcome]:
    """The outcome of every number that the profile names; unknown names are passed over.

    libseccomp's rules: a rule without conditions wins over those with, the first such wins over
    later ones, and a rule that says what the default says is no rule. Of two with conditions that
    both hold and answer differently the first wins here; the specification does not say, and in
    libseccomp it follows from the shape of its tree (GE 3 before GE 4 loses, EQ 5 wins or loses).
    """
    default = _default(profile)
    always: dict[int, int] = {}
    rules: dict[int, list[Rule]] = {}
    for entry in profile.get("syscalls") or []:
        answer = _answer(entry.get("action", ""), entry.get("errnoRet"))
        choices = _conditions(entry.get("args") or [])
        for number in (table[name] for name in entry["names"] if name in table):
            found = rules.setdefault(number, [])
            if answer == default:
                continue
            if not choices:
                always.setdefault(number, answer)
            found.extend((conditions, answer) for conditions in choices)
    return {number: always.get(number, (tuple(found), default) if found else default)
            for number, found in rules.items()}


def _conditions(arguments: list[dict[str, Any]]) -> list[tuple[Condition, ...]]:
    """The alternatives of a rule: one, whose conditions all must hold.

    But when two conditions are about the same argument, each is an alternative: runc's reading,
    since libseccomp compares an argument once in a rule.
    """
    conditions = [(argument.get("index", -1), argument.get("op", ""), argument.get("value", 0),
                   argument.get("valueTwo", 0)) for argument in arguments]
    for index, op, value, second in conditions:
        if index not in range(6) or op not in OPERATORS:
            raise Invalid(f"compile a seccomp profile: no such condition: argument {index} {op}")
        if not (0 <= value < 1 << 64 and 0 <= second < 1 << 64):
            raise Invalid(f"compile a seccomp profile: {value} or {second} is not a 64-bit number")
    if len({condition[0] for condition in conditions}) < len(conditions):
        return [(condition,) for condition in conditions]
    return [tuple(conditions)] if conditions else []


def _answer_to_newer(profile: dict[str, Any]) -> int:
    """What a call newer than every name in the profile gets: ENOSYS rather than a denial.

    A C library tries the newest call first, and takes ENOSYS (not EPERM) for "use the older one".
    Profiles that let unknown calls pass keep doing that. Source: runc's patchbpf.
    """
    if profile["defaultAction"] in PERMISSIVE:
        return _default(profile)
    return RET_ERRNO | errno.ENOSYS


def _runs(outcomes: dict[int, Outcome], profile: dict[str, Any],
          name: str) -> list[tuple[int, Outcome]]:
    """(first number, outcome) of each stretch of numbers with one outcome, from 0 upwards."""
    points: dict[int, Outcome] = {0: _default(profile)}
    for number in sorted(outcomes):
        points[number] = outcomes[number]
        points[number + 1] = _default(profile)
    if outcomes:
        points[max(outcomes) + 1] = _answer_to_newer(profile)
    if name == "x86_64":
        points[X32_BIT] = RET_ERRNO | errno.ENOSYS
    runs: list[tuple[int, Outcome]] = []
    for number in sorted(points):
        if not runs or runs[-1][1] != points[number]:
            runs.append((number, points[number]))
    return runs


def _search(program: Program, runs: list[tuple[int, Outcome]], made: dict[Outcome, int]) -> int:
    """Write the binary search over runs; its label. `made` has the outcomes already written."""
    if len(runs) > 1:
        middle = len(runs) // 2
        above = _search(program, runs[middle:], made)
        below = _search(program, runs[:middle], made)
        return program.jump(">=", runs[middle][0], above, below)
    outcome = runs[0][1]
    if isinstance(outcome, int):
        return program.ret(outcome)
    if outcome not in made:
        made[outcome] = _rules(program, *outcome)
    return made[outcome]


def _rules(program: Program, rules: tuple[Rule, ...], default: int) -> int:
    """Write rules that look at arguments: the first that holds answers, else the default."""
    label = program.ret(default)
    for conditions, answer in reversed(rules):
        otherwise, label = label, program.ret(answer)
        for condition in reversed(conditions):
            label = program.compare(*condition, label, otherwise)
    return label
