"""Another OCI runtime, driven by its command line, as containerd's shim drives runc.

Runs in the shim, for a container with `--runtime runc`, `crun` or a path. Every verb is one run of
the program; between them only the container's own processes are left. They come to us when the
program has ended, for we are the nearest subreaper, so exit codes are ours to see.

    --root RUN/runtime --log … --log-format json
    create --bundle DIR --pid-file FILE [--console-socket SOCK] ID
    start ID      exec --detach --process FILE --pid-file FILE [--console-socket SOCK] ID
    kill ID 15    pause ID    resume ID    delete --force ID

The root is mounted by us, in a mount namespace of our own, since such a runtime takes a directory:
the host's table does not show it, and it goes with us. What such a runtime does to the kernel is
not told: its birth certificate lists the runs alone, and nothing of it can be held.
Sources: runc(8), crun(1); containerd pkg/process/init.go, go-runc; console-socket: runc's
docs/terminals.md.
"""

from __future__ import annotations

import os

from runtime import documents
from runtime.errors import Conflict, KernelError, LabError, Unsupported
from runtime.kernel import commands, files, mounts, namespaces, processes, unmount
from runtime.kernel.mounts import MS_REC, MS_SLAVE
from runtime.oci.exec import Process
from runtime.oci.mounts import Options
from runtime.shim.console import Console
from runtime.shim.verdicts import judged, last_error, last_line
from runtime.trace.operation import observe, phase
from runtime.trace.recorder import Recorder, in_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.shim.runtimes import Stdio
    from runtime.shim.shim import Shim

# Of what a program says of its failure, so much is looked at.
LAST_BYTES = 1 << 16

class CommandLine:
    """One container of another runtime."""

    secretive = True

    def __init__(self, shim: Shim) -> None:
        self.shim = shim
        self.program: str = shim.request["runtime"]
        self.ident: str = shim.request["id"]
        self.folder = f"{shim.request['run']}/runtime"
        self.rootfs = f"{shim.directory}/rootfs"
        self.recorder = Recorder("shim")
        self.init: Init
        self.count = 0

    # ---------------------------------------------------------------- the start

    def create(self, stdio: Stdio) -> Init:
        """Mount the root, and have everything made but the program."""
        outer = observe(self.recorder)
        try:
            os.makedirs(self.folder, 0o700, exist_ok=True)
            with phase("root"):
                self.mount_root()
            spec = documents.read(f"{self.shim.directory}/config.json")
            console = Console(self.folder, "init") if spec["process"].get("terminal") else None
            pid_file = f"{self.folder}/init.pid"
            self.shim.open_log()
            try:
                self.run("create", "--bundle", self.shim.directory, "--pid-file", pid_file,
                         *(console.option if console else ()), self.ident, stdio=stdio)
                self.init = Init(self, int(files.read(pid_file) or 0))
                if console is not None:
                    self.init.master = console.receive(spec["process"])
            finally:
                if console is not None:
                    console.close()
            # The group is the runtime's; what happens from here on is the program's doing.
            self.shim.watch_oom()
            return self.init
        except BaseException as error:
            observe(None)
            self.undo()
            if isinstance(error, LabError):
                error.operations = in_order(self.recorder.data(), started=False)
            raise
        finally:
            observe(outer)

    def mount_root(self) -> None:
        """The overlay at rootfs/, where the host cannot see it."""
        namespaces.unshare(namespaces.Flags(namespaces.CLONE_NEWNS))
        # A slave still hears when the host takes one of its own down.
        mounts.mount(None, "/", None, mounts.Flags(MS_SLAVE | MS_REC))
        for entry in self.shim.request.get("root_mounts") or []:
            options = Options(entry.get("options") or [])
            mounts.mount(entry.get("source"), self.rootfs, entry["type"],
                         mounts.Flags(options.flags), options.data)

    def start(self) -> None:
        """The specification's start."""
        outer = observe(self.recorder)
        try:
            with phase("exec"):
                self.run("start", self.ident)
        finally:
            observe(outer)

    # ---------------------------------------------------------------- while it runs

    def enter(self, process: dict[str, Any], stdio: Stdio) -> Entering:
        """exec: returns while it is on its way."""
        if "attempts" in process:
            raise Unsupported(f"ask a container of {self.name} what it may do: only our own "
                              "runtime can be asked from inside")
        self.count += 1
        return Entering(self, process, stdio, f"{self.folder}/exec-{self.count}")

    def kill(self, number: int) -> None:
        """Signal the container's first process."""
        try:
            self.run("kill", self.ident, str(number))
        except LabError as error:
            if not self.init.ended():
                raise Conflict(str(error)) from None

    def pause(self) -> None:
        """Freeze it."""
        self.run("pause", self.ident)

    def resume(self) -> None:
        """Let it go on."""
        try:
            self.run("resume", self.ident)
        except LabError as error:
            raise Conflict(str(error)) from None

    # ---------------------------------------------------------------- the end

    def undo(self) -> None:
        """Take back a start that failed."""
        self.delete()
        if hasattr(self, "init"):
            self.init.reap()
        self.shim.group.kill()
        self.shim.group.remove()

    def delete(self) -> None:
        """Have its state and groups removed, and let go of the root."""
        try:
            self.run("delete", "--force", self.ident)
        except LabError as error:
            self.shim.evidence.note("shim", "runtime delete failed", text=str(error))
        try:
            unmount.detach_all(self.rootfs)
        except LabError as error:
            self.shim.evidence.note("shim", "not removed", text=str(error))

    # ---------------------------------------------------------------- the program

    @property
    def name(self) -> str:
        """What one calls it: runc."""
        return os.path.basename(self.program)

    def run(self, verb: str, *arguments: str, stdio: Stdio | None = None) -> None:
        """One verb, to its end. Raises what the runtime says of it."""
        log = f"{self.folder}/log.json"
        said = os.memfd_create("stderr", os.MFD_CLOEXEC)
        null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        try:
            code = commands.run(f"{self.name} {verb}", self.program,
                                self.words(verb, arguments, log), stdio or (null, null, said))
            if code:
                words = last_error(log) or last_line(os.pread(said, LAST_BYTES, 0)) or \
                    last_line(self.unread() if stdio else b"")
                raise judged(f"OCI runtime {verb} failed: "
                             f"{words or f'{self.name} ended with status {code}'}")
        finally:
            os.close(said)
            os.close(null)

    def unread(self) -> bytes:
        """What came to the container's stderr, before there was a container."""
        for fd, stream in self.shim.streams.readers.items():
            if stream == "stderr":
                try:
                    return os.read(fd, LAST_BYTES)
                except BlockingIOError:
                    break
        return b""

    def words(self, verb: str, arguments: tuple[str, ...], log: str) -> list[str]:
        """The command line of one verb, whose errors go to a log of its own."""
        remove(log)
        return ["--root", f"{self.folder}/state", "--log", log, "--log-format", "json", verb,
                *arguments]


class Init:
    """The container's first process, made by somebody else; ours to wait for."""

    def __init__(self, runtime: CommandLine, pid: int) -> None:
        self.runtime, self.pid = runtime, pid
        self.pidfd = processes.pidfd_open(pid)
        self.master: int | None = None
        self.warnings: list[str] = []

    def start(self) -> None:
        """Run the program."""
        self.runtime.start()

    def birth_certificate(self) -> list[dict[str, Any]]:
        """The runs of the other runtime; what it did in them nobody tells."""
        return in_order(self.runtime.recorder.data(), started=True)

    def ended(self) -> bool:
        """Is it a zombie by now?"""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def reap(self) -> None:
        """Wait for it after a start that failed."""
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass
        os.close(self.pidfd)


class Entering:
    """A process of exec on its way in: it is there when the program that brings it has ended."""

    def __init__(self, runtime: CommandLine, process: dict[str, Any], stdio: Stdio,
                 path: str) -> None:
        self.runtime, self.path, self.process = runtime, path, process
        documents.write(f"{path}.json", process, mode=0o600)
        self.console = Console(runtime.folder, os.path.basename(path)) \
            if process.get("terminal") else None
        option = self.console.option if self.console else ()
        line = runtime.words("exec", ("--detach", "--process", f"{path}.json", "--pid-file",
                                      f"{path}.pid", *option, runtime.ident), f"{path}.log")
        self.pid = commands.begin(f"{runtime.name} exec", runtime.program, line, stdio)
        self.pidfd = processes.pidfd_open(self.pid)

    def fileno(self) -> int:
        """Readable when the program has ended."""
        return self.pidfd

    def hear(self) -> bool:
        """One message only: it has ended."""
        return False

    def outcome(self) -> Process:
        """The process that was started; raises what the runtime says of it."""
        code = commands.finish(self.pid)
        try:
            if code:
                said = last_error(f"{self.path}.log")
                raise judged("OCI runtime exec failed: "
                             f"{said or f'{self.runtime.name} ended with status {code}'}")
            pid = int(files.read(f"{self.path}.pid") or 0)
            master = self.console.receive(self.process) if self.console else None
            return Process(pid, processes.pidfd_open(pid), master)
        finally:
            self.let_go()

    def give_up(self) -> None:
        """The container has ended, so the program will."""
        try:
            processes.pidfd_send_signal(self.pidfd, 9)
        except KernelError:
            pass
        commands.finish(self.pid)
        self.let_go()

    def let_go(self) -> None:
        """Close and remove what was there for the way in."""
        os.close(self.pidfd)
        if self.console is not None:
            self.console.close()
        for end in ("json", "pid", "log"):
            remove(f"{self.path}.{end}")


def remove(path: str) -> None:
    """Delete a file, if it is there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
