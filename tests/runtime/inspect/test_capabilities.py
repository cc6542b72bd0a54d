"""Masks to words and back, compared with capsh, kill -l and the kernel's own header."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from runtime.errors import Invalid
from runtime.inspect.capabilities import (
    DOCKER_DEFAULT,
    NAMES,
    decode,
    decode_signals,
    encode,
    seccomp_word,
    signal_name,
    signal_number,
)

DOCKER_MASK = 0xA80425FB


def test_dockers_default_is_the_mask_that_every_container_shows() -> None:
    assert encode(DOCKER_DEFAULT) == DOCKER_MASK
    assert decode(DOCKER_MASK) == DOCKER_DEFAULT
    assert len(DOCKER_DEFAULT) == 14


def test_all_41_are_the_full_mask() -> None:
    assert len(NAMES) == 41
    assert encode(NAMES) == 0x1FFFFFFFFFF
    assert decode(1 << 63) == ("CAP_63",)


def test_names_are_taken_in_any_spelling_and_others_refused() -> None:
    assert encode(["cap_sys_admin"]) == encode(["SYS_ADMIN"]) == 1 << 21
    with pytest.raises(Invalid, match="unknown capability: COFFEE"):
        encode(["COFFEE"])


@pytest.mark.skipif(not shutil.which("capsh"), reason="capsh is not installed")
@pytest.mark.parametrize("mask", [DOCKER_MASK, 0x1FFFFFFFFFF, 1 << 40, 0x3000])
def test_capsh_decodes_the_same(mask: int) -> None:
    said = subprocess.run(["capsh", f"--decode={mask:x}"], capture_output=True, text=True).stdout
    words = said.strip().partition("=")[2].upper().split(",")
    assert list(decode(mask)) == [word.removeprefix("CAP_") for word in words]


def test_the_kernel_header_numbers_them_alike() -> None:
    header = Path("/usr/include/linux/capability.h")
    if not header.exists():
        pytest.skip("kernel headers are not installed")
    defined = re.findall(r"#define CAP_(\w+)\s+(\d+)$", header.read_text(), re.M)
    assert {name: int(bit) for name, bit in defined} == {
        name: bit for bit, name in enumerate(NAMES) if name in dict(defined)}


def test_bit_14_of_sigcgt_is_term() -> None:
    assert decode_signals(1 << 14) == ("TERM",)
    assert decode_signals(0x14000) == ("TERM", "CHLD")
    assert decode_signals(0) == ()


def test_signal_names_and_numbers_agree() -> None:
    assert signal_number("SIGTERM") == signal_number("term") == signal_number("15") == 15
    assert signal_name(9) == "KILL"
    assert signal_name(int(signal.SIGRTMIN) + 3) == "RTMIN+3"
    with pytest.raises(Invalid, match="unknown signal: BELL"):
        signal_number("BELL")


def test_seccomp_words() -> None:
    assert [seccomp_word(mode) for mode in (0, 1, 2, None)] == [
        "disabled", "strict", "filter", "unknown"]
