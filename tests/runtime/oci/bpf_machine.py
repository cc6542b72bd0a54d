"""Oracles for the seccomp tests: a classic BPF interpreter, and libseccomp by ctypes.

The interpreter runs filters as the kernel would (no installing), so that two filters can be
compared call by call: `answer(program, Call("x86_64", 165, (0, 0)))`. libseccomp is what runc and
crun compile with; it is loaded when the host has it. Data: struct sock_filter[] as bytes.
"""

from __future__ import annotations

import ctypes
import os
import struct
from dataclasses import dataclass
from typing import Any

AUDIT_ARCH = {"x86_64": 0xC000003E, "x86": 0x40000003, "aarch64": 0xC00000B7, "arm": 0x40000028}
ALLOW, KILL_PROCESS, TRAP, ERRNO = 0x7FFF0000, 0x80000000, 0x00030000, 0x00050000


@dataclass(frozen=True, slots=True)
class Call:
    """A system call as struct seccomp_data has it."""

    architecture: str
    number: int
    arguments: tuple[int, ...] = ()

    def data(self) -> bytes:
        arguments = (*self.arguments, 0, 0, 0, 0, 0, 0)[:6]
        return struct.pack("<IIQ6Q", self.number, AUDIT_ARCH[self.architecture], 0, *arguments)


def instructions(program: bytes) -> list[tuple[int, int, int, int]]:
    """(code, jt, jf, k) of every instruction."""
    return list(struct.iter_unpack("HBBI", program))


def answer(program: list[tuple[int, int, int, int]], call: Call) -> int:
    """What the filter returns for the call. Fails on anything the kernel's checker would refuse."""
    data, accumulator, position = call.data(), 0, 0
    while True:
        code, yes, no, k = program[position]
        position += 1
        if code == 0x20:
            assert k % 4 == 0 and k + 4 <= len(data)
            accumulator = struct.unpack_from("<I", data, k)[0]
        elif code == 0x06:
            return k
        elif code == 0x05:
            position += k
        elif code == 0x54:
            accumulator &= k
        else:
            taken = {0x15: accumulator == k, 0x25: accumulator > k,
                     0x35: accumulator >= k, 0x45: bool(accumulator & k)}[code]
            position += yes if taken else no


class _Comparison(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int),
                ("datum_a", ctypes.c_uint64), ("datum_b", ctypes.c_uint64)]


OPERATORS = {"SCMP_CMP_NE": 1, "SCMP_CMP_LT": 2, "SCMP_CMP_LE": 3, "SCMP_CMP_EQ": 4,
             "SCMP_CMP_GE": 5, "SCMP_CMP_GT": 6, "SCMP_CMP_MASKED_EQ": 7}


def load_libseccomp() -> ctypes.CDLL | None:
    """libseccomp, or None where the host does not have it."""
    try:
        library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    except OSError:
        return None
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_release.argtypes = [ctypes.c_void_p]
    library.seccomp_arch_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    library.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
    library.seccomp_syscall_resolve_name_arch.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
    return library


def _word(action: str, errno_ret: int | None) -> int:
    word = {"SCMP_ACT_ALLOW": ALLOW, "SCMP_ACT_ERRNO": ERRNO, "SCMP_ACT_TRAP": TRAP,
            "SCMP_ACT_KILL_PROCESS": KILL_PROCESS}[action]
    return word | (1 if errno_ret is None else errno_ret) if word == ERRNO else word


def compile_with_libseccomp(library: ctypes.CDLL, profile: dict[str, Any],
                            extra: list[str]) -> list[tuple[int, int, int, int]]:
    """The native filter, also for the entrances in `extra`, as runc asks libseccomp for it."""
    default = _word(profile["defaultAction"], profile.get("defaultErrnoRet"))
    context = library.seccomp_init(default)
    for name in extra:
        assert library.seccomp_arch_add(context, AUDIT_ARCH[name]) == 0
    for entry in profile["syscalls"]:
        word = _word(entry["action"], entry.get("errnoRet"))
        conditions = [_Comparison(a["index"], OPERATORS[a["op"]], a["value"], a.get("valueTwo", 0))
                      for a in entry.get("args", [])]
        for name in entry["names"]:
            number = library.seccomp_syscall_resolve_name_arch(0, name.encode())
            if number == -1 or word == default:
                continue
            array = (_Comparison * len(conditions))(*conditions)
            code = library.seccomp_rule_add_array(context, word, number, len(conditions), array)
            assert code == 0, (name, code)
    fd = os.memfd_create("filter")
    try:
        assert library.seccomp_export_bpf(context, fd) == 0
        return instructions(os.pread(fd, 1 << 20, 0))
    finally:
        os.close(fd)
        library.seccomp_release(context)
