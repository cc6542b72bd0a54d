"""start: the word that lets a created container's program begin, by another than its maker.

Runs in a command of its own. It says "start" at the socket that init waits behind (making.py draws
the conversation), hears what came of execve, and runs the poststart hooks.
Sources: runtime-spec runtime.md "Start"; runc-start(8).
"""

from __future__ import annotations

from runtime.errors import Conflict, LabError
from runtime.kernel import files
from runtime.oci import state, sync

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.cli import Settings
    from runtime.oci.options import Options
    from runtime.oci.state import Container


def start_(settings: Settings, options: Options, arguments: list[str]) -> int:
    """Let the program of a created container begin."""
    container = state.load(settings.root, arguments[0])
    with state.Lock(container):
        # Again, for what was true before the lock may be true no more.
        container = state.load(settings.root, container.id)
        status = container.status()
        if status == "stopped":
            raise Conflict("cannot start a container that has stopped")
        if status == "paused":
            raise Conflict("cannot start a container in the paused state")
        if status != "created":
            raise Conflict("cannot start an already running container")
        release(container)
        # Before the socket goes: a state that says "created" is asked of the kernel by it.
        container.save(stage="started")
        files.unlink(container.start_socket)
        after_start(settings, container, container.config())
    return 0


def release(container: Container) -> None:
    """Say "start" to init, and hear the end of the connection: its program runs.

    Raises what init could not do.
    """
    caller = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    try:
        state.connect(caller, container.start_socket)
        sync.send(caller, {"go": "start"})
        while (message := sync.receive(caller)[0]) is not None:
            if "error" in message:
                raise sync.ChildFailed(message)
    finally:
        caller.close()
    begun(container.pid)


def begun(pid: int) -> None:
    """The conversation has ended: because the program runs, or because init is no more?"""
    if state.never_ran(pid):
        raise Conflict("container process is already dead",
                       "it ended before its program began")


def after_start(settings: Settings, container: Container, spec: dict[str, Any]) -> None:
    """The poststart hooks. Where one fails the container goes, as runc does it."""
    if not spec.get("hooks"):
        return
    from runtime.oci import hooks

    try:
        hooks.run("poststart", spec["hooks"], hooks.state(
            spec, container.id, container.document["bundle"], "running", container.pid))
    except LabError:
        from runtime.oci.commands import ending

        ending.kill_and_destroy(settings, container)
        raise
