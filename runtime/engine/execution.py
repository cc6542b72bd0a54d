"""exec: the process of `docker exec`, described and handed to the shim.

Runs in the engine. The body is Docker's: {"Cmd": ["sh"], "Tty": true, "AttachStdin": true, "User":
"student", "WorkingDir": "/tmp", "Env": ["A=b"], "Privileged": false, "Detach": false}.
Source: Docker Engine API, POST /containers/{id}/exec; moby daemon/exec.go.
"""

from __future__ import annotations

from runtime import documents
from runtime.engine import connection, defaults, events, spec, store, users
from runtime.errors import Conflict, Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.engine.connection import Attachment
    from runtime.engine.engine import Engine
    from runtime.engine.containers import Container


def exec_(engine: Engine, container: Container, body: dict[str, Any]) -> Attachment:
    """Start it; returns once it runs. Raises Conflict, Invalid, NotFound (127), Denied (126)."""
    status = container.status
    if status == "paused":
        raise Conflict(f"Container {container.name} is paused, unpause the container before exec")
    if status != "running":
        raise Conflict(f"container {container.id} is not running")
    if not body.get("Cmd"):
        raise Invalid("No exec command specified")
    command = " ".join(body["Cmd"])
    asked = {"do": "exec", "process": process(container, body),
             "stdin": bool(body.get("AttachStdin")), "detach": bool(body.get("Detach"))}
    # Before it runs, as Docker has it: afterwards its end may be told already.
    for action in ("exec_create", "exec_start"):
        events.tell(engine.root, f"{action}: {command}", container.config)
    try:
        attachment = connection.conversation(container.run, asked)
    except Conflict:
        if container.status not in store.LIVE:  # it ended meanwhile
            raise Conflict(f"container {container.id} is not running") from None
        raise
    return attachment


def process(container: Container, body: dict[str, Any]) -> dict[str, Any]:
    """config.json's process: the container's own, with what the body says otherwise."""
    bundle = documents.read(f"{container.directory}/config.json")
    made: dict[str, Any] = dict(bundle["process"])
    made["args"] = list(body["Cmd"])
    made["terminal"] = bool(body.get("Tty"))
    made["cwd"] = body.get("WorkingDir") or made["cwd"]
    if not made["cwd"].startswith("/"):
        raise Invalid("Cwd must be an absolute path")
    made["env"] = spec.merge_environment(made["env"], body.get("Env") or [])
    size = body.get("ConsoleSize") or [0, 0]
    made.pop("consoleSize", None)
    if made["terminal"] and all(size):
        made["consoleSize"] = {"height": size[0], "width": size[1]}
    if body.get("User"):
        # Its own files as they are now, with what is mounted over them.
        read = users.reader([f"/proc/{container.pid}/root"])
        made["user"] = users.resolve(body["User"], [], read)
        if container.places.rootless:
            from runtime.engine import rootless

            made["user"] = rootless.fit_user(made["user"], bundle["linux"], [])
    if body.get("Privileged"):
        rights = list(defaults.ALL_CAPABILITIES)
        made["capabilities"] = {"bounding": rights, "effective": rights, "permitted": rights}
    return made
