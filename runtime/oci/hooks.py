"""Hooks: programs that config.json wants run at six points of a container's life.

Each gets the container's state on stdin, `{"ociVersion": "1.2.0", "id": "tea", "status": "created",
"pid": 4213, "bundle": "/b", "annotations": {}}`, the arguments and the environment it names, and
no other. They run one after the other:

    prestart, createRuntime   create: all is mounted, nothing entered   the host's, by the shim
    createContainer           create: then                              the container's, by init
    startContainer            start: all but the program                inside its root, by init
    poststart                 start: the program runs                   the host's, by the shim
    poststop                  delete: all is gone                       the host's, by the shim

One that fails ends the start, as with runc; after poststop there is nothing left to end, so those
only warn and the next one runs. Sources: runtime-spec config.md "POSIX-platform Hooks", runtime.md
"Lifecycle"; runc's libcontainer/configs/config.go for the words.
"""

from __future__ import annotations

import os

from runtime import documents
from runtime.errors import KernelError, LabError
from runtime.kernel import children, files
from runtime.oci.properties import VERSION

from _signal import strsignal  # type: ignore[import-not-found]  # signal itself costs 6 ms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def run(kind: str, hooks: dict[str, Any] | None, state: dict[str, Any],
        folder: str | None = None) -> list[str]:
    """Run all hooks of a kind, from `folder`: what of poststop went wrong, as warnings.

    `hooks` is config.json's, state the container's at this moment. Raises LabError, in runc's
    words: `error running prestart hook #1: exit status 1, stdout: , stderr: `.
    """
    found = (hooks or {}).get(kind) or []
    if not found:
        return []
    given = documents.encode(state).encode()
    warnings = []
    back = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if folder is not None:
            files.chdir(folder)
        for index, hook in enumerate(found):
            problem = run_one(hook, given)
            if problem:
                warnings.append(f"error running {kind} hook #{index}: {problem}")
                if kind != "poststop":
                    raise LabError(warnings[-1])
    finally:
        if folder is not None:
            files.fchdir(back, "where it was")
        os.close(back)
    return warnings


def run_one(hook: dict[str, Any], given: bytes) -> str:
    """What went wrong; "" when all went well."""
    path = hook["path"]
    try:
        ended = children.run_program(path, hook.get("args") or [], hook.get("env") or [], given,
                                     hook.get("timeout"))
    except KernelError as error:
        return f"fork/exec {path}: {os.strerror(error.errno or 0).lower()}"
    if ended.late:
        return f"hook ran past specified timeout of {hook['timeout']:.1f}s"
    if not ended.status:
        return ""
    how = f"exit status {os.WEXITSTATUS(ended.status)}"
    if os.WIFSIGNALED(ended.status):
        how = f"signal: {(strsignal(os.WTERMSIG(ended.status)) or 'unknown').lower()}"
    said = [" ".join(text.decode("utf-8", "replace").split()) for text in (ended.out, ended.err)]
    return f"{how}, stdout: {said[0]}, stderr: {said[1]}"


def state(spec: dict[str, Any], ident: str, bundle: str, status: str, pid: int) -> dict[str, Any]:
    """A container's state as the specification words it: runtime.md "State"."""
    made: dict[str, Any] = {"ociVersion": VERSION, "id": ident,
                            "status": status, "bundle": bundle}
    if status != "stopped":
        made["pid"] = pid
    if spec.get("annotations"):
        made["annotations"] = spec["annotations"]
    return made
