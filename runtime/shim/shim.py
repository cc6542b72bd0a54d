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

import _signal  # type: ignore[import-not-found]
import gc
import os
import select
import time

from runtime import documents
from runtime.cgroup import cgroup, stats
from runtime.errors import Conflict, Invalid, LabError, NotFound, to_data
from runtime.kernel import processes
from runtime.oci import create as oci
from runtime.oci import plan as oci_plan
from runtime.shim import protocol, removal
from runtime.shim.evidence import Evidence
from runtime.shim.logs import Log, rfc3339
from runtime.shim.records import Records
from runtime.shim.streams import Client, Streams

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.exec import Process

    Request = dict[str, Any]

# So long the output of an ended process is waited for; Docker's too (moby daemon/monitor.go).
DRAIN_PATIENCE_S = 2.0
# v1 tells of an OOM before the kernel chooses a victim, and not again when it has killed.
LOOK_AGAIN_S, LOOK_PATIENCE_S = 0.02, 5.0
LAST_BYTES = 2 << 20  # the most that two pipes can hold: pipe(7), pipe-max-size


def main(request: Request, report: _socket.socket) -> None:
    """Be the shim of one container; never returns. `report` is the caller's end of the start."""
    try:
        close_all_but(report.fileno())
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


def preload() -> None:
    """Everything a start will import or look up, ahead of it: for those who wait for one."""
    from runtime.cgroup import devices, resources

    cgroup.open_group("/container-lab")  # finds the hierarchies, imports the driver
    documents.digest(b"")
    documents.parse(documents.encode([devices.__name__, resources.__name__]))
    # A rehearsal: it costs nothing now, and then 0.3 ms of first touches of memory.
    stage, audience = _socket.socketpair()
    Shim({"id": "", "directory": "/", "cgroup": "/container-lab"}, stage)
    stage.close()
    audience.close()


def detach() -> None:
    """Let go of everything the caller had: session, terminal, signals, directory.

    By whoever becomes a shim, before it knows of which container.
    """
    processes.setsid()
    processes.set_name("lab-shim")
    processes.set_child_subreaper()
    # Ignored in a zygote, whose children nobody waits for; here children are waited for.
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    for number in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGPIPE):
        _signal.signal(number, _signal.SIG_IGN)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    os.chdir("/")


def close_all_but(keep: int) -> None:
    """Whoever waits for the end of file of a pipe of the caller's must not wait for us.

    The caller's Python objects still believe in their descriptors; collected one day, they would
    close the numbers again, which are ours by then. So nothing of before is ever collected.
    """
    gc.freeze()
    os.closerange(3, keep)
    os.closerange(keep + 1, 4096)


class Shim:
    """The shim's state: one container, its streams, those connected, and what exec started."""

    def __init__(self, request: Request, report: _socket.socket) -> None:
        self.request = request
        self.directory: str = request["directory"]
        self.report = Client(report)
        self.clients: list[Client] = []
        self.waiting: list[Client] = []  # who want to be told of the end, and of nothing else
        self.group = cgroup.open_group(request["cgroup"])
        self.evidence = Evidence(os.path.join(self.directory, "evidence.jsonl"), request["cgroup"])
        self.records = Records(request, self.evidence)
        self.log: Log | None = None
        self.streams = Streams(self.keep_output, once=request.get("stdin_once", False))
        self.execs: list[tuple[Process, Streams]] = []
        # Ended, but something they started still holds their output: (until when, streams, code).
        self.leaving: list[tuple[float, Streams, int]] = []
        self.children = -1  # readable when a child has ended
        self.look_until = 0.0  # the kernel is out of memory there, and has not killed yet
        self.crowded = False  # no descriptor left for one more client
        self.state: dict[str, Any] = {
            "Status": "created", "Pid": 0, "PidStart": 0, "ShimPid": os.getpid(),
            "ShimStart": processes.start_ticks(os.getpid()), "StartedAt": "", "FinishedAt": "",
            "ExitCode": 0, "OOMKilled": False, "Error": "", "Signal": 0,
        }
        self.init: oci.Init
        self.oom: int | None = None
        self.listener: _socket.socket | None = None

    # ---------------------------------------------------------------- the start

    def start(self) -> None:
        """Create and start the container, then say so to the caller."""
        request = self.request
        # First: by its socket a half-made start is found and ended if the command is killed.
        self.listen()
        plan = oci_plan.load(self.directory, request.get("root_mounts"), request.get("gate"))
        terminal = bool(plan.process.get("terminal"))
        stdio = self.streams.open_null() if terminal else \
            self.streams.open_pipes(request.get("stdin", False))
        self.init = oci.create(plan, self.group, stdio, request["cache"], self.born)
        try:
            self.streams.close_ends()
            if self.init.master is not None:
                self.streams.use_terminal(self.init.master)
            self.attach_caller()
            self.init.start()
        except BaseException:
            oci.undo(self.init, self.group)
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
        self.records.operations(self.init.birth_certificate())

    def born(self, init: oci.Init) -> None:
        """The first process exists, and has done nothing yet.

        What the start needs of us beside it is done here, while it makes itself a container on the
        other CPU: the log, the notice of OOM kills.
        """
        # Before its program can run: an OOM kill in its first moments must not be missed.
        self.oom = self.group.watch_oom()
        # Nobody steps through this start, so init need not wait for our word between the steps.
        if not self.request.get("gate"):
            init.release()
        else:
            # Someone holds it there and looks: worth a file.
            self.state.update(Pid=init.pid, PidStart=processes.start_ticks(init.pid))
            self.records.state(self.state)
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
        cause = getattr(error, "cause", error)
        self.report.sock.setblocking(True)
        self.report.send(protocol.message(b"R", {"error": to_data(cause)}))

    # ---------------------------------------------------------------- the loop

    def serve(self) -> None:
        """Poll until the container's first process has ended; then bury it."""
        self.children = watch_children()
        gc.enable()
        while True:
            ready = self.poll(self.patience_s())
            if self.init.pidfd in ready:
                break
            self.handle(ready)
        self.bury()

    def patience_s(self) -> float | None:
        """How long to wait for something to happen; None if there is nothing to do meanwhile."""
        moments = [moment for moment, _, _ in self.leaving]
        if self.look_until:
            moments.append(time.monotonic() + LOOK_AGAIN_S)
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
        ended = [each for each in self.execs if each[0].pidfd in ready]
        for process, streams in ended:
            self.end_exec(process, streams)
        if ended or self.children in ready:
            self.reap_orphans()
        self.let_go()
        for client in [client for client in self.clients if client.fd in ready]:
            self.serve_client(client)
        if self.listener is not None and self.listener.fileno() in ready:
            self.accept()
        self.clients = [client for client in self.clients if not self.dismissed(client)]

    def reap_orphans(self) -> None:
        """Wait for those who came to us as subreaper; with `--pid host` init's orphans do."""
        try:
            os.read(self.children, 4096)
        except BlockingIOError:
            pass  # after the end of an exec, which may have stood before them
        ours = {self.init.pid, *(process.pid for process, _ in self.execs)}
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            # One of ours is waited for where its pidfd is seen, and stands before the rest.
            if found is None or found.si_pid in ours:
                return
            os.waitpid(found.si_pid, 0)

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

    def accept(self) -> None:
        """Someone connects."""
        assert self.listener is not None
        try:
            fd, _ = self.listener._accept()  # type: ignore[attr-defined]
        except BlockingIOError:
            return
        except OSError as error:  # EMFILE: they wait until one of the others has gone
            self.crowded = bool(self.clients)
            self.evidence.note("shim", "accept failed", text=str(error))
            return
        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fd)
        self.clients.append(Client(sock))

    def dismissed(self, client: Client) -> bool:
        """Close a connection that is done and has been sent everything."""
        if not client.done or client.out:
            return False
        if client.streams is not None:
            client.streams.leave(client)
        client.sock.close()
        self.crowded = False
        return True

    def serve_client(self, client: Client) -> None:
        """Read what a client says. One that goes away takes nothing with it."""
        client.flush()
        if client.held_back():
            return
        try:
            data = client.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            client.out.clear()
            client.done = True
            return
        try:
            for kind, payload in client.frames.feed(data):
                self.take(client, kind, payload)
        except Exception as error:  # also a mistake of the client's must not end the container
            cause = getattr(error, "cause", error)
            client.send(protocol.message(b"R", {"error": to_data(cause)}))
            client.done = True

    def take(self, client: Client, kind: bytes, payload: bytes) -> None:
        """One frame of a client."""
        if kind == b"J":
            self.answer(client, documents.parse(payload))
        elif client.streams is None:
            raise Invalid("take input: this connection is attached to nothing")
        elif kind == b"I":
            client.streams.write(payload)
        elif kind == b"C":
            client.streams.close_stdin()
        elif kind == b"W":
            size = documents.parse(payload)
            client.streams.resize(size["rows"], size["columns"])

    def answer(self, client: Client, ask: dict[str, Any]) -> None:
        """Do what the first frame asks for, and say so."""
        do = ask.get("do")
        if do == "attach":
            client.send(protocol.message(b"R", {"ok": {"pid": self.init.pid}}))
            self.streams.join(client)
            return
        if do == "exec":
            self.start_exec(client, ask)
            return
        if do == "wait":
            client.send(protocol.message(b"R", {"ok": {}}))
            self.waiting.append(client)
            return
        if do == "kill":
            self.kill(ask["signal"], ask.get("by", "kill"))
        elif do == "pause":
            self.pause()
        elif do == "resume":
            self.resume()
        else:
            raise NotFound(f"answer: the shim does not know {do!r}")
        client.send(protocol.message(b"R", {"ok": {}}))
        client.done = True

    def kill(self, number: int, by: str) -> None:
        """Signal init, noting first who asked: afterwards it may be gone."""
        self.evidence.note("engine", by, signal=number, pid=self.init.pid)
        processes.pidfd_send_signal(self.init.pidfd, number)

    def pause(self) -> None:
        """Freeze the group."""
        if self.state["Status"] == "paused":
            raise Conflict("pause: already paused")
        self.group.freeze()
        self.set_status("paused", "pause")

    def resume(self) -> None:
        """Thaw the group."""
        if self.state["Status"] != "paused":
            raise Conflict("resume: not paused")
        self.group.thaw()
        self.set_status("running", "unpause")

    def set_status(self, status: str, event: str) -> None:
        """A new state, on disk before anyone is told."""
        self.state["Status"] = status
        self.records.state(self.state)
        self.evidence.note("shim", event)
        self.records.event(event)

    # ---------------------------------------------------------------- exec

    def start_exec(self, client: Client, ask: dict[str, Any]) -> None:
        """Start one more process inside; the connection becomes its streams."""
        if self.state["Status"] == "paused":
            # It would be frozen on its way in, and the shim would wait for it for ever.
            raise Conflict("exec: the container is paused", "unpause it first")
        process = ask["process"]
        # Docker's: who typed into an exec and goes away has typed all there will be.
        streams = Streams(once=True)
        stdio = streams.open_null() if process.get("terminal") else \
            streams.open_pipes(ask.get("stdin", False))
        plan = self.init.plan
        from runtime.oci import exec as oci_exec  # not on the way of a start

        try:
            started = oci_exec.start_process(process, self.init.pid, self.init.pidfd, self.group,
                                             stdio, plan.filter, plan.filter_flags)
        except BaseException:
            streams.close_ends()
            streams.finish(0)
            raise
        streams.close_ends()
        if started.master is not None:
            streams.use_terminal(started.master)
        self.execs.append((started, streams))
        self.evidence.note("engine", "exec", pid=started.pid, command=process["args"])
        client.send(protocol.message(b"R", {"ok": {"pid": started.pid}}))
        if ask.get("detach"):
            client.done = True
        else:
            streams.join(client)

    def end_exec(self, process: Process, streams: Streams) -> None:
        """A process of exec has ended; what it started may hold its output open a while longer."""
        code = exit_code(os.waitpid(process.pid, 0)[1])
        self.execs.remove((process, streams))
        os.close(process.pidfd)
        self.leaving.append((time.monotonic() + DRAIN_PATIENCE_S, streams, code))

    def let_go(self, now: bool = False) -> None:
        """Tell their codes for those who have ended and whose output has, or was waited for."""
        for each in list(self.leaving):
            moment, streams, code = each
            if streams.readers and not now and time.monotonic() < moment:
                continue
            self.leaving.remove(each)
            self.drain(streams, 0)
            streams.finish(code)
            self.records.event("exec_die", exitCode=str(code))

    # ---------------------------------------------------------------- the end

    def bury(self) -> None:
        """Init has ended: read everything it left, write how it was, remove what was made."""
        comm = processes.comm(self.init.pid)  # a zombie still has its name
        status = os.waitpid(self.init.pid, 0)[1]
        signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        code = exit_code(status)
        # The kernel's counters first: they explain the signal, and they go with the group.
        if self.evidence.read_memory_events():
            self.records.event("oom")
        self.evidence.note("init", "signal" if signal else "exit", pid=self.init.pid, comm=comm,
                           signal=signal, exit_code=code)
        # With a PID namespace of its own the kernel has killed the rest already.
        self.group.kill()
        for process, streams in list(self.execs):
            self.end_exec(process, streams)
        self.let_go(now=True)
        self.drain(self.streams, DRAIN_PATIENCE_S)
        kept = stats.last_words(self.group.path)
        self.remove_group()
        self.state.update(Status="exited", Pid=0, PidStart=0, ShimPid=0, ShimStart=0,
                          ExitCode=code, Signal=signal, OOMKilled=self.evidence.oom_kills > 0,
                          FinishedAt=rfc3339(time.time_ns()))
        self.evidence.note("shim", "exited", exit_code=code, oom_killed=self.state["OOMKilled"])
        if self.log is not None:
            self.log.close()
        self.close_listener()
        if self.request.get("remove"):
            self.records.event("die", exitCode=str(code))
            self.remove_everything()
        else:
            self.records.write("last-cgroup.json", kept)
            self.records.state(self.state)
            self.records.event("die", exitCode=str(code))
        self.say_farewell(code)

    def remove_group(self) -> None:
        """The control group goes; one that does not is told, and left for `clean`."""
        try:
            self.group.remove()
        except LabError as error:
            self.evidence.note("shim", "group stays", text=str(error))
            return
        self.records.group_gone(self.group.path)

    def remove_everything(self) -> None:
        """--rm: the directories and names that were given us to remove, in that order."""
        for path in self.request["remove"]:
            try:
                removal.remove_tree(path)
            except OSError as error:
                self.evidence.note("shim", "remove failed", text=str(error))
        self.records.event("destroy")

    def drain(self, streams: Streams, patience_s: float) -> None:
        """Read what is left in the pipes. A process that outlives init may hold one open."""
        deadline = time.monotonic() + patience_s
        left = LAST_BYTES
        while streams.readers and left > 0:
            poll = select.poll()
            for fd in streams.readers:
                poll.register(fd, select.POLLIN)
            found = poll.poll(max(0, int((deadline - time.monotonic()) * 1000)))
            if not found:
                return
            for fd, _ in found:
                left -= streams.read(fd)
            for client in streams.clients:
                client.flush()

    def say_farewell(self, code: int) -> None:
        """Tell the exit code to all who are attached or wait.

        One who reads slowly, a pager perhaps, is waited for until he has everything or has gone:
        all else is done and written by now, and this process is a few pages of memory.
        """
        for client in self.waiting:
            client.send(protocol.message(b"X", {"code": code}))
        self.streams.finish(code)
        while waiting := [client for client in self.clients if client.out]:
            poll = select.poll()
            for client in waiting:
                poll.register(client.fd, select.POLLOUT)
            poll.poll()
            for client in waiting:
                client.flush()

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


def exit_code(status: int) -> int:
    """A wait status as a shell says it: 128 + n for signal n."""
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def watch_children() -> int:
    """A descriptor that is readable when a child has ended: the byte of SIGCHLD. signal(7)"""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    _signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    _signal.signal(_signal.SIGCHLD, lambda number, frame: None)
    # One that ended before now has sent its signal already: look once in any case.
    os.write(writer, b"\0")
    return reader
