"""Docker's default profile: what is in it, and what capabilities add.

The oracle is what dockerd 26.1 wrote into a running container's config.json: 13 entries, 366 names;
and podman's profile of the same family, where the host has it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.seccomp_profile import ALLOWED, WITH_CAPABILITY, default_profile

FOURTEEN = ("CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP "
            "NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE")
DOCKER = [f"CAP_{name}" for name in FOURTEEN.split()]
PODMAN = Path("/usr/share/containers/seccomp.json")


def allowed(profile: dict[str, Any]) -> set[str]:
    return {name for entry in profile["syscalls"] for name in entry["names"]
            if entry["action"] == "SCMP_ACT_ALLOW" and not entry.get("args")}


def test_dockers_own_size() -> None:
    profile = default_profile(DOCKER, "x86_64")
    assert len(profile["syscalls"]) == 13
    assert sum(len(entry["names"]) for entry in profile["syscalls"]) == 366
    assert profile["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
    assert (profile["defaultAction"], profile["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 1)


def test_no_name_twice() -> None:
    names = ALLOWED.split()
    assert len(names) == len(set(names))


def test_capabilities_open_calls() -> None:
    plain = allowed(default_profile(DOCKER))
    assert not {"mount", "unshare", "setns", "bpf", "keyctl", "reboot", "io_uring_setup"} & plain
    assert "chroot" in plain
    assert "chroot" not in allowed(default_profile([]))
    admin = allowed(default_profile([*DOCKER, "CAP_SYS_ADMIN"]))
    assert admin - plain >= {"mount", "umount2", "unshare", "setns", "clone", "clone3", "bpf"}
    assert allowed(default_profile([*DOCKER, "CAP_SYS_TIME"])) - plain == {
        "settimeofday", "stime", "clock_settime", "clock_settime64"}
    everything = allowed(default_profile([name for name, _ in WITH_CAPABILITY]))
    assert not {"keyctl", "kexec_load", "swapon", "userfaultfd", "pivot_root"} & everything


def test_clone_into_namespaces_needs_sys_admin() -> None:
    def entries(capabilities: list[str], name: str) -> list[dict[str, Any]]:
        found = default_profile(capabilities)["syscalls"]
        return [entry for entry in found if name in entry["names"]]

    (clone,) = entries(DOCKER, "clone")
    assert clone["args"] == [{"index": 0, "value": 2114060288, "op": "SCMP_CMP_MASKED_EQ"}]
    (clone3,) = entries(DOCKER, "clone3")
    assert (clone3["action"], clone3["errnoRet"]) == ("SCMP_ACT_ERRNO", 38)
    assert "args" not in entries(["CAP_SYS_ADMIN"], "clone")[0]


def test_profiles_are_not_shared() -> None:
    default_profile(DOCKER)["architectures"].clear()
    assert default_profile(DOCKER, "x86_64")["architectures"]


@pytest.mark.skipif(not PODMAN.exists(), reason="needs podman's profile as the oracle")
def test_podmans_profile_is_a_near_twin() -> None:
    podman = {name for entry in json.loads(PODMAN.read_text())["syscalls"]
              if entry["action"] == "SCMP_ACT_ALLOW" and not entry["includes"]
              for name in entry["names"]}
    # Podman 4.3 lets mount and unshare through, for containers in containers, and knows no calls
    # of Linux 6.5 and later.
    assert len(set(ALLOWED.split()) & podman) > 330
