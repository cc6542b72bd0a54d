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
from collections.abc import Iterator
from pathlib import Path

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


def write_bundle(bundle: Path) -> None:
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
                  "seccomp": default_profile(["CAP_SYS_CHROOT"])},
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


@pytest.mark.skipif(not shutil.which("runc") or not Path("/bin/busybox").exists(),
                    reason="needs runc and a static busybox")
@pytest.mark.skipif(os.getuid() != 0, reason="needs root")
def test_every_call_is_answered_as_under_runc(tmp_path: Path) -> None:
    write_bundle(tmp_path)
    with running_in_runc(tmp_path) as pid:
        theirs = instructions(installed_filter(pid))
    profile = default_profile(["CAP_SYS_CHROOT"])
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
