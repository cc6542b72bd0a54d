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
from runtime.shim.streams import Client, Streams

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.exec import Process

    Request = dict[str, Any]

DRAIN_PATIENCE_S = 2.0
FAREWELL_PATIENCE_S = 5.0


def main(request: Request, report: _socket.socket) -> None:
    """Be the shim of one container; never returns. `report` is the caller's end of the start."""
    try:
        detach(report.fileno())
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
    from runtime.cgroup import resources

    cgroup.open_group("/container-lab")  # finds the hierarchies, imports the driver
    documents.digest(b"")
    assert resources


def detach(keep: int) -> None:
    """Let go of everything the caller had: session, terminal, signals, descriptors, directory."""
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
    # Whoever waits for the end of file of a pipe of the caller's must not wait for us.
    os.closerange(3, keep)
    os.closerange(keep + 1, 4096)
    os.chdir("/")


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
        self.log: Log | None = None
        self.streams = Streams(self.keep_output)
        self.execs: list[tuple[Process, Streams]] = []
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
        self.listen()
        plan = oci_plan.load(self.directory, request.get("root_mounts"), request.get("gate"))
        terminal = bool(plan.process.get("terminal"))
        if request.get("log"):
            self.log = Log(request["log"], lambda what: self.evidence.note("shim", what))
        stdio = self.streams.open_null() if terminal else \
            self.streams.open_pipes(request.get("stdin", False))
        self.init = oci.create(plan, self.group, stdio, request["cache"], self.born)
        try:
            # Before the program runs: an OOM kill in its first moments must not be missed.
            self.oom = self.group.watch_oom()
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
        self.save_state()
        self.tell_event("start")
        for warning in self.init.warnings:
            self.evidence.note("shim", "warning", text=warning)
        self.report.send(protocol.message(b"R", {"ok": {"pid": self.init.pid}}))
        if self.report.streams is None:
            self.report.done = True
        self.save_operations(self.init.birth_certificate())

    def born(self, init: oci.Init) -> None:
        """The first process exists. Worth a file only if someone holds it there and looks."""
        if self.request.get("gate"):
            self.state.update(Pid=init.pid, PidStart=processes.start_ticks(init.pid))
            self.save_state()

    def attach_caller(self) -> None:
        """The caller's connection may be the first attachment: so no byte is missed."""
        self.clients.append(self.report)
        if self.request.get("attach"):
            self.report.streams = self.streams
            self.streams.clients.append(self.report)

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
        self.save_operations(operations)
        self.evidence.note("shim", "start failed", text=str(error))
        self.close_listener()
        cause = getattr(error, "cause", error)
        self.report.sock.setblocking(True)
        self.report.send(protocol.message(b"R", {"error": to_data(cause)}))

    # ---------------------------------------------------------------- the loop

    def serve(self) -> None:
        """Poll until the container's first process has ended; then bury it."""
        while True:
            ready = self.poll(None)
            if self.init.pidfd in ready:
                break
            self.handle(ready)
        self.bury()

    def poll(self, timeout_s: float | None) -> dict[int, int]:
        """Wait for something to do: descriptor → events."""
        poll = select.poll()
        poll.register(self.init.pidfd, select.POLLIN)
        if self.oom is not None:
            poll.register(self.oom, select.POLLIN)
        if self.listener is not None:
            poll.register(self.listener.fileno(), select.POLLIN)
        for client in self.clients:
            poll.register(client.fd, select.POLLIN | (select.POLLOUT if client.out else 0))
        for process, _ in self.execs:
            poll.register(process.pidfd, select.POLLIN)
        for streams in self.all_streams():
            if not streams.held():
                for fd in streams.readers:
                    poll.register(fd, select.POLLIN)
            if streams.pending and streams.stdin is not None:
                poll.register(streams.stdin, select.POLLOUT
                              | (select.POLLIN if streams.stdin in streams.readers else 0))
        found = poll.poll(None if timeout_s is None else int(timeout_s * 1000))
        return dict(found)

    def all_streams(self) -> list[Streams]:
        """Init's and every exec's."""
        return [self.streams, *(streams for _, streams in self.execs)]

    def handle(self, ready: dict[int, int]) -> None:
        """Do what the descriptors ask for."""
        if self.oom in ready:
            self.hear_oom()
        for streams in self.all_streams():
            if streams.stdin in ready and streams.pending:
                streams.pump()
            for fd in [fd for fd in streams.readers if fd in ready]:
                streams.read(fd)
        for process, streams in [each for each in self.execs if each[0].pidfd in ready]:
            self.end_exec(process, streams)
        for client in [client for client in self.clients if client.fd in ready]:
            self.serve_client(client)
        if self.listener is not None and self.listener.fileno() in ready:
            self.accept()
        self.clients = [client for client in self.clients if not self.dismissed(client)]

    def hear_oom(self) -> None:
        """The memory events may have changed."""
        assert self.oom is not None
        try:
            os.read(self.oom, 4096)
        except BlockingIOError:
            return
        if self.evidence.read_memory_events():
            self.tell_event("oom")

    def accept(self) -> None:
        """Someone connects."""
        assert self.listener is not None
        try:
            fd, _ = self.listener._accept()  # type: ignore[attr-defined]
        except BlockingIOError:
            return
        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fd)
        self.clients.append(Client(sock))

    def dismissed(self, client: Client) -> bool:
        """Close a connection that is done and has been sent everything."""
        if not client.done or client.out:
            return False
        if client.streams is not None and client in client.streams.clients:
            client.streams.clients.remove(client)
        client.sock.close()
        return True

    def serve_client(self, client: Client) -> None:
        """Read what a client says. One that goes away takes nothing with it."""
        client.flush()
        # A full stdin of the process holds the typist back: the bytes stay in the socket.
        if client.streams is not None and len(client.streams.pending) > protocol.LARGEST:
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
        except (LabError, OSError, ValueError, KeyError) as error:
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
            client.streams = self.streams
            self.streams.clients.append(client)
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
        self.save_state()
        self.evidence.note("shim", event)
        self.tell_event(event)

    # ---------------------------------------------------------------- exec

    def start_exec(self, client: Client, ask: dict[str, Any]) -> None:
        """Start one more process inside; the connection becomes its streams."""
        if self.state["Status"] == "paused":
            # It would be frozen on its way in, and the shim would wait for it for ever.
            raise Conflict("exec: the container is paused", "unpause it first")
        process = ask["process"]
        streams = Streams()
        stdio = streams.open_null() if process.get("terminal") else \
            streams.open_pipes(ask.get("stdin", False))
        plan = self.init.plan
        from runtime.oci import exec as oci_exec  # not on the way of a start

        try:
            started = oci_exec.start_process(process, self.init.pid, self.init.pidfd, self.group,
                                             stdio, b"" if ask.get("privileged") else plan.filter,
                                             plan.filter_flags)
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
            client.streams = streams
            streams.clients.append(client)

    def end_exec(self, process: Process, streams: Streams) -> None:
        """A process of exec has ended: read the rest, tell its code."""
        status = os.waitpid(process.pid, 0)[1]
        self.drain(streams)
        self.execs.remove((process, streams))
        os.close(process.pidfd)
        streams.finish(exit_code(status))

    # ---------------------------------------------------------------- the end

    def bury(self) -> None:
        """Init has ended: read everything it left, write how it was, remove what was made."""
        comm = processes.comm(self.init.pid)  # a zombie still has its name
        status = os.waitpid(self.init.pid, 0)[1]
        signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        code = exit_code(status)
        # The kernel's counters first: they explain the signal, and they go with the group.
        if self.evidence.read_memory_events():
            self.tell_event("oom")
        self.evidence.note("init", "signal" if signal else "exit", pid=self.init.pid, comm=comm,
                           signal=signal, exit_code=code)
        # With a PID namespace of its own the kernel has killed the rest already.
        self.group.kill()
        for process, streams in list(self.execs):
            self.end_exec(process, streams)
        self.drain(self.streams)
        kept = stats.last_words(self.group.path)
        self.remove_group()
        self.state.update(Status="exited", Pid=0, PidStart=0, ShimPid=0, ShimStart=0,
                          ExitCode=code, Signal=signal, OOMKilled=self.evidence.oom_kills > 0,
                          FinishedAt=rfc3339(time.time_ns()))
        self.evidence.note("shim", "exited", exit_code=code, oom_killed=self.state["OOMKilled"])
        if self.log is not None:
            self.log.close()
        self.tell_event("die", exitCode=str(code))
        self.close_listener()
        if self.request.get("remove"):
            self.remove_everything()
        else:
            self.try_write("last-cgroup.json", kept)
            self.save_state()
        self.say_farewell(code)

    def remove_group(self) -> None:
        """The control group goes; one that does not is told, and left for `clean`."""
        try:
            self.group.remove()
        except LabError as error:
            self.evidence.note("shim", "group stays", text=str(error))
            return
        if self.request.get("ledger"):
            documents.append_line(self.request["ledger"],
                                  {"gone": "cgroup", "path": self.group.path})

    def remove_everything(self) -> None:
        """--rm: the directories and names that were given us to remove, in that order."""
        for path in self.request["remove"]:
            try:
                removal.remove_tree(path)
            except OSError as error:
                self.evidence.note("shim", "remove failed", text=str(error))
        self.tell_event("destroy")

    def drain(self, streams: Streams) -> None:
        """Read what is left in the pipes. A process that outlives init may hold one open."""
        deadline = time.monotonic() + DRAIN_PATIENCE_S
        while streams.readers and (left := deadline - time.monotonic()) > 0:
            poll = select.poll()
            for fd in streams.readers:
                poll.register(fd, select.POLLIN)
            for fd, _ in poll.poll(int(left * 1000)):
                streams.read(fd)
            for client in streams.clients:
                client.flush()

    def say_farewell(self, code: int) -> None:
        """Tell the exit code to all who are attached or wait; give the slow ones a while."""
        for client in self.waiting:
            client.send(protocol.message(b"X", {"code": code}))
            client.done = True
        self.streams.finish(code)
        deadline = time.monotonic() + FAREWELL_PATIENCE_S
        while waiting := [client for client in self.clients if client.out]:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            poll = select.poll()
            for client in waiting:
                poll.register(client.fd, select.POLLOUT)
            poll.poll(int(left * 1000))
            for client in waiting:
                client.flush()

    # ---------------------------------------------------------------- what is written down

    def keep_output(self, stream: str, data: bytes) -> None:
        """To the log, if there is one."""
        if self.log is not None:
            self.log.write(stream, data)

    def save_state(self) -> None:
        """state.json, whole. On a full disk the old one stays, and that is told."""
        self.try_write("state.json", self.state)

    def try_write(self, name: str, value: Any) -> None:
        try:
            documents.write(os.path.join(self.directory, name), value)
        except OSError as error:
            self.evidence.note("shim", f"write {name} failed", text=str(error))

    def save_operations(self, operations: list[dict[str, Any]]) -> None:
        """The birth certificate."""
        text = "".join(documents.encode(each) + "\n" for each in operations)
        try:
            documents.replace_file(os.path.join(self.directory, "operations.jsonl"), text.encode())
        except OSError as error:
            self.evidence.note("shim", "write operations.jsonl failed", text=str(error))

    def tell_event(self, action: str, **attributes: str) -> None:
        """An event in Docker's shape, for `events` and the lifecycle pane."""
        if not self.request.get("events"):
            return
        now = time.time_ns()
        try:
            documents.append_line(self.request["events"], {
                "Type": "container", "Action": action, "time": now // 1_000_000_000,
                "timeNano": now,
                "Actor": {"ID": self.request["id"],
                          "Attributes": {**self.request.get("attributes", {}), **attributes}},
            })
        except OSError:
            return

    def close_listener(self) -> None:
        """The socket and its name go first: who connects later is told that there is nobody."""
        if self.listener is not None:
            self.listener.close()
            self.listener = None
        removal.remove_tree(self.request["run"])


def exit_code(status: int) -> int:
    """A wait status as a shell says it: 128 + n for signal n."""
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
