"""Resource limits, set by the C library and read by Python's own module."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from typing import Any

import pytest

from runtime.errors import KernelError
from runtime.kernel import limits

Child = Callable[[Callable[[], Any]], Any]


def test_the_numbers_are_those_of_this_machine() -> None:
    for name, number in limits.RLIMITS.items():
        assert getattr(resource, name, number) == number, name


@pytest.mark.parametrize(("soft", "hard", "seen"), [
    (100, 200, (100, 200)), (0, 0, (0, 0)), (7, limits.INFINITY, (7, -1)), (-1, -1, (-1, -1))])
def test_set(child: Child, soft: int, hard: int, seen: tuple[int, int]) -> None:
    def action() -> tuple[int, int]:
        limits.setrlimit("RLIMIT_CORE", soft, hard)
        return resource.getrlimit(resource.RLIMIT_CORE)

    if resource.getrlimit(resource.RLIMIT_CORE)[1] != -1:
        pytest.skip("the hard limit of core files is lowered here already")
    assert tuple(child(action)) == seen


@pytest.mark.parametrize(("soft", "hard", "name"), [(5, 4, "EINVAL"), (1 << 40, 1 << 40, "EPERM")])
def test_refused(child: Child, soft: int, hard: int, name: str) -> None:
    def action() -> str:
        try:
            limits.setrlimit("RLIMIT_NOFILE", soft, hard)
        except KernelError as error:
            return str(error)
        return ""

    assert name in child(action) and f"RLIMIT_NOFILE {soft}:{hard}" in child(action)


def test_another_process() -> None:
    """Lowered from outside, as a shim raises them where it may."""
    pid = os.fork()
    if pid == 0:
        time.sleep(30)
        os._exit(0)
    try:
        _, hard = limits.getrlimit(pid, "RLIMIT_NOFILE")
        limits.prlimit(pid, "RLIMIT_NOFILE", 17, hard)
        assert limits.getrlimit(pid, "RLIMIT_NOFILE") == (17, hard)
        assert resource.prlimit(pid, resource.RLIMIT_NOFILE)[0] == 17
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
