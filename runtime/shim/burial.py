"""The end of a container: what it left is read, how it was is written, what was made is removed.

Runs in the shim, once, when init's pidfd says that it has ended. The order is forced: counters
before the group goes, streams before the code is told, the state on disk before anyone hears of it.
"""

from __future__ import annotations

import os
import select
import time

from runtime.cgroup import stats
from runtime.errors import LabError
from runtime.kernel import processes
from runtime.shim import execs, protocol, removal
from runtime.shim.logs import rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.shim.shim import Shim


def bury(shim: Shim) -> None:
    """Init has ended: read everything it left, write how it was, remove what was made."""
    comm = processes.comm(shim.init.pid)  # a zombie still has its name
    status = os.waitpid(shim.init.pid, 0)[1]
    signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    code = execs.exit_code(status)
    # The kernel's counters first: they explain the signal, and they go with the group.
    if shim.evidence.read_memory_events():
        shim.records.event("oom")
    shim.evidence.note("init", "signal" if signal else "exit", pid=shim.init.pid, comm=comm,
                       signal=signal, exit_code=code)
    # With a PID namespace of its own the kernel has killed the rest already.
    shim.group.kill()
    execs.give_up(shim)
    for process, streams in list(shim.execs):
        execs.end(shim, process, streams)
    execs.let_go(shim, now=True)
    shim.streams.drain(execs.DRAIN_PATIENCE_S)
    keeps = not shim.request.get("remove")
    kept = stats.last_words(shim.group.path) if keeps else {}
    shim.runtime.delete()
    remove_group(shim)
    shim.state.update(Status="exited", Pid=0, PidStart=0, ShimPid=0, ShimStart=0,
                      ExitCode=code, Signal=signal, OOMKilled=shim.evidence.oom_kills > 0,
                      FinishedAt=rfc3339(time.time_ns()))
    shim.evidence.note("shim", "exited", exit_code=code, oom_killed=shim.state["OOMKilled"])
    if shim.log is not None:
        shim.log.close()
    shim.close_listener()
    if not keeps:
        shim.records.event("die", exitCode=str(code))
        remove_everything(shim)
    else:
        shim.write_film()
        shim.records.write("last-cgroup.json", kept)
        shim.records.state(shim.state)
        shim.records.event("die", exitCode=str(code))
    say_farewell(shim, code)


def remove_group(shim: Shim) -> None:
    """The control group goes; one that does not is told, and left for `clean`."""
    try:
        shim.group.remove()
    except LabError as error:
        shim.evidence.note("shim", "group stays", text=str(error))
        return
    shim.records.group_gone(shim.group.path)


def remove_everything(shim: Shim) -> None:
    """--rm: the directories and names that were given us to remove, in that order."""
    for path in shim.request["remove"]:
        try:
            removal.remove_tree(path)
        except OSError as error:
            shim.evidence.note("shim", "remove failed", text=str(error))
    shim.records.event("destroy")


def say_farewell(shim: Shim, code: int) -> None:
    """Tell the exit code to all who are attached or wait.

    One who reads slowly, a pager perhaps, is waited for until he has everything or has gone:
    all else is done and written by now, and this process is a few pages of memory.
    """
    for client in shim.waiting:
        client.send(protocol.message(b"X", {"code": code}))
    shim.streams.finish(code)
    while waiting := [client for client in shim.clients if client.out]:
        poll = select.poll()
        for client in waiting:
            poll.register(client.fd, select.POLLOUT)
        poll.poll()
        for client in waiting:
            client.flush()
