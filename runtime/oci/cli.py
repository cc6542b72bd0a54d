"""container-lab-oci: the runtime by command line, in runc's words; so far the one verb `run`.

Runs in the foreground, without a shim: create, start, wait, delete, with stdin, stdout and stderr
passed on. The other verbs (create start state kill delete exec …) are refused by name until the
runtime keeps state of its own. Source: runc(8), runc-run(8).
"""

from __future__ import annotations

import os
import sys

from runtime.cgroup import cgroup
from runtime.errors import Invalid, LabError, Unsupported
from runtime.oci import create, plan

VERBS = ("checkpoint", "create", "delete", "events", "exec", "features", "kill", "list", "pause",
         "ps", "restore", "resume", "spec", "start", "state", "update")
GROUP = "/container-lab-oci"


def main(arguments: list[str]) -> int:
    """`run [--bundle DIR] ID`: the program's exit code, or 1 with one line on stderr."""
    try:
        return run(*parse(arguments))
    except LabError as error:
        sys.stderr.write(f"container-lab-oci: {error}\n")
        return 1


def parse(arguments: list[str]) -> tuple[str, str]:
    """(bundle, id). Raises Invalid, Unsupported."""
    verb, *rest = arguments or ["help"]
    if verb in VERBS:
        raise Unsupported(f"{verb} is not built yet", "run --bundle DIR ID is")
    if verb != "run":
        raise Invalid(f"no such command: {verb}", "run --bundle DIR ID")
    bundle, idents = ".", []
    while rest:
        word = rest.pop(0)
        if word in ("--bundle", "-b") and rest:
            bundle = rest.pop(0)
        elif word.startswith("--bundle="):
            bundle = word.partition("=")[2]
        elif word.startswith("-"):
            raise Unsupported(f"run {word} is not built yet")
        else:
            idents.append(word)
    if len(idents) != 1 or "/" in idents[0] or idents[0] in (".", ".."):
        raise Invalid("run takes one container id", "run --bundle DIR ID")
    return os.path.abspath(bundle), idents[0]


def run(bundle: str, ident: str) -> int:
    """Create, start, wait, delete."""
    planned = plan.load(bundle)
    planned.filmed = False  # there is no container left to keep it with
    if planned.process.get("terminal"):
        raise Unsupported("$.process.terminal: a terminal is not built here",
                          "set it to false, or use container-lab run -t")
    path = (planned.spec.get("linux") or {}).get("cgroupsPath") or f"{GROUP}/{ident}"
    group = cgroup.open_group(path)
    # run is create and start in one: init need not wait for a word between the two.
    init = create.create(planned, group, (0, 1, 2), cache_directory(), create.Init.release)
    try:
        for warning in init.warnings:
            sys.stderr.write(f"container-lab-oci: warning: {warning}\n")
        init.start()
        status = os.waitpid(init.pid, 0)[1]
    except BaseException:
        create.undo(init, group)
        raise
    init.close()
    group.kill()
    group.remove()
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def cache_directory() -> str:
    """Where compiled seccomp filters are kept."""
    path = os.environ.get("CONTAINER_LAB_ROOT") or "/var/lib/container-lab"
    os.makedirs(f"{path}/cache", exist_ok=True)
    return f"{path}/cache"
