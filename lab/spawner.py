"""A small process that forks docker lines: `r` starts a container without starting Python first.

Forked from the lab before Textual and before any thread (a threaded process must not fork and go
on); it imports the command line and the engine while the lab imports Textual. It holds nothing;
when it is gone, the lab starts a fresh Python for each line, which is only slower.

    lab ── seqpacket: {"argv": ["run", …], "env": {…}} + the write end of a pipe ──► spawner
    spawner ── fork: stdin /dev/null, stdout and stderr the pipe, main(argv), _exit(code)
    lab ◄── {"pid": 4213} at once, {"pid": 4213, "code": 137} at the end (on the line's own socket)
    lab ── "up" and "down": the screen stands, or does not. An end while it stands is a killed lab,
           whose terminal the spawner puts right (`terminal.py`)
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
from typing import NoReturn

from lab.terminal import Terminal
from runtime import documents
from runtime.engine import launch
from runtime.errors import LabError
from runtime.shim.zygote import Zygote


UP, DOWN = b"up", b"down"


class Spawner:
    """The lab's end."""

    def __init__(self, sock: socket.socket, pid: int) -> None:
        self.sock, self.pid = sock, pid

    @classmethod
    def start(cls) -> Spawner:
        """Fork it. Only in a process without threads."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        terminal = Terminal.hold()
        pid = os.fork()
        if pid == 0:
            ours.close()
            serve(theirs, terminal)
        theirs.close()
        if terminal is not None:
            terminal.close()
        return cls(ours, pid)

    def screen(self, up: bool) -> None:
        """Say whether the screen stands, so that a killed lab's terminal is put right."""
        try:
            self.sock.send(UP if up else DOWN)
        except OSError:
            return

    def launch(self, argv: list[str], env: dict[str, str], output: int) -> Line:
        """Run `container-lab ARGV` with its output into the descriptor."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = documents.encode({"argv": argv, "env": env}).encode()
        try:
            socket.send_fds(self.sock, [request], [output, theirs.fileno()])
        except OSError as error:
            ours.close()
            raise LabError(f"ask the spawner: {os.strerror(error.errno or 0).lower()}") from None
        finally:
            theirs.close()
        return Line(ours)

    def stop(self) -> None:
        """Let it end. Lines that still run are not its business any more."""
        self.sock.close()
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            return


class Line:
    """One command line that runs in a fork of the spawner."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.pid = 0

    def wait(self) -> int:
        """The exit code, Docker's; 125 when the spawner is gone."""
        code = 125
        while True:
            message = self.sock.recv(64)
            if len(message) != 8:
                break
            self.pid, code = struct.unpack("ii", message)
            if code >= 0:
                break
        self.sock.close()
        return code

    def kill(self) -> None:
        """End the client at once; its container stays."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)


def serve(sock: socket.socket, terminal: Terminal | None = None) -> NoReturn:
    """In the spawner: fork for every request, until the lab is gone."""
    import gc

    up = False
    try:
        os.setsid()
        _import_everything()
        # The shims of all lines come warm from a zygote; it goes when the last of us has gone.
        launch.prefer(Zygote.start().launch)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        # Pages that the collector never touches stay shared between all forks.
        gc.freeze()
        while True:
            request, fds, _, _ = socket.recv_fds(sock, 1 << 20, 2)
            if request in (UP, DOWN):
                up = request == UP
                continue
            if not request or len(fds) != 2:
                break
            if os.fork() == 0:
                sock.close()
                if terminal is not None:
                    terminal.close()
                _hold(documents.parse(request), fds[0], socket.socket(fileno=fds[1]))
            for fd in fds:
                os.close(fd)
        if up and terminal is not None:
            terminal.restore()
    finally:
        os._exit(0)


def _import_everything() -> None:
    """What a line may need, ahead of it, so that every fork has it: the client down to the shim."""
    import runtime.client.cli
    import runtime.client.lifecycle
    import runtime.client.listing
    import runtime.client.run
    import runtime.engine.engine
    import runtime.shim.becoming  # noqa: F401
    from runtime.image import store  # noqa: F401
    from runtime.shim import shim

    shim.preload()


def _hold(request: dict[str, object], output: int, back: socket.socket) -> NoReturn:
    """The parent of one line: forks it, waits, and tells the lab its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        back.close()
        _become(request, output)
    os.close(output)
    back.send(struct.pack("ii", pid, -1))
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    try:
        back.send(struct.pack("ii", pid, code if code >= 0 else 128 - code))
    finally:
        os._exit(0)


def _become(request: dict[str, object], output: int) -> NoReturn:
    """The line itself: what `container-lab ARGV` does, with its output in the pipe."""
    from runtime.client.cli import main

    code = 125
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        os.environ.clear()
        os.environ.update({str(k): str(v) for k, v in dict(request["env"]).items()})  # type: ignore[call-overload]
        sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        code = main([str(word) for word in request["argv"]])  # type: ignore[attr-defined]
        sys.stdout.flush()
        sys.stderr.flush()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        os._exit(code)
