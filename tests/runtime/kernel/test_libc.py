"""The C library by ctypes: results, errno, and numbers that are what the kernel's tables say."""

from __future__ import annotations

import errno
import os

import pytest

from runtime.errors import KernelError, Unsupported
from runtime.kernel import libc
from runtime.oci.syscalls import numbers


@pytest.mark.parametrize("machine", list(libc.NUMBERS))
def test_the_numbers_are_the_kernels(machine: str) -> None:
    table = numbers(machine)
    for name, number in libc.NUMBERS[machine].items():
        assert table[name] == number, name
    for name in ("pidfd_send_signal", "pidfd_open", "clone3", "close_range", "openat2",
                 "mount_setattr"):
        assert getattr(libc, f"NR_{name}") == table[name]


def test_both_machines_have_the_same_calls() -> None:
    first, *others = libc.NUMBERS.values()
    assert all(first.keys() == other.keys() for other in others)


def test_a_call_without_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libc, "MACHINE", "vax")
    with pytest.raises(Unsupported, match="pivot_root on vax"):
        libc.number("pivot_root")


def test_a_result_or_an_error() -> None:
    assert libc.check(7, "frob") == 7
    with pytest.raises(KernelError) as caught:
        libc.check(libc.libc.umount2(b"/no/such", 0), "umount2", "/no/such")
    assert caught.value.errno in (errno.ENOENT, errno.EPERM)
    assert str(caught.value).startswith("umount2 /no/such: E")


def test_a_raw_call() -> None:
    assert libc.syscall(libc.NR_pidfd_open, libc.int_(os.getpid()), libc.int_(0)) > 2


@pytest.mark.parametrize(("text", "data"), [(None, None), ("a", b"a"), (os.fsdecode(b"\xff"),
                                                                       b"\xff")])
def test_names_as_bytes(text: str | None, data: bytes | None) -> None:
    assert libc.encode(text) == data
