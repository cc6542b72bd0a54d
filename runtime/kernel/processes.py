"""Processes: prctl(2), execve(2), pidfds, waiting.

Runs in the shim (subreaper, pidfds, waiting) and in init (no_new_privs, execve).
A process is named by (pid, start time in ticks): pids are used again soon, pid_max may be 32768.
Sources: prctl(2), pidfd_open(2), pidfd_send_signal(2), close_range(2), proc_pid_stat(5).
"""

from __future__ import annotations

import os

from runtime.errors import KernelError
from runtime.kernel import foreign
from runtime.kernel.libc import (
    NR_close_range, NR_pidfd_open, NR_pidfd_send_signal, check, int_, libc, number, syscall, ulong,
    void_p,
)
from runtime.trace.operation import operation

PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
CLOSE_RANGE_CLOEXEC = 4
KEYCTL_JOIN_SESSION_KEYRING = 1
ENOSYS = 38
PER_LINUX, PER_LINUX32 = 0x0, 0x8


@operation("prctl(2)")
def set_child_subreaper() -> None:
    """Orphans below this process come to it instead of the host's init. PR_SET_CHILD_SUBREAPER"""
    check(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl", "PR_SET_CHILD_SUBREAPER")


@operation("prctl(2)")
def set_no_new_privs() -> None:
    """From here on execve gives nobody more than they have: setuid bits count for nothing."""
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl", "PR_SET_NO_NEW_PRIVS")


@operation("prctl(2)")
def set_dumpable(on: bool) -> None:
    """Off: /proc/self/{exe,fd,…} belong to root and no one may attach. PR_SET_DUMPABLE"""
    check(libc.prctl(PR_SET_DUMPABLE, int(on), 0, 0, 0), "prctl", "PR_SET_DUMPABLE")


@operation("keyctl(2)")
def join_session_keyring() -> None:
    """Take a new, empty session keyring: keys, unlike files, are inherited unseen. keyctl(2)"""
    result = syscall(number("keyctl"), int_(KEYCTL_JOIN_SESSION_KEYRING), void_p(None))
    if result < 0 and foreign.get_errno() != ENOSYS:  # a kernel without keys has none to hide
        check(result, "keyctl", "KEYCTL_JOIN_SESSION_KEYRING")


@operation("proc_pid_comm(5)")
def set_name(name: str) -> None:
    """The comm of this process, at most 15 bytes, as ps shows it: through /proc/self/comm."""
    fd = os.open("/proc/self/comm", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, os.fsencode(name)[:15])
    finally:
        os.close(fd)


def pidfd_open(pid: int) -> int:
    """A descriptor that means this process and no later one. Raises KernelError (ESRCH)."""
    # Close-on-exec from the beginning.
    return check(syscall(NR_pidfd_open, int_(pid), int_(0)), "pidfd_open", str(pid))


@operation("pidfd_send_signal(2)")
def pidfd_send_signal(pidfd: int, signal: int) -> None:
    """Signal the process behind pidfd, never one that got its number later. Raises KernelError."""
    check(syscall(NR_pidfd_send_signal, int_(pidfd), int_(signal), void_p(None), int_(0)),
          "pidfd_send_signal", str(signal))


@operation("close_range(2)")
def close_range_on_exec(first: int) -> None:
    """Mark every descriptor from `first` up close-on-exec. close_range(2)"""
    check(syscall(NR_close_range, ulong(first), ulong(0xFFFFFFFF), int_(CLOSE_RANGE_CLOEXEC)),
          "close_range", str(first))


def close_others(keep: list[int]) -> None:
    """Close every descriptor from 3 up but these. No operation: nobody outside can tell."""
    first = 3
    for fd in sorted(keep):
        os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, 1 << 20)


@operation("execve(2)")
def execve(path: str, arguments: list[str], environment: dict[str, str]) -> None:
    """Become the program. Returns only by raising KernelError. execve(2)"""
    try:
        os.execve(path, arguments, environment)
    except OSError as error:
        raise KernelError("execve", error.errno or 0, path) from None


@operation("personality(2)")
def personality(domain: int) -> None:
    """Which Unix this process is told it runs on: under PER_LINUX32 uname says i686."""
    check(libc.personality(ulong(domain)), "personality", f"{domain:#x}")


@operation("setsid(2)")
def setsid() -> None:
    """Begin a session without a terminal; this process leads it. setsid(2)"""
    os.setsid()


def start_ticks(pid: int) -> int:
    """When the process began, in clock ticks since boot; 0 if there is none. proc_pid_stat(5)"""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        data = os.read(fd, 4096)
    except OSError:
        return 0
    finally:
        os.close(fd)
    # comm is in parentheses and may hold anything, also spaces and parentheses: go from the last.
    fields = data.rpartition(b")")[2].split()
    return 0 if fields[0] in (b"X", b"x") else int(fields[19])


def alive(pid: int, ticks: int) -> bool:
    """Is the process (pid, start time) still there, be it as a zombie?"""
    return pid > 0 and ticks > 0 and start_ticks(pid) == ticks


def comm(pid: int) -> str:
    """The name of the program a process runs, also of a zombie; "" when it is gone."""
    try:
        fd = os.open(f"/proc/{pid}/comm", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(fd, 64).decode("utf-8", "replace").strip()
    except OSError:
        return ""
    finally:
        os.close(fd)
