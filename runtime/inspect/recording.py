"""A recording of a host, read like the host itself; and the recorder that makes one.

In the caller's process; no path of this host is read except the recording's own file. One JSON
document gives a text, a listing, or a dict of what is known of the path (null: it is gone):
  {"/proc/7/comm": "hog\n", "/proc": ["1", "7"], "/proc/7/ns/pid": {"link": "pid:[4026531836]"}}
or JSON lines give several moments, each with only what changed since:
  {"at": 0.0, "files": {"/proc/7/comm": "hog\n"}}
  {"at": 1.5, "files": {"/proc/7/comm": null}}
What was not recorded is Gone, as on a host that does not have it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from runtime.errors import Invalid
from runtime.inspect.reading import Denied, Gone, Source, Stat

T = TypeVar("T")

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

    def links(self, path: str) -> list[dict[str, Any]]:
        return list(self._part("list the links of", path, "links"))

    def ns_related(self, path: str, relation: str) -> int:
        return int(self._part(f"read {relation} of", path, relation))

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

    def links(self, path: str) -> list[dict[str, Any]]:
        return self._keep(path, "links", lambda: self._source.links(path))

    def ns_related(self, path: str, relation: str) -> int:
        return self._keep(path, relation, lambda: self._source.ns_related(path, relation))

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
