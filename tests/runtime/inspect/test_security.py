"""What a process may still do: recorded, and live beside setpriv, /proc and a real container."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest

from runtime.inspect import security
from runtime.inspect.capabilities import DOCKER_DEFAULT, encode
from runtime.inspect.source import Live, Recording

LIVE = Live()
STATUS = ("Name:\tsh\nPid:\t7\nCapInh:\t0\nCapPrm:\ta80425fb\nCapEff:\ta80425fb\n"
          "CapBnd:\ta80425fb\nCapAmb:\t0\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n")
MOUNTINFO = (
    "1 0 0:1 / / rw - overlay overlay rw\n2 1 0:2 / /proc rw - proc proc rw\n"
    "3 2 0:3 /null /proc/kcore rw - tmpfs tmpfs rw\n4 2 0:4 / /proc/acpi ro - tmpfs tmpfs ro\n"
    "5 2 0:2 /sys /proc/sys ro - proc proc rw\n6 2 0:2 /fs /proc/fs rw - proc proc rw\n"
    "7 1 0:5 / /sys ro - sysfs sysfs ro\n8 7 0:6 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n"
    "9 7 0:7 / /sys/firmware ro - tmpfs tmpfs ro\n")


def test_a_recorded_process() -> None:
    there = Recording({"/proc/7/status": STATUS, "/proc/7/mountinfo": MOUNTINFO,
                       "/proc/7/attr/current": "docker-default (enforce)\n"})
    found = security.security(there, 7)
    assert found is not None and found.pid == 7
    assert found.effective == encode(DOCKER_DEFAULT) == found.set("bounding")
    assert (found.inheritable, found.ambient, found.no_new_privs) == (0, 0, True)
    assert (found.seccomp, found.filters, found.label) == (2, 3, "docker-default (enforce)")
    assert found.masked == ("/proc/acpi", "/proc/kcore", "/sys/firmware")
    assert found.read_only == ("/proc/sys",), "one that may be written is not locked"


def test_an_old_kernel_does_not_count_its_filters_and_a_dead_process_has_nothing() -> None:
    status = STATUS.replace("Seccomp_filters:\t3\n", "")
    found = security.security(Recording({"/proc/7/status": status}), 7)
    assert found is not None and found.filters is None and found.masked == ()
    assert security.security(Recording({}), 7) is None


@pytest.mark.kernel
def test_the_sets_are_those_of_setpriv(start: Callable[..., int]) -> None:
    """setpriv(1) gives, and its own --dump tells: an outsider on both sides."""
    flags = ("--bounding-set=-all,+chown,+kill,+net_raw", "--inh-caps=-all,+kill",
             "--ambient-caps=-all", "--no-new-privs")
    pid = start("setpriv", *flags)
    found = security.security(LIVE, pid)
    assert found is not None
    assert found.bounding == encode(("CHOWN", "KILL", "NET_RAW"))
    assert found.inheritable == encode(("KILL",)) and found.ambient == 0
    assert found.no_new_privs and found.seccomp == 0
    said = subprocess.run(["setpriv", *flags, "setpriv", "--dump"], capture_output=True, text=True,
                          check=True).stdout
    assert "Capability bounding set: chown,kill,net_raw" in said
    assert "no_new_privs: 1" in said


@pytest.mark.kernel
def test_we_ourselves() -> None:
    found = security.security(LIVE, "self")
    assert found is not None and found.pid == os.getpid()
    with open("/proc/self/status", encoding="ascii") as file:
        lines = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    assert found.effective == int(lines["CapEff"], 16)
    assert found.bounding == int(lines["CapBnd"], 16)
