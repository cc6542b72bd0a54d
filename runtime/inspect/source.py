"""Where values come from: the live host, or a recording of one.

Runs in the caller's process (TUI, course, command line) and only ever reads. Everything in
`inspect/` goes through a `Source`, so that a recording replays a lesson without root, and a check
is a unit test. A path that is not there, or whose process died between two reads, is `Gone`;
one that this user may not read is `Denied`.

Recording, one JSON document (text, listing, or a dict of what is known of the path):
  {"/proc/7/comm": "hog\n", "/proc": ["1", "7"], "/proc/7/ns/pid": {"link": "pid:[4026531836]"}}
or several moments, one a line, each with only what changed (null: it is gone):
  {"at": 0.0, "files": {"/proc/7/comm": "hog\n"}}
  {"at": 1.5, "files": {"/proc/7/comm": null}}
Source: proc(5).
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from runtime.errors import Denied as Denied  # half of what a read may raise; Gone is the other
from runtime.errors import Invalid, KernelError, NotFound

T = TypeVar("T")


class Gone(NotFound):
    """The path is not there, or its process has died meanwhile."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What lstat(2) says of a path; `device` of a device node is (major, minor), else (0, 0)."""

    mode: int
    inode: int
    device: tuple[int, int]
    filesystem: int
    uid: int
    gid: int
    size_bytes: int
    links: int
    modified_s: float


class Source(Protocol):
    """What every function of `inspect/` reads through. Each method raises Gone or Denied."""

    def read(self, path: str) -> str:
        """The whole text of a file."""

    def readlink(self, path: str) -> str:
        """The target of a symbolic link, such as `pid:[4026531836]`."""

    def listdir(self, path: str) -> list[str]:
        """The names in a directory, sorted."""

    def exists(self, path: str) -> bool:
        """Whether the path is there; raises nothing."""

    def lstat(self, path: str) -> Stat:
        """What the path itself is, links not followed."""

    def stat_inode(self, path: str) -> int:
        """The inode number behind the path, links followed."""

    def lxattr(self, path: str, name: str) -> bytes | None:
        """An extended attribute of the path itself; None when it has no such attribute."""

    def hostname(self, pid: int) -> str:
        """The host name in the UTS namespace of a process."""

    def now(self) -> float:
        """Seconds since the epoch at the moment that is being read."""


# A process that ends while we read gives ESRCH from read(2) of an open file, ENOENT else. ENOTDIR
# is a path below something that became a file; EINVAL is readlink of what is no link; EOPNOTSUPP
# is a pressure file on a kernel that was booted without PSI.
_GONE = {errno.ENOENT, errno.ESRCH, errno.ENOTDIR, errno.ENODEV, errno.ENXIO, errno.EINVAL,
         errno.EOPNOTSUPP}
_DENIED = {errno.EACCES, errno.EPERM}
_NO_ATTRIBUTE = {errno.ENODATA, errno.EOPNOTSUPP}


def _translate(doing: str, path: str, error: OSError) -> Exception:
    number = error.errno or 0
    if number in _GONE:
        return Gone(f"{doing} {path}: not there")
    if number in _DENIED:
        return Denied(f"{doing} {path}: not allowed", "the owner or root may")
    return KernelError(doing, number, path)


class Live:
    """The host we run on, now."""

    def read(self, path: str) -> str:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                return _read_all(fd).decode(errors="replace")
            finally:
                os.close(fd)
        except OSError as error:
            raise _translate("read", path, error) from None

    def readlink(self, path: str) -> str:
        return self._ask("read link", path, os.readlink)

    def listdir(self, path: str) -> list[str]:
        return sorted(self._ask("list", path, os.listdir))

    def exists(self, path: str) -> bool:
        return os.path.lexists(path)

    def lstat(self, path: str) -> Stat:
        it = self._ask("stat", path, os.lstat)
        return Stat(it.st_mode, it.st_ino, (os.major(it.st_rdev), os.minor(it.st_rdev)), it.st_dev,
                    it.st_uid, it.st_gid, it.st_size, it.st_nlink, it.st_mtime)

    def stat_inode(self, path: str) -> int:
        return self._ask("stat", path, os.stat).st_ino

    def lxattr(self, path: str, name: str) -> bytes | None:
        try:
            return os.getxattr(path, name, follow_symlinks=False)
        except OSError as error:
            if error.errno in _NO_ATTRIBUTE:
                return None
            raise _translate("read attribute of", path, error) from None

    def hostname(self, pid: int) -> str:
        from runtime.inspect.hostname import hostname_of

        return self._ask("read host name of", f"/proc/{pid}/ns/uts", hostname_of)

    def now(self) -> float:
        return time.time()

    def _ask(self, doing: str, path: str, call: Callable[[str], T]) -> T:
        try:
            return call(path)
        except OSError as error:
            raise _translate(doing, path, error) from None


def _read_all(fd: int) -> bytes:
    # One large read keeps a small /proc file consistent: it is made anew for each read(2).
    pieces = [os.read(fd, 1 << 16)]
    while pieces[-1]:
        pieces.append(os.read(fd, 1 << 16))
    return b"".join(pieces)


Entry = str | list[str] | dict[str, Any] | None


class Recording:
    """What a host looked like at one or several moments; `at` gives the same at another one."""

    def __init__(self, files: Mapping[str, Entry] | str | Path, now: float = 0.0) -> None:
        if isinstance(files, Mapping):
            self._moments: list[tuple[float, Mapping[str, Entry]]] = [(now, files)]
        else:
            self._moments = _load(Path(files))
        self._files: dict[str, Entry] = {}
        self._now = now
        self._go_to(self._moments[-1][0])

    @property
    def moments(self) -> tuple[float, ...]:
        """The seconds at which something was recorded, in order."""
        return tuple(at for at, _ in self._moments)

    def at(self, seconds: float) -> Recording:
        """The recording as it stood at that second: the last moment not after it."""
        other = Recording({})
        other._moments = self._moments
        other._go_to(seconds)
        return other

    def changed(self, files: Mapping[str, Entry]) -> Recording:
        """The recording as it stands, with some files replaced (None: not there)."""
        return Recording(self._files | dict(files), self._now)

    def _go_to(self, seconds: float) -> None:
        self._files, self._now = {}, seconds
        for at, files in self._moments:
            if at <= seconds:
                self._files.update(files)

    def read(self, path: str) -> str:
        return str(self._part("read", path, "text"))

    def readlink(self, path: str) -> str:
        return str(self._part("read link", path, "link"))

    def listdir(self, path: str) -> list[str]:
        return sorted(self._part("list", path, "list"))

    def exists(self, path: str) -> bool:
        entry = self._files.get(path)
        return entry is not None and not (isinstance(entry, dict) and entry.get("gone"))

    def lstat(self, path: str) -> Stat:
        data = dict(self._part("stat", path, "stat"))
        data["device"] = tuple(data["device"])
        return Stat(**data)

    def stat_inode(self, path: str) -> int:
        return int(self._part("stat", path, "inode"))

    def lxattr(self, path: str, name: str) -> bytes | None:
        if not self.exists(path):
            raise Gone(f"read attribute of {path}: not there")
        entry = self._files[path]
        value = entry.get("xattr", {}).get(name) if isinstance(entry, dict) else None
        return None if value is None else bytes.fromhex(value)

    def hostname(self, pid: int) -> str:
        return str(self._part("read host name of", f"/proc/{pid}/ns/uts", "hostname"))

    def now(self) -> float:
        return self._now

    def _part(self, doing: str, path: str, part: str) -> Any:
        entry = self._files.get(path)
        if isinstance(entry, str) and part == "text" or isinstance(entry, list) and part == "list":
            return entry
        if isinstance(entry, dict):
            if part in entry:
                return entry[part]
            if entry.get("denied"):
                raise Denied(f"{doing} {path}: not allowed", "the owner or root may")
        raise Gone(f"{doing} {path}: not there")


def _load(path: Path) -> list[tuple[float, Mapping[str, Entry]]]:
    try:
        text = path.read_text()
        lines = text.splitlines() if path.suffix == ".jsonl" else [text]
        documents = [json.loads(line) for line in lines if line.strip()]
    except ValueError as error:
        raise Invalid(f"read recording {path}: {error}", "not a whole JSON document") from None
    return [(d["at"], d["files"]) if set(d) == {"at", "files"} else (0.0, d) for d in documents]


class Recorder:
    """A source that keeps all that is read through it, for `save`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._start = source.now()
        self._moments: list[tuple[float, dict[str, dict[str, Any]]]] = [(0.0, {})]

    def mark(self) -> None:
        """Begin the next moment: what is read from here on is kept as of now."""
        self._moments.append((round(self._source.now() - self._start, 3), {}))

    def save(self, path: str | Path) -> None:
        """Write the recording: .jsonl with every moment; anything else the last state alone."""
        path = Path(path)
        documents = [{"at": at, "files": _plain(files)} for at, files in self._moments]
        if path.suffix == ".jsonl":
            path.write_text("".join(json.dumps(d, ensure_ascii=False) + "\n" for d in documents))
            return
        whole: dict[str, Entry] = {}
        for _, files in self._moments:
            whole.update(_plain(files))
        path.write_text(json.dumps(whole, ensure_ascii=False, indent=0, sort_keys=True) + "\n")

    def read(self, path: str) -> str:
        return self._keep(path, "text", lambda: self._source.read(path))

    def readlink(self, path: str) -> str:
        return self._keep(path, "link", lambda: self._source.readlink(path))

    def listdir(self, path: str) -> list[str]:
        return self._keep(path, "list", lambda: self._source.listdir(path))

    def exists(self, path: str) -> bool:
        there = self._source.exists(path)
        self._entry(path).update({} if there else {"gone": True})
        return there

    def lstat(self, path: str) -> Stat:
        return Stat(**self._keep(path, "stat", lambda: asdict(self._source.lstat(path))))

    def stat_inode(self, path: str) -> int:
        return self._keep(path, "inode", lambda: self._source.stat_inode(path))

    def lxattr(self, path: str, name: str) -> bytes | None:
        value = self._source.lxattr(path, name)
        kept = self._entry(path).setdefault("xattr", {})
        kept[name] = None if value is None else value.hex()
        return value

    def hostname(self, pid: int) -> str:
        path = f"/proc/{pid}/ns/uts"
        return self._keep(path, "hostname", lambda: self._source.hostname(pid))

    def now(self) -> float:
        return self._source.now()

    def _entry(self, path: str) -> dict[str, Any]:
        return self._moments[-1][1].setdefault(path, {})

    def _keep(self, path: str, part: str, call: Callable[[], T]) -> T:
        entry = self._entry(path)
        try:
            value = call()
        except Gone:
            # A file asked for as a link is there all the same.
            entry.update({} if self._source.exists(path) else {"gone": True})
            raise
        except Denied:
            entry["denied"] = True
            raise
        entry[part] = value
        return value


def _plain(files: Mapping[str, dict[str, Any]]) -> dict[str, Entry]:
    """The short form: a text alone as a string, a listing alone as a list, gone as null."""
    return {path: _shortest(entry) for path, entry in files.items()}


def _shortest(entry: dict[str, Any]) -> Entry:
    if entry.get("gone"):
        return None
    if set(entry) == {"text"}:
        return str(entry["text"])
    if set(entry) == {"list"}:
        return list(entry["list"])
    return entry


def record(source: Source) -> Recorder:
    """The same source, keeping everything that is read through it."""
    return Recorder(source)


def text(source: Source, path: str) -> str | None:
    """The text of a file, or None when it is gone or not ours to read."""
    try:
        return source.read(path)
    except (Gone, Denied):
        return None


def link(source: Source, path: str) -> str | None:
    """The target of a link, or None when it is gone or not ours to read."""
    try:
        return source.readlink(path)
    except (Gone, Denied):
        return None


def names(source: Source, path: str) -> list[str]:
    """The names in a directory; none when it is gone or not ours to read."""
    try:
        return source.listdir(path)
    except (Gone, Denied):
        return []
