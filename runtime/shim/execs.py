"""The processes of exec, beside the container's own: started, ended, and what they leave open.

Runs in the shim. One that has ended is told its code when its output has ended too: a child of it
may hold the pipe a while longer, for which it is waited as long as Docker does.
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
    from runtime.shim.shim import Shim

# So long the output of an ended process is waited for; Docker's too (moby daemon/monitor.go).
DRAIN_PATIENCE_S = 2.0


def start(shim: Shim, client: Client, ask: dict[str, Any]) -> None:
    """Start one more process inside; the connection becomes its streams."""
    if shim.state["Status"] == "paused":
        # It would be frozen on its way in, and the shim would wait for it for ever.
        raise Conflict("exec: the container is paused", "unpause it first")
    process = ask["process"]
    # Docker's: who typed into an exec and goes away has typed all there will be.
    streams = Streams(once=True)
    stdio = streams.open_null() if process.get("terminal") else \
        streams.open_pipes(ask.get("stdin", False))
    plan = shim.init.plan
    from runtime.oci import exec as oci_exec  # not on the way of a start

    try:
        started = oci_exec.start_process(process, shim.init.pid, shim.init.pidfd, shim.group,
                                         stdio, plan.filter, plan.filter_flags)
    except BaseException:
        streams.close_ends()
        streams.finish(0)
        raise
    streams.close_ends()
    if started.master is not None:
        streams.use_terminal(started.master)
    shim.execs.append((started, streams))
    shim.evidence.note("engine", "exec", pid=started.pid, command=process["args"])
    client.send(protocol.message(b"R", {"ok": {"pid": started.pid}}))
    if ask.get("detach"):
        client.done = True
    else:
        streams.join(client)


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
        streams.finish(code)
        shim.records.event("exec_die", exitCode=str(code))


def exit_code(status: int) -> int:
    """A wait status as a shell says it: 128 + n for signal n."""
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
