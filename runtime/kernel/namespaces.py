"""Namespaces: clone3(2), unshare(2), setns(2), and the maps of a user namespace.

Runs in the shim (clone3), in init (unshare of the cgroup namespace) and in exec's process (setns).
KINDS maps the name under /proc/PID/ns to the flag: {"mnt": CLONE_NEWNS, "pid": CLONE_NEWPID, …}.
Sources: namespaces(7), clone(2), user_namespaces(7), time_namespaces(7).
"""

from __future__ import annotations

import fcntl
import os

from runtime.kernel import foreign
from runtime.kernel.libc import NR_clone3, check, int_, libc, syscall, ulong
from runtime.trace.operation import operation

CLONE_NEWTIME = 0x00000080
CLONE_FILES = 0x00000400
CLONE_PIDFD = 0x00001000
CLONE_PARENT = 0x00008000
CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_INTO_CGROUP = 0x200000000

KINDS = {
    "mnt": CLONE_NEWNS, "pid": CLONE_NEWPID, "net": CLONE_NEWNET, "uts": CLONE_NEWUTS,
    "ipc": CLONE_NEWIPC, "cgroup": CLONE_NEWCGROUP, "user": CLONE_NEWUSER, "time": CLONE_NEWTIME,
}


NAMED_FLAGS = [(name, value) for name, value in globals().items() if name.startswith("CLONE_")]


def flag_names(flags: int) -> str:
    """The flags as clone(2) spells them: "CLONE_NEWNS|CLONE_NEWPID"."""
    return "|".join([name for name, value in NAMED_FLAGS if flags & value]) or "0"


class Flags(int):
    """An integer that prints as its clone(2) flags; what the slow motion shows."""

    def __str__(self) -> str:
        return flag_names(self)

    __repr__ = __str__


class clone_args(foreign.Structure):  # noqa: N801  (struct clone_args of linux/sched.h)
    _fields_ = [(name, foreign.c_uint64) for name in (
        "flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls",
        "set_tid", "set_tid_size", "cgroup")]


SIGCHLD = 17
NS_GET_NSTYPE = 0xB703


@operation("clone3(2)")
def clone3(flags: int, cgroup_fd: int | None = None) -> tuple[int, int]:
    """Fork into new namespaces. Returns (pid, pidfd) in the parent and (0, -1) in the child.

    With cgroup_fd the child is born inside that cgroup (v2 only): no attach afterwards, and none of
    the waiting that the first write to cgroup.procs after idle costs (5–17 ms).
    Python's at-fork hooks do not run: the child must leave by execve or os._exit, and never touch
    threads. Raises KernelError. clone(2)
    """
    pidfd = int_(-1)
    arguments = clone_args(
        flags=flags | CLONE_PIDFD | (CLONE_INTO_CGROUP if cgroup_fd is not None else 0),
        pidfd=foreign.addressof(pidfd), exit_signal=0 if flags & CLONE_PARENT else SIGCHLD,
        cgroup=cgroup_fd or 0,
    )
    pid = check(syscall(NR_clone3, foreign.byref(arguments), ulong(foreign.sizeof(arguments))),
                "clone3", flag_names(flags))
    return (pid, pidfd.value) if pid else (0, -1)


@operation("unshare(2)")
def unshare(flags: int) -> None:
    """Move the calling process into new namespaces (pid, time: its children). unshare(2)"""
    check(libc.unshare(flags), "unshare", flag_names(flags))


@operation("setns(2)")
def setns(fd: int, flags: int) -> None:
    """Join the namespace behind fd, or with a pidfd all of that process named in flags. setns(2)"""
    check(libc.setns(fd, flags), "setns", flag_names(flags))


def kind_of(fd: int) -> int:
    """Of which kind the namespace behind fd is: CLONE_NEWPID; 0 for what is none. ioctl_ns(2)"""
    try:
        return fcntl.ioctl(fd, NS_GET_NSTYPE)
    except OSError:
        return 0


@operation("sethostname(2)")
def sethostname(name: str) -> None:
    """Set the host name of this UTS namespace, at most 64 bytes. sethostname(2)"""
    data = os.fsencode(name)
    check(libc.sethostname(data, len(data)), "sethostname", name)


@operation("setdomainname(2)")
def setdomainname(name: str) -> None:
    """Set the NIS domain name of this UTS namespace, at most 64 bytes. setdomainname(2)"""
    data = os.fsencode(name)
    check(libc.setdomainname(data, len(data)), "setdomainname", name)
