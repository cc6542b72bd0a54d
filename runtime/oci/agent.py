"""The agent a seccomp filter may ask: SCMP_ACT_NOTIFY, and who it is that answers.

The program's call waits in the kernel, and a process of the host's at config.json's `listenerPath`
says what becomes of it, by a descriptor it is sent when the filter is in place. Runs in the shim
(connect: an agent that is not there fails the start, before anything is made), and in init or
exec's process (install). What is sent, beside the descriptor:

    {"ociVersion": "1.2.0", "fds": ["seccompFd"], "pid": 4213, "metadata": "…", "state": {…}}

From the moment the filter is in place our own calls may be asked about, and the agent cannot answer
before it has the descriptor. So a helper sends it, cloned just before, outside the filter and with
the same table of descriptors (crun's way; runc's needs write(2) to be left alone):

    init ── clone3(CLONE_FILES) ──► helper: waits until the descriptor is in the table
      └─ seccomp(NEW_LISTENER) = 9 ──────►  └─ sends 9 to the agent, exits

Sources: runtime-spec config-linux.md "Seccomp", "The Container Process State"; seccomp_unotify(2).
"""

from __future__ import annotations

import fcntl
import os
import struct
import time

from runtime import documents
from runtime.errors import LabError
from runtime.kernel import namespaces, processes, seccomp
from runtime.trace.operation import observe

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATIENCE_S = 10.0
PAUSE_S = 0.0002


class Agent:
    """The connection to an agent, and what it will be told. Close it."""

    __slots__ = ("sock", "metadata", "state", "proc", "pid")

    def __init__(self, sock: _socket.socket, metadata: str, state: dict[str, Any]) -> None:
        self.sock, self.metadata, self.state = sock, metadata, state
        # The host's /proc: inside, /proc/self is another number, if it is anything.
        self.proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.pid = 0

    def descriptors(self) -> list[int]:
        """What has to stay open until the filter is in place."""
        return [self.sock.fileno(), self.proc]

    def close(self) -> None:
        """Let go."""
        self.sock.close()
        os.close(self.proc)

    def know_self(self) -> None:
        """In the process itself, once: its pid on the host. A descriptor less to be found later."""
        self.pid = int(os.readlink("self", dir_fd=self.proc))

    def message(self) -> bytes:
        """The container's process state, as the specification words it."""
        made: dict[str, Any] = {"ociVersion": self.state["ociVersion"], "fds": ["seccompFd"],
                                "pid": self.pid, "state": {**self.state, "pid": self.state.get(
                                    "pid") or self.pid}}
        if self.metadata:
            made["metadata"] = self.metadata
        return documents.encode(made).encode()


def asks(profile: dict[str, Any]) -> bool:
    """Is there a call that the profile wants somebody to be asked about?"""
    return any(entry["action"] == "SCMP_ACT_NOTIFY" for entry in profile.get("syscalls") or [])


def connect(profile: dict[str, Any], state: dict[str, Any]) -> Agent | None:
    """The agent of a profile; None where nobody is asked. Raises LabError."""
    if not asks(profile):
        return None
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        sock.connect(profile["listenerPath"])
    except OSError as error:
        sock.close()
        raise LabError(f"$.linux.seccomp.listenerPath: failed to connect with seccomp agent "
                       f"specified in the seccomp profile: {profile['listenerPath']}: "
                       f"{os.strerror(error.errno or 0).lower()}") from None
    return Agent(sock, profile.get("listenerMetadata") or "", state)


def install(program: bytes, flags: int, agent: Agent | None) -> None:
    """Put the filter in place, and its other end into the agent's hands."""
    if agent is None:
        seccomp.set_filter(program, flags)
        return
    message = agent.message()
    # The next two to be given out: the helper's pidfd, then the listener.
    free = [os.dup(0), os.dup(0)]
    for fd in free:
        os.close(fd)
    pid, pidfd = namespaces.clone3(namespaces.Flags(namespaces.CLONE_FILES))
    if pid == 0:
        hand_over(free[1], agent, message)
    try:
        seccomp.set_filter_with_listener(program, flags)
    except BaseException:
        processes.pidfd_send_signal(pidfd, 9)
        os.waitpid(pid, 0)
        raise
    try:
        status = os.waitpid(pid, 0)[1]
    except OSError:
        return  # a filter that forbids even this
    if status:
        raise LabError("send the seccomp filter's listener: the agent is gone")


def hand_over(listener: int, agent: Agent, message: bytes) -> None:
    """In the helper: wait for the descriptor, send it, be gone. It opens nothing itself."""
    status = 1
    try:
        observe(None)
        end = time.monotonic() + PATIENCE_S
        while not is_open(listener) and time.monotonic() < end:
            time.sleep(PAUSE_S)
        agent.sock.sendmsg([message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS,
                                        struct.pack("i", listener))])
        status = 0
    finally:
        os._exit(status)


def is_open(fd: int) -> bool:
    """Is there such a descriptor?"""
    try:
        return fcntl.fcntl(fd, fcntl.F_GETFD) >= 0
    except OSError:
        return False
