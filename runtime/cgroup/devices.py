"""Which device nodes a group may open and make: linux.resources.devices, for both generations.

Runs where a group's limits are set. v1 has two files; v2 has none, but asks a BPF program at every
open and mknod. A rule is {"allow": true, "type": "c", "major": 1, "minor": 3, "access": "rw"}; left
out means all. Rules count in order: for each of r, w and m the last rule that names it decides, and
what no rule names is allowed, as in the group above.

    program([deny all, allow c 1:3 rw])       from the last rule to the first, r4 = what is asked
        r3 = type  r4 = access  r5 = major  r6 = minor
        c 1:3?  r4 &= ~rw;  nothing left of it → 1
        any?    r4 & rwm                       → 0
                                               → 1
Sources: OCI runtime-spec config-linux.md "Allowed Device list"; cgroup-v2.rst "Device controller";
cgroup-v1/devices.rst; linux/bpf.h struct bpf_cgroup_dev_ctx.
"""

from __future__ import annotations

from runtime.errors import Invalid, Unsupported
from runtime.kernel.programs import (
    AND, EXIT, JUMP_EQUAL, JUMP_NOT_EQUAL, LOAD_WORD, MOVE, MOVE_REGISTER, SHIFT_RIGHT, instruction,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATH = "$.linux.resources.devices"
ACCESS = {"m": 1, "r": 2, "w": 4}  # BPF_DEVCG_ACC_MKNOD, _READ, _WRITE
EVERYTHING = 7
# Mask → letters as v1 prints them: 6 → "rw".
LETTERS = {mask: "".join(letter for letter in "rwm" if mask & ACCESS[letter])
           for mask in range(1, EVERYTHING + 1)}
TYPES = {"b": 1, "c": 2}  # BPF_DEVCG_DEV_BLOCK, _CHAR
RESULT, CONTEXT, TYPE, ASKED, MAJOR, MINOR, SCRATCH = 0, 1, 3, 4, 5, 6, 7
# The program is a list of rules in the kernel, at most this long without CAP_BPF's million.
MOST_INSTRUCTIONS = 4096


class Rule:
    """One rule, judged: kind "a" "b" "c"; major, minor None for all; access a mask of ACCESS."""

    __slots__ = ("allow", "kind", "major", "minor", "access")

    def __init__(self, data: dict[str, Any], path: str) -> None:
        self.allow = bool(data.get("allow"))
        self.kind: str = data.get("type") or "a"
        major, minor = data.get("major", -1), data.get("minor", -1)
        self.major: int | None = None if major == -1 else major
        self.minor: int | None = None if minor == -1 else minor
        if self.kind != "a" and self.kind not in TYPES:
            raise Invalid(f"{path}.type: unknown {self.kind!r}", "a, b or c")
        self.access = 0
        for letter in data.get("access") or "rwm":
            if letter not in ACCESS:
                raise Invalid(f"{path}.access: unknown {letter!r}", "any of r, w and m")
            self.access |= ACCESS[letter]
        whole = self.major is None and self.minor is None and self.access == EVERYTHING
        if self.kind == "a" and not whole:
            # v1 takes "a" for all devices and every access, whatever stands behind it.
            raise Unsupported(f"{path}: all types of device at once, but not all of them",
                              "a rule for c and one for b")

    def text(self) -> str:
        """As v1's files take it: "c 1:3 rw", "a"."""
        if self.kind == "a":
            return "a"
        major = "*" if self.major is None else self.major
        minor = "*" if self.minor is None else self.minor
        return f"{self.kind} {major}:{minor} {LETTERS[self.access]}"

    def instructions(self) -> list[bytes]:
        """The rule's part of the program; falls through where it does not decide."""
        tests = [(register, wanted) for register, wanted in (
            (TYPE, TYPES.get(self.kind)), (MAJOR, self.major), (MINOR, self.minor))
            if wanted is not None]
        if self.allow:
            decide = [instruction(AND, ASKED, value=EVERYTHING & ~self.access),
                      instruction(JUMP_NOT_EQUAL, ASKED, offset=2, value=0)]
        else:
            decide = [instruction(MOVE_REGISTER, SCRATCH, ASKED),
                      instruction(AND, SCRATCH, value=self.access),
                      instruction(JUMP_EQUAL, SCRATCH, offset=2, value=0)]
        decide += [instruction(MOVE, RESULT, value=int(self.allow)), instruction(EXIT)]
        behind = len(tests) + len(decide)
        return [*(instruction(JUMP_NOT_EQUAL, register, offset=behind - index - 1, value=wanted)
                  for index, (register, wanted) in enumerate(tests)), *decide]


def rules(data: list[dict[str, Any]]) -> list[Rule]:
    """The rules, judged. Raises Invalid, Unsupported, with the path in config.json."""
    return [Rule(each, f"{PATH}[{index}]") for index, each in enumerate(data)]


def program(data: list[dict[str, Any]]) -> bytes:
    """The rules as a BPF program that returns 1 for yes and 0 for no (EPERM)."""
    code = [
        instruction(LOAD_WORD, TYPE, CONTEXT, 0),      # access_type: access << 16 | type
        instruction(MOVE_REGISTER, ASKED, TYPE),
        instruction(AND, TYPE, value=0xFFFF),
        instruction(SHIFT_RIGHT, ASKED, value=16),
        instruction(LOAD_WORD, MAJOR, CONTEXT, 4),
        instruction(LOAD_WORD, MINOR, CONTEXT, 8),
    ]
    for rule in reversed(rules(data)):
        code += rule.instructions()
    code += [instruction(MOVE, RESULT, value=1), instruction(EXIT)]
    if len(code) > MOST_INSTRUCTIONS:
        raise Invalid(f"{PATH}: {len(data)} rules make a program of {len(code)} instructions, "
                      f"the kernel takes {MOST_INSTRUCTIONS}")
    return b"".join(code)
