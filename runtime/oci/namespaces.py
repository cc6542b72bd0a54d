"""Namespaces that config.json names by path: opened, looked at, entered. New ones are clone3's.

Runs in the shim (open_all, clone), in a joiner between it and init, and in init (enter). Paths are
opened first, by the shim, for inside a user namespace another process's /proc/PID/ns is closed, and
so that what was looked at is what is entered. Two kinds cannot be entered by init itself: a user
namespace has to be there before the others are made, which then belong to it; and a PID namespace
counts for children only. For those init's parent is a joiner:

    shim ── fork ──► joiner: setns(user), setns(pid) ── clone3(CLONE_PARENT | new) ──► init
                        └── tells the pid, exits                                child of the shim

Sources: runtime-spec config-linux.md "Namespaces"; setns(2), ioctl_ns(2); runc's nsexec.c.
"""

from __future__ import annotations

import os

from runtime import documents
from runtime.errors import Conflict, Invalid, KernelError, from_data, to_data
from runtime.kernel import files, namespaces, processes
from runtime.kernel.namespaces import CLONE_PARENT, KINDS
from runtime.trace.operation import observe
from runtime.trace.recorder import Recorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.plan import Plan

BY_JOINER = ("user", "pid")
# The mount namespace last: after it the host's /proc is another one.
BY_INIT = ("ipc", "uts", "net", "cgroup", "time", "mnt")


def open_all(plan: Plan) -> dict[str, int]:
    """A descriptor of each namespace to be entered: {"net": 7}. Raises Invalid, KernelError."""
    opened: dict[str, int] = {}
    try:
        for index, entry in enumerate(plan.spec["linux"]["namespaces"]):
            if entry.get("path"):
                kind = plan.kind_of(entry)
                opened[kind] = open_one(entry["path"], kind, f"$.linux.namespaces[{index}].path")
        refuse_the_hosts(plan.spec["linux"], opened)
    except BaseException:
        for fd in opened.values():
            os.close(fd)
        raise
    return opened


def open_one(path: str, kind: str, where: str) -> int:
    """Open a path and make sure that a namespace of the kind is behind it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise KernelError(f"{where}: open", error.errno or 0, path) from None
    if namespaces.kind_of(fd) != KINDS[kind]:
        os.close(fd)
        raise Invalid(f"{where}: {path} is no {kind} namespace")
    return fd


def refuse_the_hosts(linux: dict[str, Any], opened: dict[str, int]) -> None:
    """A path may lead to the host's own namespace: its sysctls are not the container's to set."""
    for kind, prefix in (("net", "net"), ("ipc", "kernel"), ("ipc", "fs"), ("uts", "kernel")):
        names = [name for name in linux.get("sysctl") or {}
                 if name.replace("/", ".").split(".")[0] == prefix]
        if names and kind in opened and is_ours(kind, opened[kind]):
            raise Invalid(f'$.linux.sysctl: "{names[0]}" not allowed in host {kind} namespace')


def is_ours(kind: str, fd: int) -> bool:
    """Is it the namespace that this process is in?"""
    return os.path.samestat(os.fstat(fd), os.stat(f"/proc/self/ns/{kind}"))


def enter(doors: dict[str, int]) -> None:
    """In init: enter all but those the joiner has entered."""
    for kind in BY_INIT:
        if kind in doors:
            namespaces.setns(doors[kind], namespaces.Flags(KINDS[kind]))
    for fd in doors.values():
        os.close(fd)


def clone(plan: Plan, birth: int | None) -> tuple[int, int]:
    """clone3 into what is new, inside what is joined: (pid, pidfd), and (0, -1) in the child."""
    flags = namespaces.Flags(plan.clone_flags())
    if not any(kind in plan.doors for kind in BY_JOINER):
        return namespaces.clone3(flags, birth)
    reader, writer = os.pipe()
    joiner = os.fork()
    if joiner == 0:
        os.close(reader)
        be_joiner(plan, birth, writer)
        return 0, -1
    os.close(writer)
    told = b""
    while chunk := os.read(reader, 4096):
        told += chunk
    os.close(reader)
    os.waitpid(joiner, 0)
    if not told:
        raise Conflict("join the namespaces: killed on the way in")
    message = documents.parse(told)
    if "error" in message:
        raise from_data(message["error"])
    pid: int = message["pid"]
    return pid, processes.pidfd_open(pid)


def be_joiner(plan: Plan, birth: int | None, writer: int) -> None:
    """In the joiner: go in, leave init behind. Returns in init, and never in the joiner."""
    message: dict[str, Any]
    # Whoever holds the start has a connection to our parent, and not to us: we are only filmed.
    film = Recorder("shim", None, plan.record)
    try:
        observe(film if plan.filmed or plan.gate else None)
        if "user" in plan.doors and not is_ours("user", plan.doors["user"]):
            namespaces.setns(plan.doors["user"], namespaces.Flags(namespaces.CLONE_NEWUSER))
            compare_maps(plan.spec["linux"])
        if "pid" in plan.doors:
            namespaces.setns(plan.doors["pid"], namespaces.Flags(namespaces.CLONE_NEWPID))
        pid, _ = namespaces.clone3(namespaces.Flags(plan.clone_flags() | CLONE_PARENT), birth)
        if pid == 0:
            os.close(writer)
            return
        message = {"pid": pid}
    except BaseException as error:
        message = {"error": to_data(error)}
    try:
        film.flush()
        os.write(writer, documents.encode(message).encode())
    finally:
        os._exit(0)


def compare_maps(linux: dict[str, Any]) -> None:
    """Maps beside a path have to be those of the namespace it leads to: they cannot be set."""
    for kind in ("uid", "gid"):
        asked = [[str(entry[key]) for key in ("containerID", "hostID", "size")]
                 for entry in linux.get(f"{kind}Mappings") or []]
        found = [line.split() for line in (files.read(f"/proc/self/{kind}_map") or "").splitlines()]
        if asked and sorted(asked) != sorted(found):
            raise Invalid(f"$.linux.{kind}Mappings: not those of the user namespace that is joined")
