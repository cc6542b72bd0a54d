"""The cache of what a machine starts from: another Python, lab or kernel has another place."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lab.vm import boot, initramfs
from lab.vm.kernel import Kernel


@pytest.fixture
def kernel(tmp_path):
    image = tmp_path / "vmlinuz-1"
    image.write_bytes(b"\x7fELF")
    return Kernel("1", image, tmp_path)


def test_the_same_place_for_the_same(kernel):
    assert boot.key(kernel) == boot.key(kernel)


def test_another_python(kernel, monkeypatch):
    before = boot.key(kernel)
    monkeypatch.setattr(sys, "executable", "/elsewhere/bin/python3")
    assert boot.key(kernel) != before


def test_another_lab(kernel, monkeypatch):
    before = boot.key(kernel)
    monkeypatch.setattr(initramfs, "AGENT", Path("/elsewhere/lab/vm/agent.py"))
    assert boot.key(kernel) != before


def test_another_kernel(kernel):
    before = boot.key(kernel)
    kernel.image.write_bytes(b"\x7fELF, newer")
    assert boot.key(kernel) != before
