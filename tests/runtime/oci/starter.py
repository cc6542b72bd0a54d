"""A stand-in for the shim: one process that starts one bundle, and says what came of it.

Run by the tests as a program of its own, for a start must come from a single thread. It is asked
by one JSON argument, {"bundle": …, "cgroup": "/container-lab-test-1-1", "gate": null, …}, then by
lines on stdin; its answers are JSON lines on stdout. The container's output goes to files beside
the bundle's config.json.

    {"created": pid} {"running": pid, "operations": […]}   or {"error": {…}, "operations": […]}
    {"exec": process} → {"pid": …} {"status": …}   {"wait": 1} → {"status": …}   end of file → undo
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from runtime.cgroup import cgroup
from runtime.errors import to_data
from runtime.oci import create, plan
from runtime.oci import exec as oci_exec

ANSWERS = os.dup(1)


def say(**message: Any) -> None:
    os.write(ANSWERS, json.dumps(message).encode() + b"\n")


def stdio(bundle: str, name: str) -> tuple[int, int, int]:
    out, err = (os.open(f"{bundle}/{name}.{end}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
                for end in ("out", "err"))
    return os.open("/dev/null", os.O_RDWR), out, err


def failure(error: BaseException) -> None:
    say(error=to_data(getattr(error, "cause", error)), phase=getattr(error, "phase", None),
        operations=getattr(error, "operations", []))


def execute(asked: dict[str, Any], process: dict[str, Any], init: create.Init,
            group: cgroup.Cgroup) -> None:
    entering = oci_exec.enter_container(process, init.pid, init.pidfd, group,
                                        stdio(asked["bundle"], "exec"), init.plan)
    try:
        while entering.hear():
            continue
        made = entering.outcome()
    except Exception as error:
        try:
            os.waitpid(entering.pid, 0)  # as the shim does, when SIGCHLD tells it
        except ChildProcessError:
            pass
        return failure(error)
    say(pid=made.pid)
    say(status=os.waitstatus_to_exitcode(os.waitpid(made.pid, 0)[1]))


def main(asked: dict[str, Any]) -> None:
    for fd in asked.get("leak", []):
        os.set_inheritable(fd, True)
    group = cgroup.open_group(asked["cgroup"])
    cache = asked["bundle"]
    try:
        planned = plan.load(asked["bundle"], asked.get("root_mounts"), asked.get("gate"))
        init = create.create(planned, group, stdio(asked["bundle"], "init"), cache)
        say(created=init.pid, warnings=init.warnings)
        if asked.get("stop_at_created"):
            sys.stdin.readline()
        try:
            init.start()
        except BaseException as error:
            error.operations = init.birth_certificate()  # type: ignore[attr-defined]
            create.undo(init, group)
            raise
    except Exception as error:
        return failure(error)
    say(running=init.pid, operations=init.birth_certificate())
    serve(asked, init, group)


def serve(asked: dict[str, Any], init: create.Init, group: cgroup.Cgroup) -> None:
    for line in sys.stdin:
        question = json.loads(line)
        if "exec" in question:
            execute(asked, question["exec"], init, group)
        elif "wait" in question:
            say(status=os.waitstatus_to_exitcode(os.waitpid(init.pid, 0)[1]))
    create.undo(init, group)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
