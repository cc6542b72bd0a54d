"""Processes: named by pid and start, seen by pidfd, and what prctl and execve leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import KernelError
from runtime.kernel import processes
from runtime.kernel.libc import int_, number, syscall

Child = Callable[[Callable[[], Any]], Any]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    program = subprocess.Popen(["sleep", "100"])
    yield program
    program.kill()
    program.wait()


def status(field: str) -> str:
    return Path("/proc/self/status").read_text().partition(f"\n{field}:")[2].split()[0]


def test_start_ticks_are_those_of_ps(sleeper: subprocess.Popen[bytes]) -> None:
    ticks = processes.start_ticks(sleeper.pid)
    line = Path(f"/proc/{sleeper.pid}/stat").read_text().rpartition(")")[2].split()
    assert ticks == int(line[19]) > 0
    assert processes.alive(sleeper.pid, ticks)
    assert not processes.alive(sleeper.pid, ticks + 1), "an older or a later one of that number"
    assert not processes.alive(0, 0) and not processes.alive(-1, 5)
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert processes.alive(sleeper.pid, ticks), "as a zombie"
    sleeper.wait()
    assert not processes.alive(sleeper.pid, ticks)
    assert processes.start_ticks(sleeper.pid) == 0


@pytest.mark.parametrize("name", ["a) S 1 2", "(", ")))", "a b", "x" * 15])
def test_a_name_may_hold_anything(child: Child, name: str) -> None:
    def action() -> list[Any]:
        before = processes.start_ticks(os.getpid())
        processes.set_name(name)
        return [before == processes.start_ticks(os.getpid()), processes.comm(os.getpid())]

    assert child(action) == [True, name]
    assert processes.comm(99999999) == ""


def test_a_long_name_is_cut(child: Child) -> None:
    def action() -> str:
        processes.set_name("lab-shim-of-a-container")
        return processes.comm(os.getpid())

    assert child(action) == "lab-shim-of-a-c"


def test_a_pidfd_signals_that_process_and_no_other(sleeper: subprocess.Popen[bytes]) -> None:
    pidfd = processes.pidfd_open(sleeper.pid)
    assert not os.get_inheritable(pidfd)
    processes.pidfd_send_signal(pidfd, signal.SIGTERM)
    assert sleeper.wait(5) == -signal.SIGTERM
    with pytest.raises(KernelError, match="pidfd_send_signal 15: ESRCH"):
        processes.pidfd_send_signal(pidfd, signal.SIGTERM)
    os.close(pidfd)
    with pytest.raises(KernelError, match="ESRCH"):
        processes.pidfd_open(sleeper.pid)


def test_prctl(child: Child) -> None:
    def action() -> list[Any]:
        processes.set_no_new_privs()
        processes.set_dumpable(False)
        owner = os.stat("/proc/self/status").st_uid
        return [status("NoNewPrivs"), owner]

    assert child(action) == ["1", 0]


def test_the_session_keyring_is_new(child: Child) -> None:
    def keyring() -> int:  # KEYCTL_GET_KEYRING_ID of KEY_SPEC_SESSION_KEYRING, made if missing
        return syscall(number("keyctl"), int_(0), int_(-3), int_(1))

    def action() -> list[int]:
        before = keyring()
        processes.join_session_keyring()
        return [before, keyring()]

    before, after = child(action)
    assert before != after and after > 0


def test_orphans_come_to_the_subreaper(child: Child) -> None:
    def action() -> bool:
        processes.set_child_subreaper()
        reader, writer = os.pipe()
        middle = os.fork()
        if middle == 0:
            if os.fork() == 0:
                os.read(reader, 1)  # until the middle is gone
                os._exit(9)
            os._exit(0)
        os.waitpid(middle, 0)
        os.write(writer, b"x")
        return os.waitstatus_to_exitcode(os.waitpid(-1, 0)[1]) == 9

    assert child(action)


def test_descriptors_end_at_execve(child: Child, tmp_path: Path) -> None:
    def action() -> bool:
        fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(5)]
        for fd in fds:
            os.set_inheritable(fd, True)
        processes.close_range_on_exec(3)
        return not any(os.get_inheritable(fd) for fd in fds)

    assert child(action)


def test_all_but_those_kept_are_closed(child: Child) -> None:
    def action() -> list[int]:
        fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(8)]
        # The child's own pipe has to stay, or it could not tell.
        kept = [fds[2], fds[5]]
        own = [fd for fd in map(int, os.listdir("/proc/self/fd")) if fd > 2 and fd not in fds]
        processes.close_others([*own, *kept])
        return [n for n, fd in enumerate(fds) if os.path.exists(f"/proc/self/fd/{fd}")]

    assert child(action) == [2, 5]


def test_execve_returns_only_by_raising(child: Child) -> None:
    with pytest.raises(KernelError, match="execve /no/such: ENOENT"):
        processes.execve("/no/such", ["x"], {})
    with pytest.raises(KernelError, match="EACCES"):
        processes.execve("/etc", ["x"], {})


def test_execve_gives_exactly_this(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(writer, 1)
        processes.setsid()
        processes.execve("/usr/bin/env", ["env"], {"ONLY": "this"})
    os.close(writer)
    assert os.read(reader, 100) == b"ONLY=this\n"
    os.close(reader)
    assert os.waitpid(pid, 0)[1] == 0
