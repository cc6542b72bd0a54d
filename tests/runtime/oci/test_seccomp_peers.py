"""Our filter against the one that runc really installs, read back out of the kernel.

runc starts a bundle with Docker's profile; PTRACE_SECCOMP_GET_FILTER (ptrace(2), for
CAP_SYS_ADMIN and a kernel with checkpoint/restore) gives its filter, and the interpreter asks both
about every call. The bundle has no namespace but a mount one, and no cgroup limits.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.seccomp_profile import default_profile
from runtime.oci.seccomp import compile_profile
from runtime.oci.syscalls import numbers
from tests.runtime.oci.bpf_machine import KILL_PROCESS, Call, answer, instructions

pytestmark = [pytest.mark.kernel, pytest.mark.conformance]
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, PTRACE_SECCOMP_GET_FILTER = (
    0x4206, 0x4207, 17, 0x420C)
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def needs_runc(test: Callable[..., None]) -> Any:
    """Root, runc, and a busybox that runs anywhere."""
    for missing, reason in ((not shutil.which("runc") or not Path("/bin/busybox").exists(),
                             "needs runc and a static busybox"),
                            (os.getuid() != 0, "needs root")):
        test = pytest.mark.skipif(missing, reason=reason)(test)
    return test


def installed_filter(pid: int) -> bytes:
    """The newest seccomp filter of a process. Skips where this kernel does not tell."""
    assert libc.ptrace(PTRACE_SEIZE, pid, None, None) == 0
    assert libc.ptrace(PTRACE_INTERRUPT, pid, None, None) == 0
    os.waitpid(pid, 0x40000000)  # __WALL
    try:
        length = libc.ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, None)
        if length < 0:
            pytest.skip(f"PTRACE_SECCOMP_GET_FILTER: {os.strerror(ctypes.get_errno())}")
        buffer = ctypes.create_string_buffer(length * 8)
        assert libc.ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, buffer) == length
        return buffer.raw
    finally:
        libc.ptrace(PTRACE_DETACH, pid, None, None)


def write_bundle(bundle: Path, profile: dict[str, Any]) -> None:
    (bundle / "rootfs" / "bin").mkdir(parents=True)
    for folder in ("proc", "dev", "sys"):
        (bundle / "rootfs" / folder).mkdir()
    shutil.copy("/bin/busybox", bundle / "rootfs" / "bin" / "busybox")
    config = {
        "ociVersion": "1.0.2", "root": {"path": "rootfs"}, "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"}],
        "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "noNewPrivileges": True,
                    "args": ["/bin/busybox", "sleep", "60"],
                    "capabilities": {"bounding": ["CAP_SYS_CHROOT"]}},
        "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}],
                  "seccomp": profile},
    }
    (bundle / "config.json").write_text(json.dumps(config))


@contextlib.contextmanager
def running_in_runc(bundle: Path) -> Iterator[int]:
    """The pid of a process that runc started in the bundle."""
    name, state = f"seccomp-{os.getpid()}", str(bundle / "state")
    runc = ["runc", "--root", state]
    subprocess.run([*runc, "run", "-d", "--pid-file", str(bundle / "pid"), "-b", str(bundle), name],
                   check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield int((bundle / "pid").read_text())
    finally:
        subprocess.run([*runc, "delete", "-f", name], check=True)


@needs_runc
def test_every_call_is_answered_as_under_runc(tmp_path: Path) -> None:
    profile = default_profile(["CAP_SYS_CHROOT"])
    write_bundle(tmp_path, profile)
    with running_in_runc(tmp_path) as pid:
        theirs = instructions(installed_filter(pid))
    ours = instructions(compile_profile(profile, os.uname().machine))
    assert len(ours) < len(theirs) / 3
    personality = numbers("x86_64")["personality"]
    calls = [Call(architecture, number, (first,))
             for architecture in ("x86_64", "x86") for number in range(600)
             for first in (0, 1, 40, 0x10000000)]
    calls += [Call("x86_64", personality, (value,)) for value in (8, 0x20008, 0xFFFFFFFF)]
    differing = {call: (hex(answer(ours, call)), hex(answer(theirs, call)))
                 for call in calls if answer(ours, call) != answer(theirs, call)}
    assert not differing
    # Where we mean to differ: x32 is off in the distributions' kernels, and a foreign entrance
    # ends the process where libseccomp ends the thread.
    assert answer(ours, Call("x86_64", 0x40000000)) == 0x00050026
    assert answer(ours, Call("aarch64", 0)) == KILL_PROCESS
    assert answer(theirs, Call("aarch64", 0)) in (0, KILL_PROCESS)


def rule(name: str, action: str = "SCMP_ACT_ERRNO", *args: tuple[Any, ...],
         **more: Any) -> dict[str, Any]:
    """rule("mincore", "SCMP_ACT_ERRNO", (0, "EQ", 5), errnoRet=7)"""
    return {"names": [name], "action": action, **more, "args": [
        {"index": index, "op": f"SCMP_CMP_{op}", "value": value,
         "valueTwo": second[0] if second else 0} for index, op, value, *second in args]}


HIGH = 0x5_0000_0007
# Calls that neither runc nor the sleep in its container makes; each profile about one thing.
PROFILES: dict[str, dict[str, Any]] = {
    "each operator": {"syscalls": [
        rule(name, "SCMP_ACT_ERRNO", (index, op, value), errnoRet=errno)
        for errno, (name, index, op, value) in enumerate((
            ("mincore", 0, "EQ", HIGH), ("kcmp", 1, "NE", HIGH), ("msync", 2, "LT", HIGH),
            ("quotactl", 3, "LE", HIGH), ("personality", 0, "GE", HIGH), ("sysfs", 5, "GT", HIGH),
            ("acct", 4, "EQ", 0), ("ustat", 0, "GT", 0), ("swapoff", 0, "LT", 1)), 40)]},
    "masks": {"syscalls": [
        rule("mincore", "SCMP_ACT_ERRNO", (0, "MASKED_EQ", 0xF, 0x5)),
        rule("kcmp", "SCMP_ACT_ERRNO", (1, "MASKED_EQ", 0xF0_0000_00F0, 0x10_0000_0020)),
        rule("msync", "SCMP_ACT_ERRNO", (2, "MASKED_EQ", 0, 0))]},
    "several conditions": {"syscalls": [
        rule("mincore", "SCMP_ACT_ERRNO", (0, "EQ", 5), (1, "GE", 7), (2, "NE", HIGH)),
        # Of two rules that both hold, the specification does not say which: these cannot.
        rule("kcmp", "SCMP_ACT_ERRNO", (0, "EQ", 5), errnoRet=1),
        rule("kcmp", "SCMP_ACT_ERRNO", (0, "GT", 7), errnoRet=2),
        rule("msync", "SCMP_ACT_ERRNO", (0, "EQ", 5), (0, "EQ", 7))]},
    "each action": {"syscalls": [
        rule("mincore", "SCMP_ACT_KILL"), rule("kcmp", "SCMP_ACT_KILL_PROCESS"),
        rule("msync", "SCMP_ACT_KILL_THREAD"), rule("quotactl", "SCMP_ACT_TRAP"),
        rule("acct", "SCMP_ACT_TRACE", errnoRet=9), rule("sysfs", "SCMP_ACT_LOG"),
        rule("ustat", "SCMP_ACT_ERRNO"), rule("swapoff", "SCMP_ACT_ERRNO", errnoRet=4094)]},
    "both architectures": {
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [rule("mincore", "SCMP_ACT_ERRNO", (0, "EQ", 5)), rule("mkdir", errnoRet=7)]},
}


@needs_runc
@pytest.mark.parametrize("name", list(PROFILES))
def test_rules_are_read_as_libseccomp_reads_them(tmp_path: Path, name: str) -> None:
    profile = {"defaultAction": "SCMP_ACT_ALLOW", **PROFILES[name]}
    write_bundle(tmp_path, profile)
    with running_in_runc(tmp_path) as pid:
        theirs = instructions(installed_filter(pid))
    ours = instructions(compile_profile(profile, os.uname().machine))
    values = sorted({edge + step for edge in (0, 5, 7, HIGH, 0x10_0000_0020, 0x25, 1 << 32)
                     for step in (-1, 0, 1) if edge + step >= 0} | {(1 << 64) - 1})
    named = {each for entry in profile["syscalls"] for each in entry["names"]}
    calls = [Call("x86_64", numbers("x86_64")[each], arguments)
             for each in sorted(named) for value in values for other in (0, 5, 7, 9)
             for arguments in ((value,) * 6, (value, other, other, value, other, value),
                               (5, value, other, 0, value, other))]
    if "architectures" in profile:
        calls += [Call("x86", number, (value,)) for number in range(500) for value in (0, 5)]
    calls += [Call("x86_64", number, ()) for number in range(450)]
    differing = {call: (hex(answer(ours, call)), hex(answer(theirs, call)))
                 for call in calls if answer(ours, call) != answer(theirs, call)}
    assert not differing
