"""bpf(2): instructions as the kernel reads them, loaded, attached and listed."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import pytest

from runtime.cgroup import hierarchies
from runtime.errors import KernelError
from runtime.kernel import programs
from runtime.kernel.programs import EXIT, MOVE, instruction
from tests.runtime.oci.bundles import group_name

YES = instruction(MOVE, 0, value=1) + instruction(EXIT)


def test_an_instruction_is_eight_bytes() -> None:
    made = instruction(programs.LOAD_WORD, 5, 1, 4, -1)
    assert struct.unpack("=BBhi", made) == (0x61, 0x15, 4, -1)


@pytest.fixture
def directory() -> Iterator[str]:
    unified = hierarchies.find().unified
    if unified is None:
        pytest.skip("no cgroup v2 tree here")
    path = unified + group_name()
    os.mkdir(path)
    yield path
    os.rmdir(path)


@pytest.mark.kernel
def test_loaded_attached_and_replaced(directory: str) -> None:
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    seen = []
    for _ in range(3):
        fd = programs.load_device_program(YES)
        assert not os.get_inheritable(fd)
        programs.attach_device_program(directory, fd)
        os.close(fd)
        seen += programs.attached_device_programs(folder, directory)
    os.close(folder)
    assert len(seen) == len(set(seen)) == 3, "one at a time, each another"


@pytest.mark.kernel
def test_what_is_refused_says_why(directory: str) -> None:
    with pytest.raises(KernelError, match="bpf BPF_PROG_LOAD device program of 1 instructions"):
        programs.load_device_program(instruction(MOVE, 0, value=1))
    with pytest.raises(KernelError, match="BPF_PROG_ATTACH to .*EBADF"):
        programs.attach_device_program(directory, 99999)
    with pytest.raises(KernelError, match="BPF_PROG_GET_FD_BY_ID"):
        programs.program_by_id(2**31)
