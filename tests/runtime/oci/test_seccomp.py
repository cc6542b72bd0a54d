"""The filter on the real kernel, and its cache.

A forked child installs the filter as any process may (no_new_privs, no root needed), makes one
system call and reports its errno. Calls are chosen whose unfiltered errno is another one.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.seccomp_profile import default_profile
from runtime.errors import Invalid
from runtime.oci import seccomp
from runtime.oci.syscalls import numbers

MACHINE = platform.machine()
pytestmark = pytest.mark.skipif(MACHINE not in ("x86_64", "aarch64"), reason="no number table")
libc = ctypes.CDLL(None, use_errno=True)
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
CLONE_FS, CLONE_NEWUSER, AF_VSOCK, ADDR_NO_RANDOMIZE = 0x200, 0x10000000, 40, 0x40000


class SockFprog(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def call(name: str | int, *arguments: int) -> int:
    """The errno of a raw system call, 0 when it succeeds."""
    number = numbers(MACHINE)[name] if isinstance(name, str) else name
    padded = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0, 0, 0)[:6]]
    result = libc.syscall(ctypes.c_long(number), *padded)
    return ctypes.get_errno() if result == -1 else 0


def under(program: bytes | None, action: Callable[[], int]) -> tuple[int, int]:
    """(what action returned, signal that ended the child), with the filter installed or none."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if program is not None:
                fprog = SockFprog(len(program) // 8, program)
                assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
                assert libc.prctl(PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(fprog), 0, 0) == 0
            os.write(writer, struct.pack("<i", action()))
        finally:
            os._exit(0)
    os.close(writer)
    data = os.read(reader, 4)
    os.close(reader)
    status = os.waitpid(child, 0)[1]
    return (struct.unpack("<i", data)[0] if data else -1), os.WTERMSIG(status)


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    profile = default_profile(["CAP_CHOWN", "CAP_SYS_CHROOT"])
    return seccomp.filter_for(profile, str(tmp_path_factory.mktemp("filters")))


@pytest.mark.parametrize(("name", "arguments", "expected"), [
    ("unshare", (CLONE_FS,), errno.EPERM),
    ("keyctl", (9999,), errno.EPERM),
    ("mount", (0, 0, 0, 0, 0), errno.EPERM),
    ("personality", (ADDR_NO_RANDOMIZE,), errno.EPERM),
    ("personality", (0xFFFFFFFF,), 0),
    ("personality", (0x20008,), 0),
    ("socket", (AF_VSOCK, 1, 0), errno.EPERM),
    ("socket", (1, 1, 0), 0),
    ("io_uring_setup", (0, 0), errno.EPERM),
    ("userfaultfd", (0xFFFF,), errno.EPERM),
    ("clone", (CLONE_NEWUSER | signal.SIGCHLD, 0), errno.EPERM),
    ("clone3", (0, 0), errno.ENOSYS),
    ("getpid", (), 0),
    (900, (), errno.ENOSYS),
])
def test_dockers_filter_on_this_kernel(docker: bytes, name: str | int,
                                       arguments: tuple[int, ...], expected: int) -> None:
    assert under(docker, lambda: call(name, *arguments)) == (expected, 0)


@pytest.mark.parametrize(("name", "arguments"), [
    ("unshare", (CLONE_FS,)), ("personality", (ADDR_NO_RANDOMIZE,)), ("keyctl", (9999,))])
def test_without_a_filter_the_same_calls_are_not_eperm(name: str,
                                                       arguments: tuple[int, ...]) -> None:
    assert under(None, lambda: call(name, *arguments))[0] != errno.EPERM


@pytest.mark.parametrize(("action", "outcome"), [
    ("SCMP_ACT_KILL_PROCESS", (-1, signal.SIGSYS)), ("SCMP_ACT_KILL", (-1, signal.SIGSYS)),
    ("SCMP_ACT_TRAP", (-1, signal.SIGSYS)), ("SCMP_ACT_LOG", (0, 0)),
    ("SCMP_ACT_ERRNO", (errno.EXDEV, 0)), ("SCMP_ACT_TRACE", (errno.ENOSYS, 0)),
])
def test_actions_on_this_kernel(action: str, outcome: tuple[int, int]) -> None:
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["getpgid"], "action": action, "errnoRet": errno.EXDEV}]}
    program = seccomp.compile_profile(profile, MACHINE)
    assert under(program, lambda: call("getpgid", 0)) == outcome


def _int_80() -> int:
    """0 if the 32-bit entrance gives this process's pid: mov eax, 20; int 0x80; ret."""
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return int(ctypes.CFUNCTYPE(ctypes.c_int)(address)()) - os.getpid()


@pytest.mark.skipif(MACHINE != "x86_64", reason="int 0x80 is of x86")
def test_the_32_bit_entrance() -> None:
    if under(None, _int_80) != (0, 0):
        pytest.skip("this kernel has no 32-bit entrance")
    profile: dict[str, Any] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}
    native = seccomp.compile_profile(profile, MACHINE)
    both = seccomp.compile_profile({**profile, "architectures": ["SCMP_ARCH_X86"]}, MACHINE)
    assert under(native, _int_80) == (-1, signal.SIGSYS)
    assert under(both, _int_80) == (0, 0)


def cached(directory: Path) -> Path:
    files = list(directory.glob("seccomp-*.bpf"))
    assert len(files) == 1
    return files[0]


def test_the_cache_is_filled_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory, profile = tmp_path / "new" / "filters", default_profile([])
    program = seccomp.filter_for(profile, str(directory))
    assert program == seccomp.compile_profile(profile, MACHINE)
    assert cached(directory).stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(seccomp, "compile_profile", lambda *_: pytest.fail("compiled again"))
    assert seccomp.filter_for(profile, str(directory)) == program


def test_profile_and_machine_and_edition_make_the_name(tmp_path: Path,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    directory = str(tmp_path)
    seccomp.filter_for(default_profile([]), directory, "x86_64")
    seccomp.filter_for(default_profile(["CAP_SYS_ADMIN"]), directory, "x86_64")
    seccomp.filter_for(default_profile([]), directory, "aarch64")
    monkeypatch.setattr(seccomp, "EDITION", seccomp.EDITION + 1)
    seccomp.filter_for(default_profile([]), directory, "x86_64")
    assert len(os.listdir(directory)) == 4


@pytest.mark.parametrize("damage", [
    lambda data: b"", lambda data: data[:100], lambda data: data[:-8], lambda data: data + b"x" * 8,
    lambda data: data[8:], lambda data: bytes([data[0] ^ 1]) + data[1:],
    lambda data: data[:-1] + b"x", lambda data: b"\0" * len(data),
])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    profile = default_profile([])
    program = seccomp.filter_for(profile, str(tmp_path))
    file = cached(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert seccomp.filter_for(profile, str(tmp_path)) == program
    assert file.read_bytes() == whole


def test_no_place_for_the_cache_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    profile = default_profile([])
    program = seccomp.filter_for(profile, str(tmp_path / "file" / "filters"))
    assert program == seccomp.compile_profile(profile, MACHINE)


def test_flags() -> None:
    assert seccomp.filter_flags({}) == 0
    assert seccomp.filter_flags({"flags": ["SECCOMP_FILTER_FLAG_LOG",
                                           "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]}) == 6
    with pytest.raises(Invalid, match="unknown flag 'LOG'"):
        seccomp.filter_flags({"flags": ["LOG"]})


def test_edition_was_raised_with_the_compiler() -> None:
    """When this fails, the compiler makes other programs: raise EDITION, then note the digest."""
    from runtime.documents import digest

    programs = [seccomp.compile_profile(default_profile(capabilities, machine), machine)
                for machine in ("x86_64", "aarch64")
                for capabilities in ([], ["CAP_SYS_ADMIN", "CAP_SYSLOG"])]
    assert (seccomp.EDITION, digest(b"".join(programs))[:16]) == (1, "38940f64e2cdf056")


def test_a_warm_start_reads_bytes_only(tmp_path: Path) -> None:
    """In a fresh interpreter: nothing heavy is imported, and the median call is quick."""
    script = f"""
import sys, os, time
before = set(sys.modules)
from runtime.oci import seccomp
from runtime.engine.seccomp_profile import default_profile
profile = default_profile(["CAP_CHOWN"])
seccomp.filter_for(profile, {str(tmp_path)!r})
times = []
for _ in range(21):
    begun = time.perf_counter_ns()
    seccomp.filter_for(profile, {str(tmp_path)!r})
    times.append(time.perf_counter_ns() - begun)
print(sorted(times)[10], *sorted(set(sys.modules) - before))
"""
    seccomp.filter_for(default_profile(["CAP_CHOWN"]), str(tmp_path))
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-S", "-c", script], cwd=root, check=True,
                          capture_output=True, text=True, env={"PYTHONPATH": str(root)})
    median_ns, *modules = done.stdout.split()
    assert not {"json", "re", "typing", "dataclasses", "enum", "collections", "hashlib",
                "runtime.oci.seccomp_compiler", "runtime.oci.syscalls"} & set(modules)
    assert int(median_ns) < 3_000_000, "goal 0.3 ms on an idle machine, ten times that on any"


def test_compiling_is_quick_enough_to_do_once() -> None:
    begun = time.perf_counter()
    seccomp.compile_profile(default_profile([]), MACHINE)
    assert time.perf_counter() - begun < 1
