"""An engine in memory: the contract of runtime/engine with nothing of the kernel behind it.

It keeps what it was asked, and answers with Docker's sentences, so that a test of the command line
reads as a conversation: what was typed, what the engine was told, what came out.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import pytest

from runtime.client import cli
from runtime.client.session import Session
from runtime.errors import Conflict, NotFound


class FakeContainer:
    def __init__(self, ident: str, name: str, body: dict[str, Any]) -> None:
        self.id, self.name, self.directory = ident, name, f"/nowhere/{ident}"
        command = (body.get("Entrypoint") or []) + (body.get("Cmd") or ["sh"])
        self.config = {
            "Id": ident, "Name": f"/{name}", "Created": "2026-11-24T12:00:00.5Z",
            "Path": command[0], "Args": command[1:], "Image": "sha256:" + "4f" * 32,
            "Config": {**body, "Image": body["Image"], "Labels": body.get("Labels") or {}},
            "HostConfig": body["HostConfig"],
        }
        self.state: dict[str, Any] = {
            "Status": "created", "Pid": 0, "ExitCode": 0, "StartedAt": "2026-11-24T12:00:01Z",
            "FinishedAt": "0001-01-01T00:00:00Z", "OOMKilled": False}
        self.cgroup = f"/container-lab/{name}"

    @property
    def status(self) -> str:
        return str(self.state["Status"])

    @property
    def pid(self) -> int:
        return int(self.state["Pid"])

    @property
    def exit_code(self) -> int:
        return int(self.state["ExitCode"])


class FakeAttachment:
    """Gives back `script`, one (stream, data) a read; keeps what was written."""

    def __init__(self, script: list[tuple[str, bytes]]) -> None:
        self.script, self.typed, self.closed = script, b"", False
        self.sizes: list[tuple[int, int]] = []

    def read(self) -> tuple[str, bytes]:
        return self.script.pop(0)

    def write(self, data: bytes) -> None:
        self.typed += data

    def close_stdin(self) -> None:
        self.closed = True

    def resize(self, rows: int, columns: int) -> None:
        self.sizes.append((rows, columns))


class FakeImage:
    def __init__(self, names: list[str]) -> None:
        self.id, self.names = "sha256:" + "4f" * 32, names
        self.created, self.size_bytes = "2026-11-24T11:00:00Z", 1_990_000
        self.layers, self.layer_sizes = ["/nowhere/layers/d1"], [1_990_000]
        self.document = {"history": [{"created": self.created, "comment": "Imported from -"}]}
        self.config: dict[str, Any] = {"Config": {"Cmd": ["sh"]}, "RootFS": {"DiffIDs": ["d1"]},
                                       "Comment": "Imported from -", "Os": "linux"}


class FakeStore:
    def images(self) -> list[FakeImage]:
        return [FakeImage(["lab/base:latest"])]

    def resolve(self, name: str) -> FakeImage:
        if name.removesuffix(":latest") == "lab/base" or name.startswith("sha256:"):
            return self.images()[0]
        raise NotFound(f"No such image: {name}:latest")


class FakeEngine:
    def __init__(self) -> None:
        self.root = "/nowhere"
        self.images = FakeStore()
        self.made: list[FakeContainer] = []
        self.asked: list[tuple[Any, ...]] = []
        self.script: list[tuple[str, bytes]] = [("stdout", b"hi\n"), ("exit", b"0")]
        self.start_error: Exception | None = None
        self.log: list[dict[str, str]] = []
        self.card: list[tuple[str, str, str]] = []

    def create(self, name: str | None, body: dict[str, Any]) -> str:
        self.images.resolve(body["Image"])
        if any(container.name == name for container in self.made):
            raise Conflict(f'Conflict. The container name "/{name}" is already in use')
        ident = os.urandom(32).hex()
        self.made.insert(0, FakeContainer(ident, name or f"tea{len(self.made)}", body))
        return ident

    def find(self, ref: str) -> FakeContainer:
        for container in self.made:
            if ref == container.name or container.id.startswith(ref):
                return container
        raise NotFound(f"No such container: {ref}")

    def containers(self) -> list[FakeContainer]:
        return self.made

    def start(self, ref: str, gate: str | None = None) -> None:
        container = self.find(ref)
        self.asked.append(("start", container.name))
        if self.start_error is not None:
            raise self.start_error
        container.state.update(Status="running", Pid=4213)

    def attach(self, ref: str, logs: bool = False) -> FakeAttachment:
        self.find(ref)
        return FakeAttachment(list(self.script))

    def exec(self, ref: str, body: dict[str, Any]) -> FakeAttachment:
        self.asked.append(("exec", self.find(ref).name, body))
        return FakeAttachment(list(self.script))

    def wait(self, ref: str) -> int:
        return self.find(ref).exit_code

    def stop(self, ref: str, timeout_s: float = 10) -> None:
        self.asked.append(("stop", self.find(ref).name, timeout_s))

    def kill(self, ref: str, signal: str = "KILL") -> None:
        self.asked.append(("kill", self.find(ref).name, signal))

    def pause(self, ref: str) -> None:
        self.find(ref).state["Status"] = "paused"

    def unpause(self, ref: str) -> None:
        self.find(ref).state["Status"] = "running"

    def remove(self, ref: str, force: bool = False, volumes: bool = False) -> None:
        container = self.find(ref)
        if container.status == "running" and not force:
            raise Conflict(f'cannot remove container "{container.name}": container is running: '
                           "stop the container before removing or force remove")
        self.made.remove(container)

    def prune(self) -> tuple[list[str], int]:
        gone = [container.id for container in self.made if container.status != "running"]
        self.made = [container for container in self.made if container.status == "running"]
        return gone, 1234

    def inspect(self, ref: str) -> dict[str, Any]:
        container = self.find(ref)
        return {**container.config, "State": container.state, "ExecIDs": None}

    def logs(self, ref: str, follow: bool = False) -> list[dict[str, str]]:
        self.find(ref)
        return self.log

    def top(self, ref: str, args: list[str]) -> dict[str, Any]:
        self.find(ref)
        return {"Titles": ["UID", "PID", "CMD"], "Processes": [["root", "4213", "sh"]]}

    def stats(self, ref: str) -> dict[str, Any]:
        return {"cpu_stats": {"cpu_usage": {"total_usage": 0}}, "pids_stats": {"current": 1},
                "memory_stats": {"usage": 2 << 20, "limit": 64 << 20, "stats": {}}}

    def why(self, ref: str) -> list[tuple[str, str, str]]:
        return self.card

    def operations(self, ref: str) -> list[dict[str, Any]]:
        return [{"n": 1, "phase": "root", "name": "pivot_root", "call": "pivot_root(2)",
                 "arguments": {"new_root": ".", "put_old": "."}, "pid": 4213, "by": "init",
                 "symbol": "runtime/oci/rootfs.py:enter_rootfs", "result": None, "errno": 0,
                 "start_ns": 1, "ns": 41000}]

    def clean(self) -> list[str]:
        return []


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def lab(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Type a command line: `lab("run", "--rm", "lab/base")` → its code, stdout and stderr."""
    monkeypatch.setattr(cli, "Session",
                        lambda program: Session(program, engine=cast("Any", engine)))
    monkeypatch.setenv("CONTAINER_LAB_PROGRAM", "docker")

    def typed(*argv: str) -> Answer:
        code = cli.main(list(argv))
        out, err = capfd.readouterr()
        return Answer(code, out, err)

    return typed


@pytest.fixture
def body_of(lab: Callable[..., Answer], engine: FakeEngine) -> Callable[..., dict[str, Any]]:
    """The body that `create` with these flags sends."""

    def made(*flags: str) -> dict[str, Any]:
        answer = lab("create", *flags, "lab/base", "true")
        assert answer.code == 0, answer.err
        config: dict[str, Any] = engine.made[0].config["Config"]
        return config

    return made
