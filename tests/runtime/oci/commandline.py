"""container-lab-oci and runc by command line, on the same bundle, each with a root of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.runtime.oci.bundles import ROOT, Bundle

OURS = (sys.executable, "-I", "-S", str(ROOT / "lab/start.py"), "oci")
BARE = {"PATH": os.environ["PATH"]}


class Said(NamedTuple):
    code: int
    out: str
    err: str

    def message(self) -> str:
        """The text of the error line, whoever says it."""
        found = re.search(r'level=error msg=(?:"((?:[^"\\]|\\.)*)"|(\S*))', self.err)
        text = (found[1] or found[2] or "") if found else ""
        return text.replace('\\"', '"').replace("container-lab-oci", "runc").replace("\\n", "")


class Runtime:
    """One runtime's command line. Output goes to files: a container keeps what it was given."""

    def __init__(self, command: tuple[str, ...], folder: Path) -> None:
        self.command, self.folder = command, folder
        self.root = folder / "state"

    def __call__(self, *words: str, given: str | bytes | None = None, timeout: float = 30,
                 env: dict[str, str] | None = None, **more: Any) -> Said:
        out, err = self.folder / "out", self.folder / "err"
        with open(out, "wb") as stdout, open(err, "wb") as stderr:
            ended = subprocess.run(
                [*self.command, "--root", str(self.root), *words], stdout=stdout, stderr=stderr,
                timeout=timeout, check=False, env={**BARE, **(env or {})},
                **({"stdin": subprocess.DEVNULL} if given is None else
                   {"input": given.encode() if isinstance(given, str) else given}), **more)
        return Said(ended.returncode, out.read_text("utf-8", "replace"),
                    err.read_text("utf-8", "replace"))

    def spawn(self, *words: str, **more: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*self.command, "--root", str(self.root), *words],
                                env={**BARE, **more.pop("env", {})}, **more)

    def delete_all(self) -> None:
        for ident in self("list", "--quiet").out.split():
            self("delete", "--force", ident)


def runtime(command: tuple[str, ...]) -> Iterator[Runtime]:
    folder = Path(tempfile.mkdtemp(prefix="clo-", dir="/tmp"))
    made = Runtime(command, folder)
    try:
        yield made
    finally:
        made.delete_all()
        shutil.rmtree(folder)


def written(bundle: Bundle, *arguments: str, group: str = "") -> str:
    """Write the bundle with this program; its folder."""
    bundle.process["args"] = list(arguments)
    bundle.linux["cgroupsPath"] = bundle.group + group
    bundle.write()
    return str(bundle.folder)


def eventually(look: Callable[[], Any], what: str = "it", timeout_s: float = 10) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what} did not come to be"
        time.sleep(0.01)
    return found
