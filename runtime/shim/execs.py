"""The processes of exec, beside the container's own: started, ended, and what they leave open.

Runs in the shim, out of its poll loop: start → go_on … → end → let_go. Nothing here waits for a
process: those inside could stop it on its way in, and would have stopped the shim. One that has
ended is told its code when its output has ended too: a child of it may hold the pipe a while
longer, for which it is waited as long as Docker does.
"""

from __future__ import annotations

import os
import time

from runtime.errors import Conflict
from runtime.shim import protocol
from runtime.shim.streams import Client, Streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.exec import Process
    from runtime.shim.runtimes import Entering
    from runtime.shim.shim import Shim

# So long the output of an ended process is waited for; Docker's too (moby daemon/monitor.go).
DRAIN_PATIENCE_S = 2.0


class Arrival:
    """One on its way in: who asked for it, and the streams it will have."""

    __slots__ = ("entering", "client", "streams", "ask")

    def __init__(self, entering: Entering, client: Client, streams: Streams,
                 ask: dict[str, Any]) -> None:
        self.entering, self.client, self.streams, self.ask = entering, client, streams, ask

    @property
    def fd(self) -> int:
        """Readable when there is news of it."""
        return self.entering.fileno()


def start(shim: Shim, client: Client, ask: dict[str, Any]) -> None:
    """Send one more process inside; the connection becomes its streams."""
    if shim.state["Status"] == "paused":
        # It would be frozen on its way in, and whoever asked would wait for as long.
        raise Conflict("exec: the container is paused", "unpause it first")
    process = ask["process"]
    # Docker's: who typed into an exec and goes away has typed all there will be.
    streams = Streams(once=True)
    stdio = streams.open_null() if process.get("terminal") else \
        streams.open_pipes(ask.get("stdin", False))
    try:
        entering = shim.runtime.enter(process, stdio)
    except BaseException:
        streams.close_ends()
        streams.finish(0)
        raise
    streams.close_ends()
    if not ask.get("detach"):
        streams.join(client)
    shim.arriving.append(Arrival(entering, client, streams, ask))


def go_on(shim: Shim, arrival: Arrival) -> None:
    """There is news of one on its way in; at the end of it, it runs or does not."""
    try:
        if arrival.entering.hear():
            return
        started = arrival.entering.outcome()
    except Exception as error:
        turn_away(shim, arrival, error)
        return
    shim.arriving.remove(arrival)
    client, streams, ask = arrival.client, arrival.streams, arrival.ask
    if started.master is not None:
        streams.use_terminal(started.master)
    shim.execs.append((started, streams))
    shim.evidence.note("engine", "exec", pid=started.pid, command=ask["process"]["args"])
    client.send(protocol.message(b"R", {"ok": {"pid": started.pid}}))
    if ask.get("detach"):
        client.done = True


def turn_away(shim: Shim, arrival: Arrival, error: Exception) -> None:
    """It will never run: say why to who asked."""
    shim.arriving.remove(arrival)
    arrival.streams.leave(arrival.client)
    arrival.streams.finish(0)
    arrival.client.refuse(error)


def give_up(shim: Shim) -> None:
    """The container has ended: nobody arrives any more."""
    for arrival in list(shim.arriving):
        arrival.entering.give_up()
        turn_away(shim, arrival, Conflict("exec: the container has ended meanwhile"))


def end(shim: Shim, process: Process, streams: Streams) -> None:
    """A process of exec has ended; what it started may hold its output open a while longer."""
    code = exit_code(os.waitpid(process.pid, 0)[1])
    shim.execs.remove((process, streams))
    os.close(process.pidfd)
    shim.leaving.append((time.monotonic() + DRAIN_PATIENCE_S, streams, code))


def let_go(shim: Shim, now: bool = False) -> None:
    """Tell their codes for those who have ended and whose output has, or was waited for."""
    for each in list(shim.leaving):
        moment, streams, code = each
        if streams.readers and not now and time.monotonic() < moment:
            continue
        shim.leaving.remove(each)
        streams.drain(0)
        # Written before anyone is told, as everything is.
        shim.records.event("exec_die", exitCode=str(code))
        streams.finish(code)


def reap_orphans(shim: Shim) -> None:
    """Wait for those who came to us as subreaper; with `--pid host` init's orphans do."""
    try:
        os.read(shim.children, 4096)
    except BlockingIOError:
        pass  # after the end of an exec, which may have stood before them
    if shim.runtime.secretive and shim.arriving:
        return  # one of them may be the process that arrives, whose pid we do not know yet
    ours = {shim.init.pid, *(process.pid for process, _ in shim.execs),
            *(arrival.entering.pid for arrival in shim.arriving)}
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        # One of ours is waited for where its pidfd is seen, and stands before the rest.
        if found is None or found.si_pid in ours:
            return
        os.waitpid(found.si_pid, 0)


def exit_code(status: int) -> int:
    """A wait status as a shell says it: 128 + n for signal n."""
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
