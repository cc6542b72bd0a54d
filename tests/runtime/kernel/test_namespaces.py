"""Namespaces made, joined and named, compared with /proc and lsns."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from runtime.errors import KernelError
from runtime.kernel import namespaces
from runtime.kernel.namespaces import KINDS

Child = Callable[[Callable[[], Any]], Any]


def here(pid: int | str = "self") -> dict[str, str]:
    return {kind: os.readlink(f"/proc/{pid}/ns/{kind}") for kind in KINDS}


def test_the_kinds_are_those_of_this_kernel() -> None:
    assert set(KINDS) == {name for name in os.listdir("/proc/self/ns")
                          if not name.endswith("_for_children")}


def test_flags_print_as_the_manual_spells_them() -> None:
    assert str(namespaces.Flags(KINDS["mnt"] | KINDS["pid"])) == "CLONE_NEWNS|CLONE_NEWPID"
    assert namespaces.flag_names(0) == "0"


@pytest.mark.kernel
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("pid", "time")])
def test_unshare_makes_one_and_no_other(child: Child, kind: str) -> None:
    before = here()

    def action() -> dict[str, str]:
        namespaces.unshare(KINDS[kind])
        return here()

    after = child(action)
    assert {name for name in KINDS if after[name] != before[name]} == {kind}


@pytest.mark.kernel
def test_clone3_into_all_at_once() -> None:
    flags = sum(KINDS.values())
    pid, pidfd = namespaces.clone3(flags)
    if pid == 0:
        os.execv("/bin/sleep", ["sleep", "100"])
    try:
        assert pidfd > 2 and not os.get_inheritable(pidfd)
        inside, outside = here(pid), here()
        assert all(inside[kind] != outside[kind] for kind in KINDS)
        listed = json.loads(subprocess.run(["lsns", "--json", "-p", str(pid)], text=True,
                                           capture_output=True, check=True).stdout)["namespaces"]
        assert {each["type"]: f"{each['type']}:[{each['ns']}]" for each in listed} == inside
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(pidfd)


@pytest.mark.kernel
def test_a_child_of_clone3_is_a_child() -> None:
    pid, pidfd = namespaces.clone3(0)
    if pid == 0:
        os._exit(7 if pidfd == -1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    os.close(pidfd)


@pytest.mark.kernel
def test_joining_by_descriptor_and_by_pidfd(child: Child) -> None:
    pid, pidfd = namespaces.clone3(KINDS["uts"] | KINDS["net"] | KINDS["ipc"])
    if pid == 0:
        os.execv("/bin/sleep", ["sleep", "100"])

    def by_file() -> bool:
        fd = os.open(f"/proc/{pid}/ns/uts", os.O_RDONLY)
        namespaces.setns(fd, KINDS["uts"])
        return here()["uts"] == here(pid)["uts"] and here()["net"] != here(pid)["net"]

    def by_pidfd() -> bool:
        namespaces.setns(pidfd, KINDS["uts"] | KINDS["net"] | KINDS["ipc"])
        return here() == here(pid)

    try:
        assert child(by_file) and child(by_pidfd)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(pidfd)


@pytest.mark.kernel
def test_names_of_the_host_in_a_namespace_of_its_own(child: Child) -> None:
    before = os.uname().nodename

    def action() -> list[str]:
        namespaces.unshare(KINDS["uts"])
        namespaces.sethostname("tea")
        namespaces.setdomainname("lab")
        with open("/proc/sys/kernel/domainname") as file:
            return [os.uname().nodename, file.read().strip()]

    assert child(action) == ["tea", "lab"]
    assert os.uname().nodename == before


@pytest.mark.kernel
def test_what_the_kernel_refuses_is_named(child: Child) -> None:
    def action() -> str:
        namespaces.unshare(KINDS["uts"])
        try:
            namespaces.sethostname("x" * 65)
        except KernelError as error:
            return str(error)
        return ""

    assert "sethostname" in child(action) and "EINVAL" in child(action)
    with pytest.raises(KernelError, match="setns CLONE_NEWUTS: EBADF"):
        namespaces.setns(99999, KINDS["uts"])
