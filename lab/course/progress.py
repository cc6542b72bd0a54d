"""What the student has done, on disk: the state of now, and the story of how it came to be.

    progress.json    {"format": 1, "student": "9f…", "last": "oom-137",
                      "lessons": {"oom-137": {"done_ns": 0, "attempt": {…}}}}
    attempts.jsonl   one line for each thing that happened, each with the hash of the line before it

Kept under ROOT/progress when the state has a root, else in $XDG_STATE_HOME/container-lab. Replaced
whole, under a lock, so that the screen and a command line may both write, and a crash loses at most
the last key press. A file that was cut short is set aside, and what it knew is rebuilt from the
story. The hash chain shows tampering by accident; who owns the files can forge them: it is
tamper-evident, not tamper-proof.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.course.attempt import Attempt
from runtime import documents
from runtime.errors import Invalid

FORMAT = 1
START = "0" * 64


def folder(root: str | None = None) -> Path:
    """Where progress is kept: ROOT/progress, or the user's state directory."""
    root = root or os.environ.get("CONTAINER_LAB_ROOT")
    if root:
        return Path(root) / "progress"
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(state) / "container-lab"


class Progress:
    """What the student has done in every lesson. `notice` is one line to show, or nothing."""

    def __init__(self, directory: Path, data: dict[str, Any], notice: str = "") -> None:
        self.directory = directory
        self.notice = notice
        self._data = data

    @classmethod
    def load(cls, root: str | None = None) -> Progress:
        """Read what is kept; a damaged file is set aside, never lost and never a traceback."""
        directory = folder(root)
        path = directory / "progress.json"
        notice = ""
        try:
            data = _valid(documents.read(str(path)), str(path))
        except FileNotFoundError:
            data, notice = _rebuilt(directory)
        except OSError as error:
            data = _empty()
            notice = f"read {path}: {(error.strerror or '').lower()} (progress starts empty)"
        except Invalid:
            aside = _set_aside(path)
            data, rebuilt = _rebuilt(directory)
            notice = f"{path} was damaged and is set aside as {aside}; " + (
                rebuilt or "there was no story to rebuild it from")
        return cls(directory, data, notice)

    @property
    def student(self) -> str:
        """The id that seeds the values; made once, says nothing about the person."""
        return str(self._data["student"])

    def last(self) -> str | None:
        """The lesson touched last, for `continue`."""
        return self._data.get("last") or None

    def state(self, lesson_id: str) -> str:
        """"new", "open", "seen" or "done": seen is at the end, with steps that were skipped.

        Done stays done when the lesson is played again.
        """
        entry = self._data["lessons"].get(lesson_id, {})
        if entry.get("done_ns"):
            return "done"
        attempt = self.attempt(lesson_id)
        if attempt is not None and attempt.finished:
            return "seen"
        begun = attempt is not None and (attempt.index > 0 or any(
            record.passed or record.prediction for record in attempt.steps.values()))
        return "open" if begun else "new"

    def step(self, lesson_id: str) -> int:
        """The index of the step to go on with."""
        attempt = self.attempt(lesson_id)
        return attempt.index if attempt else 0

    def skipped(self, lesson_id: str) -> int:
        """How many steps were passed over in the attempt that is open, or was the last."""
        attempt = self.attempt(lesson_id)
        return attempt.skipped if attempt else 0

    def attempt(self, lesson_id: str) -> Attempt | None:
        """The attempt that is open, or was finished last."""
        kept = self._data["lessons"].get(lesson_id, {}).get("attempt")
        return Attempt.from_data(kept) if kept else None

    def values_elsewhere(self, lesson_id: str) -> set[str]:
        """Every value of the other lessons' attempts, among them the names they use."""
        return {value for name, entry in self._data["lessons"].items() if name != lesson_id
                for value in (entry.get("attempt") or {}).get("vars", {}).values()}

    def keep(self, attempt: Attempt) -> None:
        """Write the attempt. A disk that is full is a notice, not the end of the lesson."""
        try:
            with self._locked():
                self._refresh()
                entry = self._data["lessons"].setdefault(attempt.lesson, {"done_ns": 0})
                entry["attempt"] = attempt.to_data()
                if attempt.finished and not attempt.skipped and not entry["done_ns"]:
                    entry["done_ns"] = time.time_ns()
                self._data["last"] = attempt.lesson
                documents.write(str(self.directory / "progress.json"), self._data, durable=True)
        except OSError as error:
            self.notice = f"keep progress in {self.directory}: {(error.strerror or '').lower()}"

    def tell(self, attempt: Attempt, step_id: str, what: str, **detail: Any) -> None:
        """Add one line to the story, chained to the line before it."""
        line = {"time_ns": time.time_ns(), "student": self.student, "lesson": attempt.lesson,
                "attempt": attempt.number, "step": step_id, "what": what, "detail": detail}
        path = self.directory / "attempts.jsonl"
        try:
            with self._locked():
                _end_last_line(path)
                line["previous"] = _last_hash(path)
                line["hash"] = chain_hash(line)
                documents.append_line(str(path), line)
        except OSError as error:
            self.notice = f"keep progress in {self.directory}: {(error.strerror or '').lower()}"

    def _refresh(self) -> None:
        """Take over what another process wrote meanwhile to the other lessons."""
        try:
            self._data = _valid(documents.read(str(self.directory / "progress.json")), "")
        except (FileNotFoundError, Invalid):
            return

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.directory.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def verify(directory: Path) -> list[str]:
    """What is wrong with the story, one sentence for each line that does not fit; [] is good."""
    wrong, previous = [], START
    try:
        lines = (directory / "attempts.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    for number, text in enumerate(lines, 1):
        try:
            line = documents.parse(text)
        except ValueError:
            wrong.append(f"attempts.jsonl:{number}: cut short")
            continue
        if not isinstance(line, dict) or line.get("previous") != previous:
            wrong.append(f"attempts.jsonl:{number}: a line before it is missing or changed")
        if isinstance(line, dict) and line.get("hash") != chain_hash(line):
            wrong.append(f"attempts.jsonl:{number}: changed after it was written")
        previous = line.get("hash", "") if isinstance(line, dict) else ""
    return wrong


def chain_hash(line: dict[str, Any]) -> str:
    """The hash of a line of the story: of everything in it, the previous hash among it."""
    content = {key: line[key] for key in sorted(line) if key != "hash"}
    return documents.digest(documents.encode(content).encode())


def _empty() -> dict[str, Any]:
    return {"format": FORMAT, "student": uuid.uuid4().hex[:12], "last": "", "lessons": {}}


def _valid(data: Any, path: str) -> dict[str, Any]:
    """The data, if it has the shape that this program writes. Raises Invalid."""
    if not isinstance(data, dict) or not isinstance(data.get("lessons"), dict) \
            or not isinstance(data.get("student"), str) or data.get("format") != FORMAT:
        raise Invalid(f"read {path}: not the progress of a student")
    try:
        for entry in data["lessons"].values():
            if entry.get("attempt"):
                Attempt.from_data(entry["attempt"])
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Invalid(f"read {path}: an attempt in it makes no sense") from None
    return data


def _set_aside(path: Path) -> Path:
    for number in range(1, 1000):
        aside = path.with_name(f"{path.name}.damaged-{number}")
        if not aside.exists():
            break
    try:
        path.rename(aside)
    except OSError:
        return path
    return aside


def _rebuilt(directory: Path) -> tuple[dict[str, Any], str]:
    """The state as far as the story tells it, and a line that says so."""
    data = _empty()
    lines = documents.read_lines(str(directory / "attempts.jsonl"))
    for line in lines:
        if isinstance(line, dict) and isinstance(line.get("lesson"), str):
            _retell(data, line)
    names = ", ".join(data["lessons"])
    return data, f"rebuilt from attempts.jsonl: {names}" if names else ""


def _retell(data: dict[str, Any], line: dict[str, Any]) -> None:
    entry = data["lessons"].setdefault(line["lesson"], {"done_ns": 0})
    detail, step = line.get("detail", {}), line.get("step", "")
    data["student"], data["last"] = line.get("student", data["student"]), line["lesson"]
    if line["what"] == "began":
        entry["attempt"] = Attempt(line["lesson"], line["attempt"], line["time_ns"],
                                   detail.get("vars", {})).to_data()
    if "attempt" not in entry:
        return
    attempt = Attempt.from_data(entry["attempt"])
    record = attempt.record(step) if step else None
    if record and line["what"] in ("passed", "skipped"):
        record.passed, record.skipped = line["what"] == "passed", line["what"] == "skipped"
        attempt.index = int(detail.get("next", attempt.index))
    if record and line["what"] == "predicted":
        record.prediction, record.sure = detail.get("option", ""), detail.get("sure", "")
    if line["what"] == "finished":
        attempt.finished = True
    if attempt.finished and not attempt.skipped and not entry["done_ns"]:
        entry["done_ns"] = line["time_ns"]
    entry["attempt"] = attempt.to_data()


def _end_last_line(path: Path) -> None:
    """Close a line that a crash cut short, so that the next one starts on its own."""
    try:
        with open(path, "rb+") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
    except FileNotFoundError:
        return


def _last_hash(path: Path) -> str:
    lines = documents.read_lines(str(path))
    return str(lines[-1].get("hash", START)) if lines and isinstance(lines[-1], dict) else START
