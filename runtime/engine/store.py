"""Where containers are kept, and how one stands.

Runs in whoever embeds the engine. Every file is replaced whole; a lock per container keeps two
commands apart. Under the root:

    containers/<id>/container.json   what was asked for, in Docker's words, never changed
    containers/<id>/state.json       how it stands; the shim's while it lives
    names/<name>                     the id of the one container of that name (names.py)
"""

from __future__ import annotations

import fcntl
import os

from runtime import documents
from runtime.errors import Invalid, KernelError, NotFound
from runtime.kernel import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

DEFAULT_ROOT = "/var/lib/container-lab"
DEFAULT_RUN = "/run/container-lab"
ZERO_TIME = "0001-01-01T00:00:00Z"
LIVE = ("running", "paused", "restarting")


def default_root() -> str:
    """The state directory when none is named; a user without root has one of his own.

    Source: XDG Base Directory Specification, $XDG_DATA_HOME.
    """
    if os.geteuid() == 0:
        return DEFAULT_ROOT
    home = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return f"{os.path.realpath(home)}/container-lab"


class Places:
    """The directories of one lab. Two roots share nothing, not even control groups.

    `rootless`: of a user without root; his group is below one that is his (cgroup/delegation.py).
    """

    __slots__ = ("root", "run", "group", "rootless")

    def __init__(self, root: str | None = None) -> None:
        root = root or os.environ.get("CONTAINER_LAB_ROOT") or default_root()
        self.root = os.path.abspath(root)
        self.rootless = os.geteuid() != 0
        if self.root == DEFAULT_ROOT:
            self.run, self.group = DEFAULT_RUN, "/container-lab"
        else:
            # One directory is one lab, by whatever links one comes to it.
            self.root = os.path.realpath(self.root)
            self.run = f"{self.root}/run"
            self.group = f"/container-lab-{documents.digest(self.root.encode())[:8]}"
        if self.rootless:
            from runtime.engine import rootless

            rootless.place(self, self.root == default_root())

    def container(self, ident: str) -> str:
        """The directory of a container, which is also its OCI bundle."""
        return f"{self.root}/containers/{ident}"

    def make(self) -> None:
        """Make the root. Raises KernelError with what to do about it."""
        try:
            for name in ("containers", "names", "cache"):
                os.makedirs(f"{self.root}/{name}", 0o711, exist_ok=True)
        except OSError as error:
            raise KernelError("make the state directory", error.errno or 0, self.root,
                              "choose another with --root DIR") from None


def first_state() -> dict[str, Any]:
    """The state of a container that was never started."""
    return {"Status": "created", "Pid": 0, "PidStart": 0, "ShimPid": 0, "ShimStart": 0,
            "StartedAt": ZERO_TIME, "FinishedAt": ZERO_TIME, "ExitCode": 0, "OOMKilled": False,
            "Error": "", "Signal": 0}


def read_state(directory: str) -> dict[str, Any]:
    """state.json; one that is missing or cut short counts as dead, and says so.

    The container itself is not lost by it: rm and clean still find everything by its directory.
    """
    try:
        state: dict[str, Any] = documents.read(f"{directory}/state.json")
        # Every field is there, whatever was written: a document from elsewhere may lack some.
        return {**first_state(), **state}
    except (Invalid, TypeError) as error:
        return {**first_state(), "Status": "dead", "Error": str(error)}
    except (FileNotFoundError, NotADirectoryError):
        return {**first_state(), "Status": "dead", "Error": f"read {directory}/state.json: "
                "no such file"}


def lost(state: dict[str, Any]) -> bool:
    """Does the state speak of a shim that is gone?"""
    return state["Status"] in LIVE and not runs(state["ShimPid"], state["ShimStart"])


def runs(pid: int, ticks: int) -> bool:
    """Is the process (pid, start time) there and not a zombie, which does nothing any more?

    A shim may have been forked by a program that lives on and does not wait for it.
    """
    return processes.alive(pid, ticks) and ") Z " not in text(f"/proc/{pid}/stat")


class Lock:
    """One command at a time on a container: an flock on its directory, let go by any death."""

    __slots__ = ("directory", "fd")

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.fd = -1

    def __enter__(self) -> None:
        try:
            self.fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            raise self.gone() from None
        fcntl.flock(self.fd, fcntl.LOCK_EX)
        # Who had it before may have removed the directory: then this locks what nobody sees.
        if os.fstat(self.fd).st_nlink == 0:
            os.close(self.fd)
            raise self.gone()

    def gone(self) -> NotFound:
        """The container was removed meanwhile."""
        return NotFound(f"No such container: {os.path.basename(self.directory)}")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        os.close(self.fd)


def idents(places: Places) -> list[str]:
    """The ids of all containers, in no order."""
    try:
        return [name for name in os.listdir(f"{places.root}/containers") if len(name) == 64]
    except FileNotFoundError:
        return []


def name_of(places: Places, ident: str) -> str:
    """The name of a container whose own file does not tell it; the beginning of its id if none."""
    try:
        names = os.listdir(f"{places.root}/names")
    except FileNotFoundError:
        names = []
    owned = [name for name in names if text(f"{places.root}/names/{name}") == ident]
    return owned[0] if owned else ident[:12]


def text(path: str) -> str:
    """The text of a small file, "" if there is none."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
