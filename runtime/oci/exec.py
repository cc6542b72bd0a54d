"""exec: one more process in a container that runs.

Runs in the shim (start_process) and in the new process. It joins every namespace of the container's
init through init's pidfd, its groups, and goes down to the same privileges; nothing else tells it
from a child of init, but that its parent is outside (PPid 0 inside).

    shim ── fork ──► joiner: setns(pidfd, all) ── clone3(CLONE_PARENT) ──► the process
                                └── exits                                    child of the shim

Two forks, because entering a PID namespace counts for children only; CLONE_PARENT, so that the
shim is the parent and gets the exit status. Source: setns(2), clone(2); runc's setns_init_linux.go.
"""

from __future__ import annotations

import os

from runtime.errors import Conflict
from runtime.kernel import namespaces, processes, seccomp
from runtime.kernel.namespaces import KINDS
from runtime.oci import identity, program, sync, terminal
from runtime.oci.init import Teller, move_stdio, tell_failure
from runtime.trace.operation import observe, phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import _socket

    from runtime.cgroup.cgroup import Cgroup


class Process:
    """A process of exec, as the shim knows it."""

    __slots__ = ("pid", "pidfd", "master")

    def __init__(self, pid: int, pidfd: int, master: int | None) -> None:
        self.pid, self.pidfd, self.master = pid, pidfd, master


def start_process(process: dict[str, Any], init_pid: int, init_pidfd: int, group: Cgroup,
                  stdio: tuple[int, int, int], filter_: bytes, flags: int) -> Process:
    """Run config.json's process inside. Returns when execve succeeded; raises why not."""
    ours, theirs = sync.pair()
    joiner = os.fork()
    if joiner == 0:
        ours.close()
        join_and_fork(process, init_pid, init_pidfd, group, stdio, filter_, flags, theirs)
    theirs.close()
    try:
        os.waitpid(joiner, 0)
        return hear_out(ours)
    finally:
        ours.close()


def hear_out(sock: _socket.socket) -> Process:
    """The new process's pid and its way to execve, as messages until the socket ends."""
    pid, pidfd, master = 0, -1, None
    failure: sync.ChildFailed | None = None
    # To the end, also after an error: the joiner's word of the pid may come behind it.
    while True:
        message, fd = sync.receive(sock)
        if message is None:
            break
        if "pid" in message:
            pid = message["pid"]
            pidfd = processes.pidfd_open(pid)
        if fd is not None:
            master = fd
        if "ready" in message:
            sync.send(sock, {"go": "start"})
        if "error" in message:
            failure = sync.ChildFailed(message)
    if failure is not None:
        if pid:
            os.close(pidfd)
            os.waitpid(pid, 0)
        if master is not None:
            os.close(master)
        raise failure
    if not pid:
        raise Conflict("join the container: its first process is gone")
    return Process(pid, pidfd, master)


def join_and_fork(process: dict[str, Any], init_pid: int, init_pidfd: int, group: Cgroup,
                  stdio: tuple[int, int, int], filter_: bytes, flags: int,
                  sock: _socket.socket) -> None:
    """In the joiner: enter the namespaces, leave the process behind, be gone."""
    teller = Teller(None)
    try:
        joins, birth = group.open_joins(), group.birth_fd()
        # While /proc/self is ours to write. From here to execve those inside can see us, and may
        # neither trace us nor open the host's program that we run (CVE-2019-5736).
        program.set_oom_score(process)
        processes.set_dumpable(False)
        enter(init_pid, init_pidfd)
        pid, _ = namespaces.clone3(namespaces.Flags(namespaces.CLONE_PARENT), birth)
        if pid == 0:
            run(process, group, joins, stdio, filter_, flags, sock, teller)
        # We are in the outer PID namespace still, so this is the pid the shim knows it by.
        sync.send(sock, {"pid": pid})
    except BaseException as error:
        tell_failure(sock, error, teller)
    finally:
        os._exit(0)


def enter(init_pid: int, init_pidfd: int) -> None:
    """All namespaces of init at once, but those we are in already: setns refuses our own user's."""
    mask = 0
    for kind, flag in KINDS.items():
        if not os.path.lexists(f"/proc/self/ns/{kind}"):
            continue  # a kernel without this kind
        try:
            inside = os.readlink(f"/proc/{init_pid}/ns/{kind}")
        except FileNotFoundError:
            # To go on would be to run the program on the host.
            raise Conflict("join the container: its first process is gone") from None
        if inside != os.readlink(f"/proc/self/ns/{kind}"):
            mask |= flag
    if mask:
        namespaces.setns(init_pidfd, namespaces.Flags(mask))


def run(process: dict[str, Any], group: Cgroup, joins: list[int], stdio: tuple[int, int, int],
        filter_: bytes, flags: int, sock: _socket.socket, teller: Teller) -> None:
    """In the process itself: the second half of init's way. Leaves by execve or _exit."""
    try:
        observe(teller)
        program.reset_signals()
        processes.setsid()
        processes.join_session_keyring()
        move_stdio(stdio, process)
        processes.close_others([sock.fileno(), *joins])
        with phase("limit"):
            group.join_self(joins)
            program.set_rlimits(process)
        master = terminal.attach(process, console=False) if process.get("terminal") else None
        path = program.prepare(process, make=False)
        sealed = bool(process.get("noNewPrivileges"))
        with phase("drop"):
            # As in init: a filter without no_new_privs needs the capabilities that are dropped.
            if filter_ and not sealed:
                seccomp.set_filter(filter_, flags)
            identity.drop(process)
            processes.close_range_on_exec(3)
        sync.send(sock, {"ready": {"path": path}}, master)
        if master is not None:
            os.close(master)
        sync.wait_for_go(sock, "start")
        with phase("exec"):
            if filter_ and sealed:
                seccomp.set_filter(filter_, flags)
            processes.execve(path, process["args"], program.environment(process))
    except BaseException as error:
        tell_failure(sock, error, teller)
    finally:
        os._exit(1)
