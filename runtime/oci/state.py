"""What container-lab-oci knows of its containers: a directory each, and no process that remembers.

The twin of runc's /run/runc. Every command reads it, acts and is gone, so all of it is here:

    ROOT/ID/state.json    {"id": "tea", "stage": "created", "pid": 4213, "pidStart": 81234,
                           "bundle": "/b", "cgroup": "/container-lab-oci/tea", "grouped": true, …}
                          without root also the "controllers" that are delegated, and if it is
                          "beside" them in the v2 tree
    ROOT/ID/config.json   the bundle's, as it was when the container was made
    ROOT/ID/start.sock    init waits behind it for the word "start"; gone once it was said
    ROOT/@seccomp/        compiled filters; no container can have this name

A file is replaced whole, so a command killed at any moment leaves the old state or the new one. The
directory itself is the lock: who changes a container holds a flock(2) on it, which ends with the
holder, however that ends; who only looks needs none. The stages are what was done; the *status*
is asked of the kernel each time (runtime-spec runtime.md "State"). Sources: flock(2), runc(8).
"""

from __future__ import annotations

import errno
import fcntl
import os
import time

from runtime import documents
from runtime.cgroup import cgroup
from runtime.errors import Conflict, Invalid, LabError, NotFound
from runtime.kernel import files, processes
from runtime.trace.operation import operation

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from runtime.cgroup.cgroup import Cgroup

VERSION = "1.2.0"  # of the specification that we implement
GROUPS = "/container-lab-oci"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.,"
LOCK_PATIENCE_S = 10.0
FILTERS = "@seccomp"
FORKED_ONLY = 0x40


def default_root() -> str:
    """Where state is kept when nobody says: in /run, for processes do not outlive a boot."""
    own = os.environ.get("XDG_RUNTIME_DIR")
    if os.geteuid() != 0 and own:
        return f"{own}/container-lab-oci"
    return "/run/container-lab-oci"


@operation("rename(2)")
def replace(path: str, data: bytes) -> None:
    """Replace a state file whole. rename(2)"""
    documents.replace_file(path, data, mode=0o600)


def process_state(pid: int, start_ticks: int) -> str:
    """The letter of the process (pid, start time), "" when it is gone. proc_pid_stat(5)"""
    text = files.read(f"/proc/{pid}/stat") if pid > 0 else None
    if not text:
        return ""
    # comm may hold anything, also parentheses: go from the last one.
    fields = text.rpartition(")")[2].split()
    return fields[0] if int(fields[19]) == start_ticks else ""


def never_ran(pid: int) -> bool:
    """Is the process there, and has not called execve yet? PF_FORKNOEXEC of linux/sched.h"""
    text = files.read(f"/proc/{pid}/stat")
    return bool(text) and bool(int((text or "").rpartition(")")[2].split()[6]) & FORKED_ONLY)


class Container:
    """One container, as its files and the kernel tell of it."""

    __slots__ = ("id", "directory", "document")

    def __init__(self, ident: str, directory: str, document: dict[str, Any]) -> None:
        self.id, self.directory, self.document = ident, directory, document

    @property
    def pid(self) -> int:
        """Its first process on the host; of a stopped container the one it was."""
        return int(self.document.get("pid") or 0)

    @property
    def start_socket(self) -> str:
        """Where init waits for the word."""
        return f"{self.directory}/start.sock"

    def group(self) -> Cgroup:
        """Its control group; of an ordinary user's container below one that is his, or none."""
        delegated = self.document.get("controllers")
        if delegated is None:
            return cgroup.open_group(self.document["cgroup"])
        from runtime.cgroup import delegation

        return delegation.open_group(self.document["cgroup"], delegated, self.document["beside"])

    def config(self) -> dict[str, Any]:
        """config.json as it was when the container was made."""
        found: dict[str, Any] = documents.read(f"{self.directory}/config.json")
        return found

    def save(self, **changed: Any) -> None:
        """Write the state down, changed."""
        self.document.update(changed)
        replace(f"{self.directory}/state.json", documents.encode(self.document).encode() + b"\n")

    def alive(self) -> bool:
        """Does its first process run? A zombie has ended, it only waits for its parent."""
        state = process_state(self.pid, int(self.document.get("pidStart") or 0))
        return state not in ("", "Z", "X", "x")

    def status(self) -> str:
        """creating, created, running, paused or stopped, by asking the kernel."""
        if self.document["stage"] == "creating":
            maker = process_state(self.document["maker"], self.document["makerStart"])
            return "creating" if maker not in ("", "Z", "X", "x") else "stopped"
        if not self.alive():
            return "stopped"
        if self.frozen():
            return "paused"
        if self.document["stage"] == "created" and waits(self.start_socket):
            return "created"
        return "running"

    def frozen(self) -> bool:
        """Is its group frozen? A host without a freezer freezes nothing."""
        try:
            return self.group().frozen()
        except (LabError, KeyError):
            return False

    def report(self) -> dict[str, Any]:
        """The state as `state` and `list` print it, and hooks are told: runc's keys and order."""
        status = self.status()
        known = self.document
        told = {"ociVersion": VERSION, "id": self.id,
                "pid": 0 if status == "stopped" else self.pid, "status": status,
                "bundle": known["bundle"], "rootfs": known["rootfs"], "created": known["created"]}
        if known.get("annotations"):
            told["annotations"] = known["annotations"]
        return {**told, "owner": owner(self.directory)}

    def remove(self) -> None:
        """Take the directory away; state.json last but one, so that half of it is still ours."""
        for name in sorted(os.listdir(self.directory), key=lambda each: each == "state.json"):
            files.unlink(f"{self.directory}/{name}")
        files.rmdir(self.directory)


def waits(path: str) -> bool:
    """Does init still wait behind its socket?

    Asked by connecting: the listener is close-on-exec, so it is gone exactly when the program runs,
    whatever became of the `start` that said the word. Init takes a caller without a word for none.
    """
    caller = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    try:
        connect(caller, path)
    except OSError:
        return False
    finally:
        caller.close()
    return True


def connect(caller: _socket.socket, path: str) -> None:
    """connect(2), by way of the directory's descriptor: a path may be longer than 107 bytes."""
    folder, name = os.path.split(path)
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        caller.connect(f"/proc/self/fd/{fd}/{name}")
    finally:
        os.close(fd)


class Lock:
    """Hold a container against others who would change it: `with Lock(container):`."""

    __slots__ = ("container", "fd")

    def __init__(self, container: Container) -> None:
        self.container, self.fd = container, -1

    def __enter__(self) -> None:
        try:
            self.fd = os.open(self.container.directory,
                              os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise missing() from None
        self.take()
        # Deleted while we waited, and perhaps made again by the same name: not the one we mean.
        if os.fstat(self.fd).st_nlink == 0:
            self.release()
            raise missing()

    def take(self) -> None:
        """flock(2), for a while: a start may be held in the slow motion for as long as it likes."""
        deadline = time.monotonic() + LOCK_PATIENCE_S
        while True:
            try:
                return fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    self.release()
                    raise Conflict(f"container {self.container.id} is busy",
                                   "another command holds it") from None
            time.sleep(0.005)

    def release(self) -> None:
        """Let go; a child that has the descriptor too must not keep the lock for us."""
        fcntl.flock(self.fd, fcntl.LOCK_UN)
        os.close(self.fd)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.release()


def missing() -> NotFound:
    """runc's sentence, which podman and containerd look for."""
    return NotFound("container does not exist")


def check_id(ident: str) -> str:
    """The id, if it can be one. Raises Invalid in runc's words."""
    if not ident or ident in (".", "..") or ident.strip(LETTERS):
        raise Invalid("invalid container ID format")
    return ident


def load(root: str, ident: str) -> Container:
    """The container of this id. Raises NotFound; a directory without a state is none yet."""
    directory = f"{root}/{check_id(ident)}"
    try:
        document = documents.read(f"{directory}/state.json")
    except (FileNotFoundError, NotADirectoryError):
        raise missing() from None
    return Container(ident, directory, document)


def every(root: str) -> list[Container]:
    """All containers of this root, by id. One that goes away meanwhile is left out."""
    found = []
    for name in sorted(os.listdir(root)) if os.path.isdir(root) else ():
        try:
            found.append(load(root, name))
        except LabError:
            continue
    return found


def claim(root: str, ident: str, known: dict[str, Any]) -> Container:
    """A new container's directory. Raises Conflict where the id is in use."""
    directory = f"{root}/{check_id(ident)}"
    os.makedirs(root, 0o700, exist_ok=True)
    try:
        files.mkdir(directory, 0o700)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
        raise Conflict("container with given ID already exists") from None
    me = os.getpid()
    return Container(ident, directory, {
        "id": ident, "stage": "creating", "pid": 0, "pidStart": 0, "maker": me,
        "makerStart": processes.start_ticks(me), "created": now(), "grouped": False, **known})


def now() -> str:
    """RFC 3339 with nanoseconds: "2026-11-24T15:43:42.123456789Z"."""
    moment = time.time_ns()
    return (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment // 10**9))
            + f".{moment % 10**9:09d}Z")


def owner(path: str) -> str:
    """The name of the user whose the directory is; the number where it has none."""
    uid = os.stat(path).st_uid
    for line in (files.read("/etc/passwd") or "").splitlines():
        name, _, rest = line.partition(":")
        if rest.split(":")[1:2] == [str(uid)]:
            return name
    return str(uid)


def filters(root: str) -> str:
    """Where compiled seccomp filters are kept."""
    return f"{root}/{FILTERS}"
