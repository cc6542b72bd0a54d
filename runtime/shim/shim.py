"""The shim: starts one container, stays with it, and says how it ended.

Runs as a process of its own (comm "lab-shim"), one per container, outside the container's groups:
inside, the OOM killer could pick it, and the group could not be removed. Single-threaded.
What it is asked for is a Request: {"id": "4f5e…", "directory": bundle, "run": "/run/…/4f5e…",
"cgroup": "/container-lab/tea", "root_mounts": […], "stdin": false, "attach": true, …}.
Its answers and the streams go over sockets (protocol.py), what it saw to evidence.jsonl, how things
stand to state.json, which nobody else writes while it lives.

    main → create → start → serve (one poll loop) → bury → gone
"""

from __future__ import annotations

import gc
import os
import select
import time

from runtime.cgroup import cgroup
from runtime.kernel import processes
from runtime.oci import sync
from runtime.shim import becoming, burial, execs, protocol, rehearsal, removal, requests, runtimes
from runtime.shim.evidence import Evidence
from runtime.shim.logs import Log, rfc3339
from runtime.shim.records import Records
from runtime.shim.streams import Client, Streams

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cgroup.cgroup import Cgroup
    from runtime.oci.create import Init
    from runtime.oci.exec import Process

    Request = dict[str, Any]

# v1 tells of an OOM before the kernel chooses a victim, and not again when it has killed.
LOOK_AGAIN_S, LOOK_PATIENCE_S = 0.02, 5.0
# To write the birth certificate takes 2 ms. A program that is quicker is not kept waiting for it.
FILM_AFTER_S = 0.003


def main(request: Request, report: _socket.socket) -> None:
    """Be the shim of one container; never returns. `report` is the caller's end of the start."""
    try:
        becoming.close_all_but(report.fileno())
        processes.set_name("lab-shim")
        shim = Shim(request, report)
        try:
            shim.start()
        except BaseException as error:
            shim.fail(error)
            os._exit(1)
        shim.serve()
    except BaseException:
        import traceback

        last_words = os.path.join(request["directory"], "shim-crash.txt")
        with open(last_words, "a") as file:
            traceback.print_exc(file=file)
    finally:
        os._exit(0)


def take(sock: _socket.socket) -> None:
    """In a process that waits: be the shim of the next request. Returns if nobody is left to ask.

    The socket, and what else is open, goes first of all when there is one (close_all_but).
    """
    request, report = sync.receive(sock)
    if request is not None and report is not None:
        main(request, _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, report))


def preload() -> None:
    """Everything a start will import or look up, ahead of it: for those who wait for one."""
    # exec as well: an update of the files must not reach a shim that runs.
    from runtime.cgroup import devices, resources  # noqa: F401
    from runtime.oci import exec as later  # noqa: F401

    rehearsal.rehearse()
    stage, audience = _socket.socketpair()
    Shim({"id": "", "directory": "/", "cgroup": "/container-lab"}, stage)
    stage.close()
    audience.close()


class Shim:
    """The shim's state: one container, its streams, those connected, and what exec started."""

    def __init__(self, request: Request, report: _socket.socket) -> None:
        self.request = request
        self.directory: str = request["directory"]
        self.report = Client(report)
        self.clients: list[Client] = []
        self.waiting: list[Client] = []  # who want to be told of the end, and of nothing else
        self.group = self.open_group()
        self.evidence = Evidence(os.path.join(self.directory, "evidence.jsonl"), request["cgroup"])
        self.records = Records(request, self.evidence)
        self.log: Log | None = None
        self.streams = Streams(self.keep_output, once=request.get("stdin_once", False))
        self.arriving: list[execs.Arrival] = []
        self.execs: list[tuple[Process, Streams]] = []
        # Ended, but something they started still holds their output: (until when, streams, code).
        self.leaving: list[tuple[float, Streams, int]] = []
        self.children = -1  # readable when a child has ended
        self.film_at = 0.0  # when the birth certificate is to be written; 0: it is
        self.look_until = 0.0  # the kernel is out of memory there, and has not killed yet
        self.crowded = False  # no descriptor left for one more client
        self.state: dict[str, Any] = {
            "Status": "created", "Pid": 0, "PidStart": 0, "ShimPid": os.getpid(),
            "ShimStart": processes.start_ticks(os.getpid()), "StartedAt": "", "FinishedAt": "",
            "ExitCode": 0, "OOMKilled": False, "Error": "", "Signal": 0,
        }
        if "controllers" in request:
            self.state["Cgroup"] = request["cgroup"]
        self.runtime = runtimes.choose(self)
        self.init: runtimes.Init
        self.oom: int | None = None
        self.listener: _socket.socket | None = None

    def open_group(self) -> Cgroup:
        """The container's group; a user without root has no more of it than was given to him."""
        if "controllers" not in self.request:
            return cgroup.open_group(self.request["cgroup"])
        from runtime.cgroup import delegation

        return delegation.open_group(self.request["cgroup"], self.request["controllers"],
                                     self.request["unified"])

    # ---------------------------------------------------------------- the start

    def start(self) -> None:
        """Create and start the container, then say so to the caller."""
        request = self.request
        # First: by its socket a half-made start is found and ended if the command is killed.
        self.listen()
        stdio = self.streams.open_null() if request.get("terminal") else \
            self.streams.open_pipes(request.get("stdin", False))
        self.init = self.runtime.create(stdio)
        try:
            self.streams.close_ends()
            if self.init.master is not None:
                self.streams.use_terminal(self.init.master)
            self.attach_caller()
            self.init.start()
        except BaseException:
            self.runtime.undo()
            raise
        self.state.update(Status="running", StartedAt=rfc3339(time.time_ns()),
                          Pid=self.init.pid, PidStart=processes.start_ticks(self.init.pid))
        self.records.state(self.state)
        self.records.event("start")
        self.report.send(protocol.message(b"R", {"ok": {"pid": self.init.pid}}))
        if self.report.streams is None:
            self.report.done = True
        # What nobody waits for comes after the answer.
        for warning in self.init.warnings:
            self.evidence.note("shim", "warning", text=warning)
        self.film_at = time.monotonic() + FILM_AFTER_S

    def watch_oom(self) -> None:
        """Before anything is inside: an OOM kill in its first moments must not be missed."""
        self.oom = self.group.watch_oom()

    def born(self, init: Init) -> None:
        """The first process exists, and has done nothing yet.

        What the start needs of us beside it is done here, while it makes itself a container on the
        other CPU: the log.
        """
        # Nobody steps through this start, so init need not wait for our word between the steps.
        if not self.request.get("gate"):
            init.release()
        else:
            # Someone holds it there and looks: worth a file.
            self.state.update(Pid=init.pid, PidStart=processes.start_ticks(init.pid))
            self.records.state(self.state)
        self.open_log()

    def open_log(self) -> None:
        """Where all output is kept, if anybody wants it kept."""
        if self.request.get("log"):
            self.log = Log(self.request["log"], lambda what: self.evidence.note("shim", what))

    def attach_caller(self) -> None:
        """The caller's connection may be the first attachment: so no byte is missed."""
        self.clients.append(self.report)
        if self.request.get("attach"):
            self.streams.join(self.report)

    def listen(self) -> None:
        """Open the socket, by way of its directory: a path may be longer than 107 bytes."""
        run = self.request["run"]
        os.makedirs(run, 0o700, exist_ok=True)
        folder = os.open(run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            path = f"/proc/self/fd/{folder}/shim.sock"
            if os.path.lexists(path):
                os.unlink(path)
            listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
            listener.bind(path)
            listener.listen(64)
            listener.setblocking(False)
        finally:
            os.close(folder)
        self.listener = listener

    def fail(self, error: BaseException) -> None:
        """The start failed, and all of it was taken back: report why."""
        operations = getattr(error, "operations", None) or \
            (self.init.birth_certificate() if hasattr(self, "init") else [])
        self.records.operations(operations)
        self.evidence.note("shim", "start failed", text=str(error))
        self.close_listener()
        self.report.sock.setblocking(True)
        self.report.refuse(error)

    # ---------------------------------------------------------------- the loop

    def serve(self) -> None:
        """Poll until the container's first process has ended; then bury it."""
        self.children = becoming.watch_children()
        while True:
            ready = self.poll(self.patience_s())
            if self.init.pidfd in ready:
                break
            self.handle(ready)
            if self.film_at and time.monotonic() >= self.film_at:
                self.write_film()
                gc.enable()
        burial.bury(self)

    def write_film(self) -> None:
        """The birth certificate, if it is not written yet."""
        if self.film_at:
            self.film_at = 0.0
            self.records.operations(self.init.birth_certificate())

    def patience_s(self) -> float | None:
        """How long to wait for something to happen; None if there is nothing to do meanwhile."""
        moments = [moment for moment, _, _ in self.leaving]
        if self.look_until:
            moments.append(time.monotonic() + LOOK_AGAIN_S)
        if self.film_at:
            moments.append(self.film_at)
        return min(moments) - time.monotonic() if moments else None

    def poll(self, timeout_s: float | None) -> dict[int, int]:
        """Wait for something to do: descriptor → events."""
        poll = select.poll()
        poll.register(self.init.pidfd, select.POLLIN)
        poll.register(self.children, select.POLLIN)
        if self.oom is not None:
            poll.register(self.oom, select.POLLIN)
        if self.listener is not None and not self.crowded:
            poll.register(self.listener.fileno(), select.POLLIN)
        for client in self.clients:
            # A full stdin of the process holds the typist back: the bytes stay in the socket. Not
            # even a hang-up is heard then, or the loop would spin on it.
            wanted = (0 if client.held_back() else select.POLLIN) | \
                (select.POLLOUT if client.out else 0)
            if wanted:
                poll.register(client.fd, wanted)
        for arrival in self.arriving:
            poll.register(arrival.fd, select.POLLIN)
        for process, _ in self.execs:
            poll.register(process.pidfd, select.POLLIN)
        for streams in self.all_streams():
            for fd, wanted in streams.wanted().items():
                poll.register(fd, wanted)
        found = poll.poll(None if timeout_s is None else max(0, int(timeout_s * 1000) + 1))
        return dict(found)

    def all_streams(self) -> list[Streams]:
        """Init's and every exec's."""
        return [self.streams, *(streams for _, streams in self.execs),
                *(streams for _, streams, _ in self.leaving)]

    def handle(self, ready: dict[int, int]) -> None:
        """Do what the descriptors ask for."""
        if self.oom in ready or self.look_until:
            self.hear_oom()
        for streams in self.all_streams():
            streams.handle(ready)
        news = [arrival for arrival in self.arriving if arrival.fd in ready]
        # Both before anything is closed: a descriptor opened then may have the number of one here.
        ended = [each for each in self.execs if each[0].pidfd in ready]
        for arrival in news:
            execs.go_on(self, arrival)
        for process, streams in ended:
            execs.end(self, process, streams)
        if news or ended or self.children in ready:
            execs.reap_orphans(self)
        execs.let_go(self)
        for client in [client for client in self.clients if client.fd in ready]:
            requests.serve(self, client)
        if self.listener is not None and self.listener.fileno() in ready:
            requests.accept(self)
        self.clients = [client for client in self.clients if not requests.dismissed(self, client)]

    def hear_oom(self) -> None:
        """The memory events may have changed."""
        assert self.oom is not None
        try:
            os.read(self.oom, 4096)
            self.look_until = time.monotonic() + LOOK_PATIENCE_S
        except BlockingIOError:
            pass
        if self.evidence.read_memory_events():
            self.records.event("oom")
            self.look_until = 0.0
        elif time.monotonic() > self.look_until:
            self.look_until = 0.0

    # ---------------------------------------------------------------- what is written down

    def keep_output(self, stream: str, data: bytes) -> None:
        """To the log, if there is one."""
        if self.log is not None:
            self.log.write(stream, data)

    def close_listener(self) -> None:
        """The socket and its name go first: who connects later is told that there is nobody."""
        if self.listener is not None:
            self.listener.close()
            self.listener = None
        removal.remove_tree(self.request["run"])
