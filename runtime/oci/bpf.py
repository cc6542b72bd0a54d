"""A classic BPF program, written backwards.

Used by `seccomp_compiler`, in its process; only computes. The machine has one accumulator, loads
into it from struct seccomp_data (number, architecture, instruction pointer, six arguments), and
jumps forwards only. So the last instruction is written first: whatever a jump wants to reach is
there already, and equal returns are shared. A label is the distance from the program's end:
    label 1: ret ALLOW    label 2: ret ERRNO|1    label 3: jeq 39, label 1, label 2
A conditional jump spans 255 instructions at most, which `_near` hides.
Sources: linux/bpf_common.h, linux/filter.h, Documentation/networking/filter.rst.
"""

from __future__ import annotations

# The codes of the instructions we use; BPF_JMP compares the accumulator with a constant.
LOAD, RETURN, ALWAYS, AND = 0x20, 0x06, 0x05, 0x54
JUMPS = {"==": 0x15, ">": 0x25, ">=": 0x35}
FARTHEST = 250  # of 255: both branches of one jump may need a stepping stone

# The specification's words for comparing an argument, and what each is made of: the comparison
# of 64-bit words as _at_least and _equal write it, and whether its branches are swapped.
OPERATORS = {
    "SCMP_CMP_EQ": ("==", False), "SCMP_CMP_NE": ("==", True), "SCMP_CMP_MASKED_EQ": ("==", False),
    "SCMP_CMP_GE": (">=", False), "SCMP_CMP_LT": (">=", True),
    "SCMP_CMP_GT": (">", False), "SCMP_CMP_LE": (">", True),
}
OFFSET_ARGUMENTS = 16
ALL_BITS = 0xFFFFFFFF


class Program:
    """Instructions from the last to the first."""

    __slots__ = ("backwards", "returns")

    def __init__(self) -> None:
        self.backwards: list[tuple[int, int, int, int]] = []  # (code, jt, jf, k)
        self.returns: dict[int, int] = {}                     # value to label

    def code(self) -> list[tuple[int, int, int, int]]:
        """The instructions in the order the kernel runs them, as struct sock_filter's fields."""
        return self.backwards[::-1]

    def _add(self, code: int, k: int, yes: int = 0, no: int = 0) -> int:
        self.backwards.append((code, yes, no, k))
        return len(self.backwards)

    def ret(self, value: int) -> int:
        """Answer with value."""
        if value not in self.returns:
            self.returns[value] = self._add(RETURN, value)
        return self.returns[value]

    def _near(self, label: int) -> int:
        """The label, or one close by that leads there: a copy of a return, else a long jump."""
        if len(self.backwards) - label <= FARTHEST:
            return label
        code, _, _, k = self.backwards[label - 1]
        if code == RETURN:
            self.returns[k] = self._add(RETURN, k)
            return self.returns[k]
        return self._add(ALWAYS, len(self.backwards) - label)

    def jump(self, operator: str, k: int, yes: int, no: int) -> int:
        """Go to yes if the accumulator compares so with k, else to no."""
        if yes == no:
            return yes
        yes, no = self._near(yes), self._near(no)
        end = len(self.backwards)
        return self._add(JUMPS[operator], k, end - yes, end - no)

    def load(self, offset: int, label: int, mask: int = ALL_BITS) -> int:
        """Load the word at offset of struct seccomp_data, keep mask's bits, go on at label."""
        if label != len(self.backwards):
            self._add(ALWAYS, len(self.backwards) - label)
        if mask != ALL_BITS:
            self._add(AND, mask)
        return self._add(LOAD, offset)

    def compare(self, index: int, op: str, value: int, second: int, yes: int, no: int) -> int:
        """Go to yes if argument index compares so, as an unsigned 64-bit number, else to no.

        SCMP_CMP_MASKED_EQ: value is the mask, second what the masked argument must be.
        """
        operator, swapped = OPERATORS[op]
        if swapped:
            yes, no = no, yes
        if yes == no:
            return yes
        if op == "SCMP_CMP_MASKED_EQ":
            return self._equal(index, second, value, yes, no)
        if operator == "==":
            return self._equal(index, value, (1 << 64) - 1, yes, no)
        # Upper halves that differ decide; only when they are equal do the lower ones count.
        label = self.load(_low(index), self.jump(operator, value & ALL_BITS, yes, no))
        label = self.jump("==", value >> 32, label, no)
        return self.load(_low(index) + 4, self.jump(">", value >> 32, yes, label))

    def _equal(self, index: int, value: int, mask: int, yes: int, no: int) -> int:
        label = self.jump("==", value & ALL_BITS, yes, no)
        label = self.load(_low(index), label, mask & ALL_BITS)
        # A mask without upper bits, which must be 0, leaves nothing to ask of the upper half.
        if mask >> 32 == 0 and value >> 32 == 0:
            return label
        return self.load(_low(index) + 4, self.jump("==", value >> 32, label, no), mask >> 32)


def _low(index: int) -> int:
    """Offset of the lower half of an argument: x86 and ARM are little-endian."""
    return OFFSET_ARGUMENTS + 8 * index
