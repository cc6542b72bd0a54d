"""Policy, disk priority and CPUs: set by us, read back by others."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from runtime.errors import KernelError
from runtime.kernel import scheduling

Child = Callable[[Callable[[], Any]], Any]


def test_the_numbers_are_those_of_this_machine() -> None:
    for name, value in scheduling.POLICIES.items():
        assert getattr(os, name, value) == value, name


def test_a_policy(child: Child) -> None:
    def action() -> list[int]:
        scheduling.sched_setattr("SCHED_BATCH", scheduling.SCHED_FLAGS["SCHED_FLAG_RESET_ON_FORK"],
                                 nice=7)
        return [os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)]

    reset = getattr(os, "SCHED_RESET_ON_FORK", 0x40000000)
    assert child(action) in ([os.SCHED_BATCH | reset, 7], [os.SCHED_BATCH, 7])


def test_what_the_kernel_refuses(child: Child) -> None:
    def action() -> str:
        try:
            scheduling.sched_setattr("SCHED_DEADLINE", runtime_ns=5, deadline_ns=4, period_ns=3)
        except KernelError as error:
            return str(error)
        return ""

    assert child(action).startswith("sched_setattr SCHED_DEADLINE: E")


def test_a_disk_priority(child: Child) -> None:
    def action() -> str:
        os.setsid()  # the group: not pytest's
        scheduling.ioprio_set("IOPRIO_CLASS_BE", 6)
        return subprocess.run(["ionice", "-p", str(os.getpid())], capture_output=True,
                              text=True, check=True).stdout.strip()

    assert child(action) == "best-effort: prio 6"


def test_cpus(child: Child) -> None:
    def action() -> list[int]:
        scheduling.sched_setaffinity([0])
        return sorted(os.sched_getaffinity(0))

    assert child(action) == [0]


def test_no_such_cpu(child: Child) -> None:
    def action() -> str:
        try:
            scheduling.sched_setaffinity([8000])
        except KernelError as error:
            return str(error)
        return ""

    assert "sched_setaffinity [8000]: EINVAL" in child(action)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="i686 is x86")
def test_a_personality(child: Child) -> None:
    from runtime.kernel import processes

    def action() -> str:
        processes.personality(processes.PER_LINUX32)
        return os.uname().machine

    assert child(action) == "i686"
