"""One thread that looks at the kernel for the whole screen, and posts frozen snapshots.

The only reader of the lab. It looks at what is visible and at nothing else: ten times a second at
the numbers of a living container, twice at its tables, and at the rest only when its file changed.
It wakes at once when the container's first process ends (pidfd) or the screen shows something else
(a pipe), and stats four files every 50 ms for the rest: an OOM kill is on the screen within 100 ms,
an idle lab costs nothing one can measure. It never touches a widget.
What is read of one container lives in `observation.py`.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from lab.course import by_hand
from lab.hand_made import HandMade
from lab.observation import Observation
from lab.rows import row_of
from lab.snapshot import Host, Row, Snapshot, View
from runtime.errors import LabError, NotFound
from runtime.inspect import mounts, namespaces, security
from runtime.inspect.cgroups import hierarchies_of
from runtime.inspect.source import Source, text

TICK_S = 0.05
SAMPLE_S = 0.1
EAGER_S = 0.01
LIST_S = 2.0
HOST_S = 5.0

Stamp = tuple[int, int, int]


class Sampler:
    """Started and stopped by the program; `look` says what is visible."""

    def __init__(self, engine: Any, source: Source, post: Callable[[Snapshot], object]) -> None:
        self.engine, self.source, self.post = engine, source, post
        self._name: str | None = None
        self._parts: frozenset[str] = frozenset()
        self._stopping = False
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._seen: dict[str, Observation] = {}
        self._stamps: tuple[Stamp, ...] = ()
        self._containers: tuple[Row, ...] = ()
        self._host = Host()
        self._list_due = self._host_due = self._sample_due = 0.0
        self._eager_until = 0.0
        self._pidfd, self._pidfd_of = -1, 0
        self._last = Snapshot()

    # Called by the screen's thread

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; returns when it has ended."""
        self._stopping = True
        self.wake()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def look(self, name: str | None, parts: frozenset[str]) -> None:
        """Show this container (None: only the list), and read these parts of it."""
        if (name, parts) != (self._name, self._parts):
            self._name, self._parts = name, parts
            self._sample_due = 0.0
            self.wake()

    def hurry(self) -> None:
        """A line has been sent off: what it does is wanted on the screen at once."""
        self._eager_until = monotonic() + 2.0
        self.wake()

    def wake(self) -> None:
        """Look now."""
        self._sample_due = self._list_due = 0.0
        try:
            os.write(self._wake_write, b"!")
        except BlockingIOError:
            pass

    # The thread

    def _run(self) -> None:
        while not self._stopping:
            snapshot = self.take()
            if snapshot is not None:
                self.post(snapshot)
            self._wait()
        if self._pidfd >= 0:
            os.close(self._pidfd)

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        if self._pidfd >= 0:
            poll.register(self._pidfd, select.POLLIN)
        alive = self._last.shown is not None and self._last.shown.row.alive
        eager = monotonic() < self._eager_until
        tick_s = EAGER_S if eager else TICK_S if alive else SAMPLE_S
        for fd, _ in poll.poll(int(tick_s * 1000)):
            if fd == self._wake_read:
                os.read(self._wake_read, 4096)
            else:
                # The process has ended; what the shim makes of that is written any moment now.
                self._watch_pid(0)
                self._eager_until = monotonic() + 0.5

    def take(self) -> Snapshot | None:
        """A snapshot when there is something new to say, else None."""
        now = monotonic()
        changed = self._look_for_changes()
        alive = self._last.shown is not None and self._last.shown.row.alive
        wanted = self._last.shown is None and self._name is not None
        if not changed and now < (self._sample_due if alive or wanted else self._list_due):
            return None
        self._sample_due = now + SAMPLE_S
        try:
            snapshot = self._read(now, changed)
        except (LabError, OSError, ValueError, KeyError) as error:
            snapshot = Snapshot(self.source.now(), self._host, self._containers,
                                self._last.shown, trouble_words(error, self.engine.root))
        same = (snapshot.containers, snapshot.shown, snapshot.host, snapshot.trouble) == (
            self._last.containers, self._last.shown, self._last.host, self._last.trouble)
        self._last = snapshot
        return None if same and not changed else snapshot

    def _read(self, now: float, changed: bool) -> Snapshot:
        if now >= self._host_due:
            self._host = read_host(self.source)
            self._host_due = now + HOST_S
        if changed or now >= self._list_due:
            self._containers = tuple(row_of(one) for one in self.engine.containers())
            self._list_due = now + LIST_S
        return Snapshot(self.source.now(), self._host, self._containers,
                        self._view(now, changed), "")

    def _view(self, now: float, changed: bool) -> View | None:
        name, parts = self._name, self._parts
        if name is None:
            self._watch_pid(0)
            return None
        if by_hand.is_command(name):
            return self._by_hand(name, parts, now)
        try:
            container = self.engine.find(name)
        except NotFound:
            gone = self._last.shown
            return self._after_removal(gone) if gone and gone.row.name == name else None
        seen = self._seen.get(container.id)
        if seen is None:
            seen = self._seen[container.id] = Observation(self.engine, self.source)
        view = seen.read(container, parts, now, changed)
        self._watch_pid(view.row.pid if view.row.alive else 0)
        return view

    def _by_hand(self, command: str, parts: frozenset[str], now: float) -> View | None:
        """A process that was made without Docker, by its command line."""
        seen = self._seen.get(command)
        if not isinstance(seen, HandMade):
            seen = self._seen[command] = HandMade(self.engine, self.source)
        view = seen.look(command, parts, now)
        self._watch_pid(view.row.pid if view is not None and view.row.alive else 0)
        return view

    def _after_removal(self, view: View) -> View:
        """What is left of a removed container: all we saw, and how the events say it ended."""
        seen = self._seen.get(view.row.id)
        return seen.removed(view) if seen else view

    def _look_for_changes(self) -> bool:
        paths = [os.path.join(self.engine.root, "events.jsonl")]
        shown = self._last.shown
        if shown is not None and shown.row.id:
            folder = os.path.join(self.engine.root, "containers", shown.row.id)
            paths += [os.path.join(folder, name) for name in
                      ("state.json", "evidence.jsonl", "operations.jsonl")]
        stamps = tuple(stamp(path) for path in paths)
        changed = stamps != self._stamps
        self._stamps = stamps
        return changed

    def _watch_pid(self, pid: int) -> None:
        if pid == self._pidfd_of:
            return
        if self._pidfd >= 0:
            os.close(self._pidfd)
        self._pidfd, self._pidfd_of = -1, pid
        if pid:
            try:
                self._pidfd = os.pidfd_open(pid)
            except OSError:
                self._pidfd = -1


def trouble_words(error: Exception, root: str) -> str:
    """Why nothing could be read, as a sentence."""
    if isinstance(error, PermissionError):
        return f"{root} is another user's: sudo container-lab, or --root DIR of your own"
    if isinstance(error, LabError):
        return str(error)
    if isinstance(error, OSError):
        return f"read {error.filename or root}: {(error.strerror or 'failed').lower()}"
    return f"read {root}: {type(error).__name__.lower()}: {error}"


def stamp(path: str) -> Stamp:
    """What changes when a file does."""
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino


def read_host(source: Source) -> Host:
    """The machine that the title line names."""
    found = hierarchies_of(source)
    release = (text(source, "/proc/sys/kernel/osrelease") or "").strip()
    version = ("none" if found is None else "v2" if found.version == 2 else "v1")
    return Host(
        release=".".join(release.split("-")[0].split(".")[:2]), cgroup=version,
        root=os.geteuid() == 0, namespaces=namespaces.host(source),
        mounts=len(mounts.mounts(source, "self")), security=security.security(source, "self"),
    )
