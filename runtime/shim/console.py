"""A console socket: where another runtime sends the master of the container's terminal.

Runs in the shim, beside one create or exec. The runtime connects and sends one descriptor with
SCM_RIGHTS; by the time its program has ended both have happened, so nothing is waited for.
The path given goes by way of an open directory, for a socket's name ends at 107 bytes, and a state
directory may be longer. Sources: unix(7), cmsg(3); runc docs/terminals.md.
"""

from __future__ import annotations

import os
import struct

from runtime.errors import Conflict
from runtime.kernel import terminals

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Console:
    """One console socket, for one terminal."""

    def __init__(self, folder: str, name: str) -> None:
        self.name = f"{name}.sock"
        self.folder = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        # By our pid, not by "self": it is another process that has to connect.
        self.path = f"/proc/{os.getpid()}/fd/{self.folder}/{self.name}"
        self.clear()
        self.listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        self.listener.bind(self.path)
        self.listener.listen(1)
        self.listener.setblocking(False)

    @property
    def option(self) -> tuple[str, str]:
        """As the runtime is told of it."""
        return "--console-socket", self.path

    def receive(self, process: dict[str, Any]) -> int:
        """The master, with the size that config.json's process asks for. Raises Conflict.

        Set by us as well: crun 1.8 forgets it for an exec.
        """
        try:
            fd, _ = self.listener._accept()  # type: ignore[attr-defined]
        except BlockingIOError:
            raise Conflict("take the terminal: the runtime has sent none") from None
        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fd)
        try:
            _, rights, _, _ = sock.recvmsg(4096, _socket.CMSG_SPACE(4), _socket.MSG_CMSG_CLOEXEC)
        finally:
            sock.close()
        if not rights:
            raise Conflict("take the terminal: the runtime has sent no descriptor")
        master: int = struct.unpack_from("i", rights[0][2])[0]
        size = process.get("consoleSize")
        if size:
            terminals.set_window_size(master, size["height"], size["width"])
        return master

    def close(self) -> None:
        """Remove the socket."""
        self.listener.close()
        self.clear()
        os.close(self.folder)

    def clear(self) -> None:
        """Take the name away, if it is there."""
        try:
            os.unlink(self.name, dir_fd=self.folder)
        except FileNotFoundError:
            return
