"""What a filter answers: beside another interpreter, and beside the kernel itself."""

from __future__ import annotations

import ctypes
import os

import pytest

from runtime.engine.defaults import CAPABILITIES
from runtime.engine.seccomp_profile import default_profile
from runtime.errors import Invalid
from runtime.kernel import seccomp as kernel_seccomp
from runtime.oci import filter_answer, seccomp, syscalls
from tests.runtime.oci.bpf_machine import Call, answer, instructions

DEFAULT = default_profile(CAPABILITIES, "x86_64")


@pytest.mark.parametrize("name, arguments, word, rule", [
    ("read", (), "SCMP_ACT_ALLOW", "rule 1: SCMP_ACT_ALLOW"),
    ("mount", (), "SCMP_ACT_ERRNO EPERM", "no rule names it: the profile's default"),
    ("clone3", (), "SCMP_ACT_ERRNO ENOSYS", "rule 13: SCMP_ACT_ERRNO"),
    ("socket", (1,), "SCMP_ACT_ALLOW", "rule 3: SCMP_ACT_ALLOW if argument 0 != 0x28"),
    ("socket", (40,), "SCMP_ACT_ERRNO EPERM", "rule 3"),
    ("clone", (0x10000000,), "SCMP_ACT_ERRNO EPERM", "argument 0 & 0x7e020000 == 0x0"),
    ("clone", (17,), "SCMP_ACT_ALLOW", "rule 12"),
    ("personality", (8,), "SCMP_ACT_ALLOW", "argument 0 == 0x8"),
])
def test_dockers_profile(name, arguments, word, rule):
    told = filter_answer.answer(DEFAULT, name, arguments, "x86_64")
    assert told.word == word and rule in told.rule
    assert told.allowed == (word == "SCMP_ACT_ALLOW")
    assert told.depends == bool(arguments)


def test_a_newer_call_than_the_profile_knows_is_no_call_at_all():
    profile = {"defaultAction": "SCMP_ACT_ERRNO",
               "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}
    told = filter_answer.answer(profile, "openat2", (), "x86_64")
    assert told.word == "SCMP_ACT_ERRNO ENOSYS" and "newer than every name" in told.rule


def test_without_a_profile_everything_is_allowed_and_an_unknown_name_is_refused():
    assert filter_answer.answer(None, "mount").rule == "there is no filter"
    assert filter_answer.answer({}, "mount").allowed
    with pytest.raises(Invalid, match="no system call of .* is called zork"):
        filter_answer.answer(DEFAULT, "zork")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_answer_is_another_interpreters(machine):
    profile = default_profile(CAPABILITIES, machine)
    program = instructions(seccomp.compile_profile(profile, machine))
    allowed, depending, refused = filter_answer.overview(profile, machine)
    assert sorted(allowed + depending + refused) == sorted(syscalls.numbers(machine))
    for name, number in syscalls.numbers(machine).items():
        told = filter_answer.answer(profile, name, (), machine)
        value = answer(program, Call(machine, number))
        assert (value >> 16 == 0x7FFF) == told.allowed, name
        assert name in depending or (name in allowed) == told.allowed, name


# Harmless with these arguments whatever the answer: they ask, or name nothing that is there.
TRIED = {"getpid": (), "getuid": (), "umask": (0o22,), "keyctl": (0, -3), "unshare": (0,),
         "socket": (40, 1, 0), "mount": (0, 0, 0, 0, 0), "sethostname": (0, 1 << 20),
         "bpf": (99, 0, 0), "ptrace": (99, 0, 0, 0), "swapoff": (0,), "chroot": (0,),
         "getrandom": (0, 0, 0), "personality": (0xFFFFFFFF,), "acct": (1,),
         "perf_event_open": (0, 0, 0, 0, 0), "pivot_root": (0, 0), "add_key": (0, 0, 0, 0, 0),
         "userfaultfd": (1 << 30,), "statx": (-1, 0, 0, 0, 0), "clone3": (0, 0)}


@pytest.mark.kernel
@pytest.mark.parametrize("name", TRIED)
def test_the_kernel_answers_the_same(name):
    """The filter installed in a fork without capabilities, the call made, the errno compared."""
    machine = os.uname().machine
    profile = default_profile(CAPABILITIES, machine)
    arguments = TRIED[name]
    told = filter_answer.answer(profile, name, arguments)
    open_errno = errno_in_fork(b"", told.number, arguments)
    errno = errno_in_fork(seccomp.compile_profile(profile, machine), told.number, arguments)
    assert errno == (open_errno if told.allowed else told.errno)


def errno_in_fork(program: bytes, number: int, arguments: tuple[int, ...]) -> int:
    """The errno of the call; 0 where it succeeds. Its user is nobody, so it can do no harm."""
    pid = os.fork()
    if pid == 0:
        code = 255
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            libc.prctl(38, 1, 0, 0, 0)
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            if program:
                kernel_seccomp.set_filter(program, 0)
            words = [ctypes.c_long(word) for word in arguments]
            code = ctypes.get_errno() if libc.syscall(ctypes.c_long(number), *words) < 0 else 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
