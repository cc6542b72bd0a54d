"""start: get a container a shim, hear how it went, and take back what a failure left.

Runs in the engine, under the container's lock. The program runs when this returns.
"""

from __future__ import annotations

import errno
import os

from runtime.engine import connection, creation, events, ledger, spec, store
from runtime.errors import Conflict, KernelError, LabError

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.engine.connection import Attachment
    from runtime.engine.containers import Container
    from runtime.engine.engine import Engine

# Who passed the error on, as Docker names them; in runc's place stands our own oci/.
TASK = "failed to create task for container: failed to create shim task: "
CHAIN = (f"{TASK}OCI runtime create failed: unable to start container process: error during "
         "container init: ")


def start(engine: Engine, container: Container, gate: str | None) -> None:
    """Get it a shim, and wait until its program runs. Raises why it does not."""
    creation.may_run()
    attachment, report = engine.waiting.pop(container.id, (None, None))
    if attachment is not None and attachment.closed:  # attached, and thought better of it
        connection.discard(attachment, report)
        attachment = report = None
    attached = attachment is not None
    try:
        with store.Lock(container.directory):
            status = container.settle()
            if status == "running":
                if attachment is not None:  # somebody else started it since we attached
                    attachment.take_over(connection.conversation(container.run, {"do": "attach"}))
                return
            if status == "paused":
                raise Conflict("cannot start a paused container, try unpause instead")
            container.check_whole()
            if gate:
                from runtime.engine import runtimes

                runtimes.refuse_to_hold(container.config["HostConfig"])
            forget_last_run(container)
            if attachment is None:
                attachment, report = connection.pair()
            assert report is not None
            begin(engine, container, gate, attachment, report, attached)
    finally:
        if report is not None:
            report.close()
        if attachment is not None and not attached:
            attachment.close()


def begin(engine: Engine, container: Container, gate: str | None, attachment: Attachment,
          report: _socket.socket, attached: bool) -> None:
    """Launch the shim and hear how the start went."""
    try:
        ledger.made(engine.root, "cgroup", container.cgroup, container.id)
        engine.launcher(request(engine, container, gate, attached), report)
        report.close()
        attachment.answer()
    except (LabError, OSError) as error:
        from runtime.engine import repair

        # A shim that could not start took back what it had made; one that was killed could not.
        repair.take_back(container)
        raise failed(container, error) from None


def request(engine: Engine, container: Container, gate: str | None,
            attached: bool) -> dict[str, Any]:
    """What the shim has to know."""
    config, host = container.config, container.config["HostConfig"]
    disposable = bool(host.get("AutoRemove"))
    more = {}
    if container.places.rootless:
        from runtime.engine import rootless

        rootless.check_limits(host)  # asked for in a session that may have had more
        more = rootless.group_request()
    return {
        **more,
        "id": container.id, "directory": container.directory, "run": container.run,
        "cgroup": container.cgroup, "cache": f"{engine.root}/cache",
        "root_mounts": spec.root_mounts(container.directory, config["Layers"], disposable,
                                        container.places.rootless),
        "log": container.log_path, "events": f"{engine.root}/events.jsonl",
        "ledger": f"{engine.root}/ledger.jsonl", "attributes": events.attributes(config),
        "without": without(host), "gate": gate, "attach": attached,
        "runtime": other_runtime(host), "terminal": bool(config["Config"].get("Tty")),
        "stdin": bool(config["Config"].get("OpenStdin")),
        "stdin_once": bool(config["Config"].get("StdinOnce")),
        # The name first: one whose owner has no directory is anybody's (names.py).
        "remove": [f"{engine.root}/names/{container.name}", container.directory]
        if disposable else None,
    }


def without(host: dict[str, Any]) -> list[str]:
    """The parts that the runtime itself is to do without; config.json lacks the others."""
    if not host.get("ContainerLab"):
        return []
    from runtime.engine import ablation

    return ablation.of_the_runtime(host)


def other_runtime(host: dict[str, Any]) -> str:
    """The program of another OCI runtime; "" for our own. Raises NotFound."""
    if not host.get("Runtime"):
        return ""
    from runtime.engine import runtimes

    return runtimes.program(host)


def forget_last_run(container: Container) -> None:
    """The evidence of the run before would explain the wrong death."""
    for name in ("evidence.jsonl", "last-cgroup.json", "operations.jsonl"):
        try:
            os.unlink(f"{container.directory}/{name}")
        except FileNotFoundError:
            continue


def failed(container: Container, error: LabError | OSError) -> LabError:
    """Write down why it did not start, and say it as Docker does: 127, 126, else 128."""
    if isinstance(error, OSError):
        if not isinstance(error, KernelError):
            error = KernelError("start the shim", error.errno or 0, error.filename or "")
        if error.errno == errno.EPERM and container.places.rootless:
            from runtime.engine import rootless

            error.hint = rootless.hint() or error.hint
        said = LabError(f"{CHAIN}{error}")
    else:
        # Another runtime speaks for itself.
        said = type(error)(f"{TASK if str(error).startswith('OCI runtime') else CHAIN}{error}")
    code = error.exit_code if error.exit_code in (126, 127) else 128
    said.exit_code = code if code != 128 else 125
    if container.config["HostConfig"].get("AutoRemove"):
        from runtime.engine import repair

        repair.remove_files(container)
        events.tell(container.places.root, "destroy", container.config)
        return said
    state = store.read_state(container.directory)
    # Docker's: one that ran before has exited, whatever became of this start.
    ran = state["StartedAt"] not in ("", store.ZERO_TIME)
    try:
        container.write_state({**state, "Status": "exited" if ran else "created",
                               "Pid": 0, "PidStart": 0, "ShimPid": 0, "ShimStart": 0,
                               "ExitCode": code, "Error": str(said)})
    except OSError:
        return said  # a full disk; the old state says as much
    return said
