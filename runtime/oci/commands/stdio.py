"""What a process of container-lab-oci is given: terminal, descriptors, and who is told its pid.

Runs in create, run and exec. A detached process has its terminal kept by somebody else (conmon, the
shim), who gets the master over a unix socket: one message, the name as its data and the descriptor
as SCM_RIGHTS. Descriptors from 3 on are passed on if --preserve-fds says so, or, as systemd hands
over listening sockets, if LISTEN_FDS does. Sources: runc's docs/terminals.md; sd_listen_fds(3),
cmsg(3); runc's utils_linux.go.
"""

from __future__ import annotations

import os
import struct

from runtime import documents
from runtime.errors import Invalid, LabError

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.create import Init
    from runtime.oci.exec import Process
    from runtime.oci.options import Options

FIRST = 3


def check(terminal: bool, detached: bool, console_socket: str) -> None:
    """Is there somebody for the terminal, and a terminal for the socket? In runc's words."""
    if detached and terminal and not console_socket:
        raise Invalid("cannot allocate tty if runc will detach without setting console socket")
    if console_socket and not (detached and terminal):
        raise Invalid("cannot use console socket if runc will not detach or allocate tty")


def passed_on(process: dict[str, Any], more: int) -> int:
    """How many descriptors from 3 on the process gets; LISTEN_FDS' are told to it by its names."""
    count = 0
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        count = int(os.environ.get("LISTEN_FDS") or 0)
    if count:
        process["env"] = [*(process.get("env") or []), f"LISTEN_FDS={count}", "LISTEN_PID=1"]
    for index in range(more):
        try:
            os.fstat(FIRST + count + index)
        except OSError:
            raise Invalid(f"unable to stat preserved-fd {index} (of {more}): "
                          f"stat /proc/self/fd/{FIRST + count + index}: no such file or directory"
                          ) from None
    for fd in range(FIRST, FIRST + count + more):
        os.set_inheritable(fd, True)
    return count + more


def hand_over(process: Init | Process, options: Options) -> None:
    """Tell whom the options name: the terminal to its keeper, the pidfd, the pid to its file."""
    if options.get("console-socket") and process.master is not None:
        send_descriptor(options["console-socket"], process.master, b"/dev/ptmx")
        os.close(process.master)
        process.master = None
    if options.get("pidfd-socket"):
        send_descriptor(options["pidfd-socket"], process.pidfd, b"pidfd")
    if options.get("pid-file"):
        write_pid(options["pid-file"], process.pid)


def send_descriptor(path: str, fd: int, name: bytes) -> None:
    """Give a descriptor to whoever listens at the path. Raises LabError."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        sock.connect(path)
        sock.sendmsg([name], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack("i", fd))])
    except OSError as error:
        raise LabError(f"dial unix {path}: connect: {os.strerror(error.errno or 0).lower()}"
                       ) from None
    finally:
        sock.close()


def write_pid(path: str, pid: int) -> None:
    """The pid, whole or not at all: whoever waits for the file reads it at once. Raises LabError.

    """
    try:
        documents.replace_file(path, str(pid).encode())
    except OSError as error:
        raise LabError(f"open {path}: {os.strerror(error.errno or 0).lower()}") from None
