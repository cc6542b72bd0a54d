"""Capabilities: the names of the kernel, and sets as /proc shows them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import KernelError
from runtime.kernel import capabilities, users
from runtime.kernel.capabilities import BITS, Mask, mask_of

Child = Callable[[Callable[[], Any]], Any]


def shown() -> dict[str, int]:
    lines = Path("/proc/self/status").read_text().splitlines()
    return {line[3:6]: int(line.split()[1], 16) for line in lines if line.startswith("Cap")}


def test_every_capability_of_this_kernel_has_its_name() -> None:
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    assert len(BITS) > last
    if shutil.which("capsh"):
        decoded = subprocess.run(["capsh", "--decode=" + "f" * 16], text=True,
                                 capture_output=True).stdout
        names = decoded.strip().partition("=")[2].upper().split(",")
        known = [name for name in names if name.startswith("CAP_")]
        assert [name for name, bit in BITS.items() if bit < len(known)] == known[:len(BITS)]


def test_masks() -> None:
    assert mask_of(["CAP_CHOWN", "CAP_KILL"]) == 0x21 and str(Mask(0xA80425FB)) == "a80425fb"
    with pytest.raises(KeyError):
        mask_of(["CAP_FLY"])
    assert capabilities.bounding() == shown()["Bnd"]


@pytest.mark.kernel
def test_down_to_two(child: Child) -> None:
    def action() -> dict[str, int]:
        have = capabilities.bounding()
        two = mask_of(["CAP_KILL", "CAP_CHOWN"])
        capabilities.drop_bounding(two, have)
        capabilities.keep_capabilities(True)
        users.setgroups([])
        users.setresgid(1000, 1000, 1000)
        users.setresuid(1000, 1000, 1000)
        capabilities.capset(two, two, two)
        capabilities.set_ambient(mask_of(["CAP_KILL"]))
        return shown()

    assert child(action) == {"Bnd": 0x21, "Prm": 0x21, "Eff": 0x21, "Inh": 0x21, "Amb": 0x20}


@pytest.mark.kernel
def test_more_than_permitted_is_refused(child: Child) -> None:
    def action() -> str:
        capabilities.capset(0, 0, 0)
        try:
            capabilities.capset(1, 1, 0)
        except KernelError as error:
            return str(error)
        return ""

    assert "capset effective 1: EPERM" in child(action)


@pytest.mark.kernel
def test_ambient_is_replaced_not_added(child: Child) -> None:
    def action() -> int:
        both = mask_of(["CAP_KILL", "CAP_CHOWN"])
        capabilities.capset(both, both, both)
        capabilities.set_ambient(both)
        capabilities.set_ambient(mask_of(["CAP_CHOWN"]))
        return shown()["Amb"]

    assert child(action) == 1


def test_the_bounding_set_is_what_proc_says_and_never_guessed(
        monkeypatch: pytest.MonkeyPatch) -> None:
    status = Path("/proc/self/status").read_text()
    assert capabilities.bounding() == int(status.partition("CapBnd:")[2].split()[0], 16)
    # A filter that forbids to ask: an empty answer would mean that nothing has to be dropped.
    monkeypatch.setattr(capabilities.libc, "prctl", lambda *arguments: -1)
    with pytest.raises(KernelError, match="PR_CAPBSET_READ"):
        capabilities.bounding()
