"""BPF programs in the kernel: bpf(2), as far as a control group's device policy needs it.

Runs in the shim. A program is an array of struct bpf_insn, 8 bytes an instruction; `instruction`
makes one. Attached to a cgroup v2 directory it is asked at every open and mknod of a device below,
and goes when the directory goes. Sources: bpf(2), linux/bpf.h, Documentation/bpf/standardization/.
"""

from __future__ import annotations

import os
import struct

from runtime.errors import KernelError
from runtime.kernel import foreign
from runtime.kernel.libc import check, int_, number, syscall
from runtime.trace.operation import operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BPF_PROG_LOAD, BPF_PROG_ATTACH, BPF_PROG_GET_FD_BY_ID, BPF_PROG_QUERY = 5, 8, 13, 16
BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE = 15, 6
BPF_F_ALLOW_MULTI, BPF_F_REPLACE = 2, 4
LOG_BYTES = 1 << 16
MOST_PROGRAMS = 64

# Instruction classes and codes of linux/bpf.h, as far as they are used.
LOAD_WORD = 0x61              # dst = *(u32 *)(src + offset)
AND, SHIFT_RIGHT, MOVE = 0x57, 0x77, 0xB7
MOVE_REGISTER, EXIT = 0xBF, 0x95
JUMP_EQUAL, JUMP_NOT_EQUAL = 0x15, 0x55


class load_attr(foreign.Structure):  # noqa: N801  (union bpf_attr, of BPF_PROG_LOAD)
    _fields_ = [("prog_type", foreign.c_uint32), ("insn_cnt", foreign.c_uint32),
                ("insns", foreign.c_void_p), ("license", foreign.c_char_p),
                ("log_level", foreign.c_uint32), ("log_size", foreign.c_uint32),
                ("log_buf", foreign.c_void_p), ("kern_version", foreign.c_uint32),
                ("prog_flags", foreign.c_uint32), ("prog_name", foreign.c_char * 16),
                ("prog_ifindex", foreign.c_uint32), ("expected_attach_type", foreign.c_uint32)]


class attach_attr(foreign.Structure):  # noqa: N801  (union bpf_attr, of BPF_PROG_ATTACH)
    _fields_ = [(name, foreign.c_uint32) for name in (
        "target_fd", "attach_bpf_fd", "attach_type", "attach_flags", "replace_bpf_fd")]


class query_attr(foreign.Structure):  # noqa: N801  (union bpf_attr, of BPF_PROG_QUERY)
    _fields_ = [("target_fd", foreign.c_uint32), ("attach_type", foreign.c_uint32),
                ("query_flags", foreign.c_uint32), ("attach_flags", foreign.c_uint32),
                ("prog_ids", foreign.c_void_p), ("prog_cnt", foreign.c_uint32)]


def instruction(code: int, dst: int = 0, src: int = 0, offset: int = 0, value: int = 0) -> bytes:
    """One struct bpf_insn: instruction(MOVE, 0, value=1) is r0 = 1."""
    return struct.pack("=BBhi", code, src << 4 | dst, offset, value)


def bpf(command: int, attributes: foreign.Structure, doing: str, target: str = "",
        hint: str = "") -> int:
    """bpf(2) itself. Raises KernelError."""
    return check(syscall(number("bpf"), int_(command), foreign.byref(attributes),
                         foreign.c_uint(foreign.sizeof(attributes))), f"bpf {doing}", target, hint)


@operation("bpf(2)")
def load_device_program(program: bytes) -> int:
    """Have the kernel verify and keep a device program; a descriptor of it. BPF_PROG_LOAD

    Raises KernelError: EPERM without CAP_SYS_ADMIN, EACCES or EINVAL with the verifier's last word.
    """
    code = foreign.buffer(len(program), program)
    attributes = load_attr(
        prog_type=BPF_PROG_TYPE_CGROUP_DEVICE, insn_cnt=len(program) // 8,
        insns=foreign.addressof(code), license=b"Apache-2.0", prog_name=b"lab_devices",
        expected_attach_type=BPF_CGROUP_DEVICE)
    what = f"device program of {len(program) // 8} instructions"
    try:
        return bpf(BPF_PROG_LOAD, attributes, "BPF_PROG_LOAD", what)
    except KernelError as error:
        if error.errno not in (13, 22):
            raise
        # Only now with the verifier's log: writing it costs more than the check.
        log = foreign.buffer(LOG_BYTES)
        attributes.log_level, attributes.log_size = 1, LOG_BYTES
        attributes.log_buf = foreign.addressof(log)
        said = [line for line in log_of(attributes, log) if not line.startswith("processed ")]
        raise KernelError("bpf BPF_PROG_LOAD", error.errno or 0, what,
                          said[-1] if said else "") from None


def log_of(attributes: load_attr, log: Any) -> list[str]:
    """What the verifier says of a program it refuses."""
    try:
        os.close(bpf(BPF_PROG_LOAD, attributes, "BPF_PROG_LOAD"))
    except KernelError:
        pass  # as before; this time it has said why
    said: bytes = log.value
    return said.decode("utf-8", "replace").splitlines()


@operation("bpf(2)")
def attach_device_program(directory: str, program_fd: int) -> None:
    """Ask this program about devices from now on, in place of one there. BPF_PROG_ATTACH

    With BPF_F_ALLOW_MULTI: those of the groups above are asked too, and groups below may have some.
    """
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    old = -1
    try:
        ids = attached_device_programs(folder, directory)
        attributes = attach_attr(target_fd=folder, attach_bpf_fd=program_fd,
                                 attach_type=BPF_CGROUP_DEVICE, attach_flags=BPF_F_ALLOW_MULTI)
        if ids:
            old = program_by_id(ids[-1])
            attributes.attach_flags |= BPF_F_REPLACE
            attributes.replace_bpf_fd = old
        bpf(BPF_PROG_ATTACH, attributes, "BPF_PROG_ATTACH to", directory)
    finally:
        os.close(folder)
        if old >= 0:
            os.close(old)


def attached_device_programs(folder: int, directory: str) -> list[int]:
    """The ids of the programs at the group itself. BPF_PROG_QUERY"""
    ids = (foreign.c_uint32 * MOST_PROGRAMS)()
    attributes = query_attr(target_fd=folder, attach_type=BPF_CGROUP_DEVICE,
                            prog_ids=foreign.addressof(ids), prog_cnt=MOST_PROGRAMS)
    bpf(BPF_PROG_QUERY, attributes, "BPF_PROG_QUERY of", directory)
    return list(ids[:attributes.prog_cnt])


def program_by_id(ident: int) -> int:
    """A descriptor of a program in the kernel. BPF_PROG_GET_FD_BY_ID"""
    class id_attr(foreign.Structure):  # noqa: N801
        _fields_ = [(name, foreign.c_uint32) for name in ("prog_id", "next_id", "open_flags")]

    return bpf(BPF_PROG_GET_FD_BY_ID, id_attr(prog_id=ident), "BPF_PROG_GET_FD_BY_ID", str(ident))
