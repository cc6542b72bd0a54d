"""A filter installed: what it forbids is forbidden, and what is no filter is refused."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runtime.errors import KernelError
from runtime.kernel import processes, seccomp
from runtime.oci.syscalls import numbers

Child = Callable[[Callable[[], Any]], Any]
LOAD_NUMBER, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000


def forbidding(name: str) -> bytes:
    """The shortest filter: this call is errno 99, every other is allowed."""
    number = numbers(os.uname().machine)[name]
    return b"".join(struct.pack("=HBBI", *each) for each in (
        (LOAD_NUMBER, 0, 0, 0), (JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, ERRNO | 99),
        (RETURN, 0, 0, ALLOW)))


def test_it_holds(child: Child) -> None:
    def action() -> list[Any]:
        processes.set_no_new_privs()
        seccomp.set_filter(forbidding("getcwd"))
        try:
            os.getcwd()
        except OSError as error:
            mode = Path("/proc/self/status").read_text().partition("\nSeccomp:")[2].split()[0]
            return [error.errno, mode]
        return []

    assert child(action) == [99, "2"]


def test_what_is_no_filter_is_refused(child: Child) -> None:
    def action() -> str:
        processes.set_no_new_privs()
        try:
            seccomp.set_filter(b"\xff" * 8)
        except KernelError as error:
            return str(error)
        return ""

    assert "seccomp filter of 1 instructions: EINVAL" in child(action)
