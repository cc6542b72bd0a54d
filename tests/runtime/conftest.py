"""For the engine and the shim: containers on the real kernel, each test in a lab of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from runtime.engine.engine import Attachment, Engine

HERE = Path(__file__).resolve().parents[2]


class Ran(NamedTuple):
    code: int
    out: bytes
    err: bytes


def read_all(attachment: Attachment) -> Ran:
    """Everything a process says, to its end."""
    out = {"stdout": bytearray(), "stderr": bytearray()}
    while True:
        stream, data = attachment.read()
        if stream == "exit":
            attachment.close()
            return Ran(int(data), bytes(out["stdout"]), bytes(out["stderr"]))
        out[stream] += data


@pytest.fixture
def collect() -> Callable[[Attachment], Ran]:
    """collect(attachment) → (code, out, err)."""
    return read_all


@pytest.fixture
def engine(root: str) -> Engine:
    return Engine(root)


@pytest.fixture
def make(engine: Engine) -> Callable[..., str]:
    """make("sleep", "9", name="tea", host={"Memory": 1 << 25}, Tty=True): the id."""

    def make(*command: str, name: str | None = None, host: dict[str, Any] | None = None,
             **wish: Any) -> str:
        return engine.create(name, {"Image": "lab/base", "Cmd": list(command), **wish,
                                    "HostConfig": {"NetworkMode": "none", **(host or {})}})

    return make


@pytest.fixture
def started(engine: Engine, make: Callable[..., str]) -> Callable[..., str]:
    """make and start."""

    def start(*command: str, **wish: Any) -> str:
        container = make(*command, **wish)
        engine.start(container)
        return container

    return start


@pytest.fixture
def run(engine: Engine, make: Callable[..., str]) -> Callable[..., Ran]:
    """run("echo", "hi") → (0, b"hi\\n", b"")."""

    def run(*command: str, **wish: Any) -> Ran:
        container = make(*command, **wish)
        attachment = engine.attach(container)
        engine.start(container)
        return read_all(attachment)

    return run


@pytest.fixture
def inside(engine: Engine) -> Callable[..., Ran]:
    """inside(container, "id", User="student"): an exec, to its end."""

    def run(container: str, *command: str, **wish: Any) -> Ran:
        return read_all(engine.exec(container, {"Cmd": list(command), **wish}))

    return run


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """eventually(look): what it returns, once that is true; fails after ten seconds."""

    def wait(look: Callable[[], Any], timeout_s: float = 10) -> Any:
        deadline = time.monotonic() + timeout_s
        while not (found := look()):
            assert time.monotonic() < deadline, "it did not come to that"
            time.sleep(0.005)
        return found

    return wait


@pytest.fixture
def command(root: str) -> Callable[..., list[str]]:
    """The program's command line in this lab, for subprocess."""

    def line(*arguments: str) -> list[str]:
        return [sys.executable, "-I", "-S", f"{HERE}/lab/start.py", "--root", root, *arguments]

    return line


@pytest.fixture
def typed(command: Callable[..., list[str]]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """typed("ps", "-a"): done, with its code, stdout and stderr."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command(*arguments), capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL)

    return run
