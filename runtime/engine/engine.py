"""The engine: Docker's verbs over containers on disk. One object, no state of its own.

Runs in whoever embeds it: the command line, the lab, a daemon; all see the same world. Bodies and
answers are Docker's own JSON, so the command line and an API need no translation:

    engine = Engine()                                    /var/lib/container-lab
    ident = engine.create("tea", {"Image": "lab/base", "Cmd": ["sh"], "HostConfig": {}})
    engine.start("tea"); engine.wait("tea") → 0
    engine.inspect("tea")["State"]["ExitCode"]

What a verb does is in a module of its own (creation, lifecycle, describe, …); this is the list.
"""

from __future__ import annotations

from runtime.engine import containers, creation, events, launch, lifecycle, starting
from runtime.engine.connection import Attachment
from runtime.engine.containers import Container
from runtime.engine.store import Places

__all__ = ["Attachment", "Container", "Engine"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO

    import _socket

    from runtime.engine.launch import Launcher
    from runtime.image.store import Store


class Engine:
    """Everything one can do with containers. Making one costs nothing and touches nothing."""

    def __init__(self, root: str | None = None, launcher: Launcher | None = None) -> None:
        self.places = Places(root)
        self.launcher = launcher or launch.launch
        # Attached before the start: our callers hold the other ends.
        self.waiting: dict[str, tuple[Attachment, _socket.socket]] = {}
        self._images: Store | None = None

    @property
    def root(self) -> str:
        """The state directory."""
        return self.places.root

    @property
    def run_dir(self) -> str:
        """The directory of the sockets."""
        return self.places.run

    @property
    def images(self) -> Store:
        """The image store."""
        if self._images is None:
            from runtime.image.store import Store

            self._images = Store(f"{self.root}/images")
        return self._images

    # ------------------------------------------------------------ making and finding

    def create(self, name: str | None, body: dict[str, Any]) -> str:
        """Make a container, do not run it. Its id. Raises NotFound, Conflict, Invalid."""
        return creation.create(self, name, body)

    def find(self, reference: str) -> Container:
        """By name, id, or unique beginning of an id. Raises NotFound."""
        return containers.find(self.places, reference)

    def containers(self) -> list[Container]:
        """All of them, the newest first."""
        return containers.every(self.places)

    # ------------------------------------------------------------ lifecycle

    def start(self, reference: str, gate: str | None = None) -> None:
        """Run it; returns when its program runs. `gate` holds it before each operation."""
        starting.start(self, self.find(reference), gate)

    def attach(self, reference: str, logs: bool = False) -> Attachment:
        """Its streams; of one not started yet, from its first byte (start it next)."""
        return lifecycle.attach(self, self.find(reference), logs)

    def wait(self, reference: str) -> int:
        """Block until it is not running; its exit code."""
        return lifecycle.wait(self.find(reference), None)[1]

    def stop(self, reference: str, timeout_s: float | None = None) -> None:
        """Its stop signal, then after the grace period SIGKILL."""
        lifecycle.stop(self.find(reference), timeout_s)

    def kill(self, reference: str, signal: str = "KILL") -> None:
        """Send a signal to its first process. Raises Conflict, Invalid."""
        lifecycle.kill(self.find(reference), signal)

    def pause(self, reference: str) -> None:
        """Freeze all its processes."""
        lifecycle.pause(self.find(reference))

    def unpause(self, reference: str) -> None:
        """Let them go on."""
        lifecycle.unpause(self.find(reference))

    def remove(self, reference: str, force: bool = False, volumes: bool = False) -> None:
        """Delete it; with force also one that runs. (No volumes yet, so none to delete.)"""
        lifecycle.remove(self, self.find(reference), force)

    def prune(self) -> tuple[list[str], int]:
        """Delete all that do not run: (ids, bytes that their files held)."""
        return lifecycle.prune(self)

    def exec(self, reference: str, body: dict[str, Any]) -> Attachment:
        """One more process inside; attached to it."""
        from runtime.engine import execution

        return execution.exec_(self, self.find(reference), body)

    def probe(self, reference: str) -> list[dict[str, Any]]:
        """What a program inside can do to the host or see of it, by trying. Raises Conflict."""
        from runtime.engine import probes

        return probes.ask(self.find(reference))

    def compare(self, without: list[str], unsafe: bool, image: str = "lab/base") -> dict[str, Any]:
        """A full container beside one that lacks these parts: what panes and probes say of both."""
        from runtime.engine import comparison

        return comparison.compare(self, without, unsafe, image)

    # ------------------------------------------------------------ looking

    def inspect(self, reference: str) -> dict[str, Any]:
        """Docker's inspect document."""
        from runtime.engine import describe

        return describe.container(self, self.find(reference))

    def logs(self, reference: str, follow: bool = False) -> Iterator[dict[str, Any]]:
        """The log's lines: {"stream": "stdout", "log": "hi\\n", "time": "2026-…Z"}."""
        from runtime.engine import logs

        return logs.read(self.find(reference), follow)

    def stats(self, reference: str) -> dict[str, Any]:
        """Docker's stats document."""
        from runtime.engine import usage

        return usage.stats(self.find(reference))

    def top(self, reference: str, arguments: list[str] | None = None) -> dict[str, Any]:
        """{"Titles": ["UID", …], "Processes": [["root", …], …]}, by the host's ps."""
        from runtime.engine import usage

        return usage.top(self.find(reference), arguments or [])

    def operations(self, reference: str) -> list[dict[str, Any]]:
        """The birth certificate: every kernel effect of the last start."""
        return lifecycle.operations(self.find(reference))

    def evidence(self, reference: str) -> list[dict[str, Any]]:
        """What shim and kernel saw of the last run."""
        return lifecycle.lines(self.find(reference), "evidence.jsonl")

    def last_cgroup(self, reference: str) -> dict[str, dict[str, str]]:
        """The group's files as they were just before it was removed; {} while it runs."""
        return lifecycle.last_cgroup(self.find(reference))

    def why(self, reference: str) -> list[tuple[str, str, str]]:
        """The card of a death: (who, what they did, the evidence for it)."""
        from runtime.engine import why

        return why.card(self, self.find(reference))

    def events(self, since_ns: int = 0) -> list[dict[str, Any]]:
        """What happened to containers, in order, in Docker's shape."""
        return events.read(self.root, since_ns)

    # ------------------------------------------------------------ images, and the end

    def import_image(self, file: BinaryIO, reference: str | None, changes: list[str],
                     message: str = "") -> str:
        """`docker import`: an image of one layer from a tar. Its id."""
        from runtime.image import imports

        self.places.make()
        return imports.import_tar(self.images, file, reference, changes, message)

    def clean(self) -> list[str]:
        """Remove everything of this lab from the host; what was done, a line each."""
        from runtime.engine import clean

        return clean.clean(self.places)
