"""Which OCI runtime makes the container: ours, in this process, or another, by its command line.

Runs in the shim. Ours is called as the library it is, since a start by command line would import
everything twice; any other is a program that talks as runc does (commandline.py). What the shim
asks of either is here, so that nothing else in this folder knows which of the two it has:

    create(stdio) → Init      everything but the program; its start() runs that
    enter(process, …)         one more process inside: exec
    kill(9)  pause()  resume()
    undo()  delete()          a start that failed; a container that has ended
"""

from __future__ import annotations

from runtime.errors import LabError
from runtime.kernel import processes, unmount
from runtime.oci import create as oci
from runtime.oci import plan as oci_plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from runtime.oci.exec import Process
    from runtime.shim.shim import Shim

    Stdio = tuple[int, int, int]

    class Init(Protocol):
        """The container's first process, whoever made it."""

        pid: int
        pidfd: int
        master: int | None
        warnings: list[str]

        def start(self) -> None:
            """Run the program; raises why it does not."""

        def birth_certificate(self) -> list[dict[str, Any]]:
            """Every operation of the start that is known."""

    class Entering(Protocol):
        """A process on its way in."""

        pid: int

        def fileno(self) -> int:
            """Readable when there is news of it."""

        def hear(self) -> bool:
            """Take the news. False at the end: its program runs, or never will."""

        def outcome(self) -> Process:
            """The process, or raises why there is none."""

        def give_up(self) -> None:
            """End it, wherever it is."""

    class Runtime(Protocol):
        """What the shim asks of an OCI runtime."""

        # May a child that nobody knows be the process of an exec that is just arriving?
        secretive: bool

        def create(self, stdio: Stdio) -> Init: ...
        def enter(self, process: dict[str, Any], stdio: Stdio) -> Entering: ...
        def kill(self, number: int) -> None: ...
        def pause(self) -> None: ...
        def resume(self) -> None: ...
        def undo(self) -> None: ...
        def delete(self) -> None: ...


def choose(shim: Shim) -> Runtime:
    """The runtime of this container: `request["runtime"]` is the path of one that is not ours."""
    if not shim.request.get("runtime"):
        return Ours(shim)
    from runtime.shim import commandline  # not on the way of an ordinary start

    return commandline.CommandLine(shim)


class Ours:
    """runtime/oci/, in this process: the only one whose operations are told and can be held."""

    __slots__ = ("shim", "init")

    secretive = False

    def __init__(self, shim: Shim) -> None:
        self.shim = shim
        self.init: oci.Init

    def create(self, stdio: Stdio) -> Init:
        """The specification's create."""
        shim, request = self.shim, self.shim.request
        plan = oci_plan.load(shim.directory, request.get("root_mounts"), request.get("gate"),
                             tuple(request.get("without") or ()))
        if not plan.own_mounts:
            shim.records.in_ledger({"made": "mount", "path": plan.rootfs, "id": request["id"]})
        self.init = oci.create(plan, shim.group, stdio, request["cache"], shim.born,
                               shim.watch_oom)
        return self.init

    def enter(self, process: dict[str, Any], stdio: Stdio) -> Entering:
        """exec: by a fork of our own."""
        from runtime.oci import exec as oci_exec  # not on the way of a start

        return oci_exec.enter_container(process, self.init.pid, self.init.pidfd, self.shim.group,
                                        stdio, self.init.plan)

    def kill(self, number: int) -> None:
        """By pidfd: never one that got its number later."""
        processes.pidfd_send_signal(self.init.pidfd, number)

    def pause(self) -> None:
        """Freeze the group."""
        self.shim.group.freeze()

    def resume(self) -> None:
        """Thaw the group."""
        self.shim.group.thaw()

    def undo(self) -> None:
        """Take back a start that failed after create."""
        oci.undo(self.init, self.shim.group)

    def delete(self) -> None:
        """`--without mount`: what no namespace takes with it is taken out of the host's table."""
        if self.init.plan.own_mounts:
            return
        try:
            unmount.detach_all(self.init.plan.rootfs)
        except LabError as error:
            self.shim.evidence.note("shim", "mounts stay", text=str(error))
            return
        self.shim.records.in_ledger({"gone": "mount", "path": self.init.plan.rootfs})
