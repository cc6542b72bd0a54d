"""Where containers are kept, and what is known of one.

Runs in whoever embeds the engine. Every file is replaced whole; a lock per container keeps two
commands apart; a state that outlived its shim (killed, or the host went down) is put right by the
next one who looks. Under the root:

    containers/<id>/container.json   what was asked for, in Docker's words, never changed
    containers/<id>/state.json       how it stands; the shim's while it lives
    names/<name>                     the id; made with O_EXCL, so a name has one owner
"""

from __future__ import annotations

import fcntl
import os

from runtime import documents
from runtime.errors import Conflict, Invalid, KernelError, NotFound
from runtime.kernel import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

DEFAULT_ROOT = "/var/lib/container-lab"
DEFAULT_RUN = "/run/container-lab"
ZERO_TIME = "0001-01-01T00:00:00Z"
LIVE = ("running", "paused", "restarting")


class Places:
    """The directories of one lab. Two roots share nothing, not even control groups."""

    __slots__ = ("root", "run", "group")

    def __init__(self, root: str | None = None) -> None:
        root = root or os.environ.get("CONTAINER_LAB_ROOT") or DEFAULT_ROOT
        self.root = os.path.abspath(root)
        if self.root == DEFAULT_ROOT:
            self.run, self.group = DEFAULT_RUN, "/container-lab"
        else:
            self.run = f"{self.root}/run"
            self.group = f"/container-lab-{documents.digest(self.root.encode())[:8]}"

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
                              "run as root, or choose another with --root DIR") from None


class Container:
    """One container: fixed facts from container.json, the state read at every look."""

    __slots__ = ("id", "name", "directory", "config", "places")

    def __init__(self, places: Places, ident: str) -> None:
        self.places, self.id = places, ident
        self.directory = places.container(ident)
        try:
            self.config: dict[str, Any] = documents.read(f"{self.directory}/container.json")
        except FileNotFoundError:
            raise NotFound(f"No such container: {ident}") from None
        self.name: str = self.config["Name"].lstrip("/")

    @property
    def state(self) -> dict[str, Any]:
        """state.json as it is now, put right if its shim is gone."""
        state = read_state(self.directory)
        if state["Status"] in LIVE and not processes.alive(state["ShimPid"], state["ShimStart"]):
            state = self.put_right()
        return state

    def put_right(self) -> dict[str, Any]:
        """The shim was killed: end what it left, and write down that it ended so."""
        from runtime.engine import repair

        return repair.after_lost_shim(self)

    @property
    def cgroup(self) -> str:
        """The path of its control group, the same in every hierarchy."""
        return f"{self.places.group}/{self.name}"

    @property
    def run(self) -> str:
        """The directory of the shim's socket."""
        return f"{self.places.run}/{self.id}"

    @property
    def log_path(self) -> str:
        """The json-file log."""
        return f"{self.directory}/{self.id}-json.log"

    @property
    def status(self) -> str:
        """created, running, paused or exited."""
        return str(self.state["Status"])

    @property
    def pid(self) -> int:
        """The pid of the first process, as the host counts; 0 when there is none."""
        return int(self.state["Pid"])

    @property
    def exit_code(self) -> int:
        """The exit code of the last run; 0 before there was one."""
        return int(self.state["ExitCode"])

    @property
    def oom_killed(self) -> bool:
        """Did the kernel's counter show an OOM kill in the last run?"""
        return bool(self.state["OOMKilled"])

    def write_state(self, state: dict[str, Any]) -> None:
        """Replace state.json; only while no shim lives."""
        documents.write(f"{self.directory}/state.json", state)


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
        return state
    except (Invalid, FileNotFoundError) as error:
        return {**first_state(), "Status": "dead", "Error": str(error)}


class Lock:
    """One command at a time on a container: an flock on its directory, let go by any death."""

    __slots__ = ("directory", "fd")

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.fd = -1

    def __enter__(self) -> None:
        try:
            self.fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotFound(f"No such container: {os.path.basename(self.directory)}") from None
        fcntl.flock(self.fd, fcntl.LOCK_EX)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        os.close(self.fd)


# ------------------------------------------------------------------ names

LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
ADJECTIVES = ("amber brave calm clever cosy eager early fair fond gentle glad happy keen kind light "
              "lively merry mild neat nimble plain proud quick quiet sharp sunny swift tidy warm "
              "wise").split()
# People without whom there would be nothing to contain.
PEOPLE = ("allen bach corbato dijkstra goldberg hamilton hopper kernighan kilburn knuth lamport "
          "liskov lovelace mcilroy perlman pike rashid ritchie sammet saltzer strachey tanenbaum "
          "thompson torvalds turing wilkes wirth").split()


def check_name(name: str) -> str:
    """The name, if Docker would take it. Raises Invalid in Docker's words."""
    bare = name.removeprefix("/")
    if len(bare) < 2 or bare[0] not in LETTERS or not set(bare) <= LETTERS | set("_.-"):
        raise Invalid(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    return bare


def claim_name(places: Places, name: str | None, ident: str) -> str:
    """Take a name for the container, or find a free one. Raises Invalid, Conflict."""
    if name is not None:
        bare = check_name(name)
        if not _claim(places, bare, ident):
            owner = documents_text(f"{places.root}/names/{bare}")
            raise Conflict(f'Conflict. The container name "/{bare}" is already in use by container '
                           f'"{owner}". You have to remove (or rename) that container to be able '
                           "to reuse that name.")
        return bare
    for attempt in range(100):
        number = int.from_bytes(os.urandom(4), "big")
        bare = f"{ADJECTIVES[number % len(ADJECTIVES)]}_{PEOPLE[number // 64 % len(PEOPLE)]}"
        bare += str(attempt) if attempt > 3 else ""
        if _claim(places, bare, ident):
            return bare
    raise Conflict("find a free name: a hundred were taken", "give one with --name")


def _claim(places: Places, name: str, ident: str) -> bool:
    path = f"{places.root}/names/{name}"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        owner = documents_text(path)
        # A create that was killed between name and container left a name nobody answers to.
        if owner and os.path.isdir(places.container(owner)):
            return False
        documents.replace_file(path, ident.encode())
        return True
    try:
        os.write(fd, ident.encode())
    finally:
        os.close(fd)
    return True


def documents_text(path: str) -> str:
    """The text of a small file, "" if there is none."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


# ------------------------------------------------------------------ finding

def find(places: Places, reference: str) -> Container:
    """The container of this name, id, or prefix of an id that only one has. Raises NotFound."""
    bare = reference.removeprefix("/")
    if len(bare) == 64 and os.path.isdir(places.container(bare)):
        return Container(places, bare)
    if bare and "/" not in bare:
        owner = documents_text(f"{places.root}/names/{bare}")
        if owner and os.path.isdir(places.container(owner)):
            return Container(places, owner)
    matches = [ident for ident in idents(places) if bare and ident.startswith(bare)]
    if not matches:
        raise NotFound(f"No such container: {reference}")
    if len(matches) > 1:
        raise Invalid(f"multiple IDs found with provided prefix: {reference}")
    return Container(places, matches[0])


def idents(places: Places) -> list[str]:
    """The ids of all containers, in no order."""
    try:
        return [name for name in os.listdir(f"{places.root}/containers") if len(name) == 64]
    except FileNotFoundError:
        return []


def every(places: Places) -> list[Container]:
    """All containers, the newest first. One that is just being made or removed is left out."""
    found = []
    for ident in idents(places):
        try:
            found.append(Container(places, ident))
        except (NotFound, Invalid, KeyError):
            continue
    found.sort(key=lambda container: str(container.config["Created"]), reverse=True)
    return found
