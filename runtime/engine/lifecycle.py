"""attach, wait, stop, kill, pause, unpause, remove: the states of a container (start: starting.py).

Runs in the engine. The shim does what has to do with processes; here is who may ask for what, when.

    created ──start──► running ──pause──► paused ──unpause──► running
       └───────────────── │ ──────── its program ends ──────────► exited ──start──► running
                                                                     └──rm──► gone
"""

from __future__ import annotations

import os
import time

from runtime import documents
from runtime.engine import connection, defaults, events, signals, store
from runtime.engine.connection import Attachment
from runtime.errors import Conflict, LabError, NotFound
from runtime.shim import removal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.engine.containers import Container
    from runtime.engine.engine import Engine

KILL_PATIENCE_S = 10.0
FILM_PATIENCE_S = 1.0


# ------------------------------------------------------------------ while it runs

def attach(engine: Engine, container: Container, logs: bool) -> Attachment:
    """A connection to its streams. Raises Conflict for one that cannot have any."""
    status = container.status
    if status not in store.LIVE:
        container.check_whole()
        forget_attachment(engine, container)
        attachment, report = connection.pair()
        engine.waiting[container.id] = (attachment, report)
        return attachment
    if status == "paused":
        raise Conflict("You cannot attach to a paused container, unpause it first")
    attachment = connection.conversation(container.run, {"do": "attach"})
    if logs:
        from runtime.engine import logs as log_file

        for line in log_file.read(container, follow=False):
            kind = b"E" if line["stream"] == "stderr" else b"O"
            attachment.waiting.append((kind, line["log"].encode()))
    return attachment


def forget_attachment(engine: Engine, container: Container) -> None:
    """An attachment before a start that never came."""
    attachment, report = engine.waiting.pop(container.id, (None, None))
    connection.discard(attachment, report)


def wait(container: Container, timeout_s: float | None) -> tuple[bool, int]:
    """(has it ended, its exit code). A timeout of None waits for ever."""
    try:
        attachment = connection.conversation(container.run, {"do": "wait"})
    except Conflict:
        return True, ended_code(container)
    try:
        if not attachment.ready(timeout_s):
            return False, 0
        return True, int(attachment.read()[1])
    except Conflict:
        return True, ended_code(container)
    finally:
        attachment.close()


def ended_code(container: Container) -> int:
    """The exit code of one without a shim. Raises NotFound for one that was removed at its end."""
    await_end(container)
    state = container.state
    if state["Status"] == "dead" and container.config["HostConfig"].get("AutoRemove"):
        raise NotFound(f"No such container: {container.name}")  # never a 0 that nobody saw
    return int(state["ExitCode"])


def await_end(container: Container) -> None:
    """A shim about to end has closed its socket first: wait until it has written the state."""
    deadline = time.monotonic() + KILL_PATIENCE_S
    while container.status in store.LIVE and time.monotonic() < deadline:
        time.sleep(0.002)


def kill(container: Container, text: str) -> None:
    """A signal to its first process."""
    number = signals.number(text)
    must_run(container, "kill")
    try:
        ask_to_kill(container, number, "kill")
    except Conflict:
        await_end(container)
        must_run(container, "kill")  # in Docker's words: it ended by itself meanwhile
        raise


def ask_to_kill(container: Container, number: int, by: str) -> None:
    """Have the shim send it, and note that it was asked for. Raises Conflict when it has ended."""
    events.tell(container.places.root, "kill", container.config, signal=str(number))
    connection.ask(container.run, {"do": "kill", "signal": number, "by": by})
    # A frozen process hears nothing (on v1 not even SIGKILL): as Docker's kill, ours lets it go on,
    # but for a signal that is not the one it is to be stopped by.
    stop_signal = container.config["Config"].get("StopSignal")
    if container.status == "paused" and (
            not stop_signal or number in (9, signals.number(stop_signal))):
        try:
            connection.ask(container.run, {"do": "resume"})
        except Conflict:
            return  # somebody else has, or it is gone


def stop(container: Container, timeout_s: float | None) -> None:
    """Ask politely, wait, then do not ask. What does not run is stopped already."""
    if container.status not in store.LIVE:
        return
    wanted = container.config["Config"]
    if timeout_s is None:
        timeout_s = wanted.get("StopTimeout")
    try:
        ask_to_kill(container, signals.number(wanted.get("StopSignal") or "TERM"), "stop")
        ended, _ = wait(container, grace_s(timeout_s))
        if not ended:
            ask_to_kill(container, 9, "stop-kill")
            ended, _ = wait(container, KILL_PATIENCE_S)
    except Conflict:
        await_end(container)  # it ended by itself meanwhile
        ended = True
    except NotFound:
        ended = True  # and --rm has removed it, too
    if not ended:  # it waits in the kernel, where no signal reaches it
        raise Conflict(f"cannot stop container: {container.name}: tried to kill container, but "
                       "did not receive an exit event")
    events.tell(container.places.root, "stop", container.config)


def grace_s(timeout_s: float | None) -> float | None:
    """Docker's meanings: none given is ten seconds, negative waits for ever."""
    if timeout_s is None:
        return defaults.STOP_TIMEOUT_S
    return None if timeout_s < 0 else timeout_s


def pause(container: Container) -> None:
    """Freeze it."""
    must_run(container, "pause")
    if container.status == "paused":
        raise Conflict(f"Container {container.id} is already paused")
    connection.ask(container.run, {"do": "pause"})


def unpause(container: Container) -> None:
    """Thaw it."""
    if container.status != "paused":
        raise Conflict(f"Container {container.id} is not paused")
    connection.ask(container.run, {"do": "resume"})


def must_run(container: Container, verb: str) -> None:
    """Raises Conflict in Docker's words."""
    if container.status not in store.LIVE:
        if verb == "kill":
            raise Conflict(f"cannot kill container: {container.name}: container {container.id} "
                           "is not running")
        raise Conflict(f"container {container.id} is not running")


# ------------------------------------------------------------------ the end

def remove(engine: Engine, container: Container, force: bool) -> None:
    """Delete a container. Raises Conflict for one that runs, unless forced."""
    from runtime.engine import repair

    forget_attachment(engine, container)
    status = container.status
    if status in store.LIVE:
        refuse_unless(force, container, status)
        try:
            ask_to_kill(container, 9, "kill")
            wait(container, KILL_PATIENCE_S)
        except Conflict:
            await_end(container)  # it ended by itself meanwhile
        except NotFound:
            pass  # and --rm has removed it, too
    elif repair.hidden_shim(container):
        # Half started by a command that was killed, or its state.json was cut short.
        refuse_unless(force, container, "running")
        repair.end_hidden_shim(container)
    try:
        with store.Lock(container.directory):
            # Looked at again: between look and lock a start may have come.
            refuse_unless(container.settle() not in store.LIVE, container, "running")
            repair.take_back(container)
            repair.remove_files(container)
    except NotFound:
        return  # --rm was quicker
    events.tell(engine.root, "destroy", container.config)


def refuse_unless(allowed: bool, container: Container, status: str) -> None:
    """Raises Conflict in Docker's words."""
    if not allowed:
        state = "paused and must be unpaused first" if status == "paused" else \
            f"{status}: stop the container before removal or force remove"
        raise Conflict(f'cannot remove container "{container.name}": container is {state}')


def prune(engine: Engine) -> tuple[list[str], int]:
    """Delete every container that does not run."""
    removed, size = [], 0
    for container in engine.containers():
        if container.status in store.LIVE:
            continue
        held = removal.size(f"{container.directory}/upper")
        try:
            remove(engine, container, force=False)
        except LabError:
            continue  # started or removed by somebody else meanwhile
        removed.append(container.id)
        size += held
    return removed, size


# ------------------------------------------------------------------ what was written down

def lines(container: Container, name: str) -> list[dict[str, Any]]:
    """A file of JSON lines in its directory."""
    return documents.read_lines(f"{container.directory}/{name}")


def operations(container: Container) -> list[dict[str, Any]]:
    """The birth certificate. The shim writes it a few milliseconds after the start was told."""
    path = f"{container.directory}/operations.jsonl"
    deadline = time.monotonic() + FILM_PATIENCE_S
    while container.status == "running" and not os.path.exists(path) \
            and time.monotonic() < deadline:
        time.sleep(0.002)
    return lines(container, "operations.jsonl")


def last_cgroup(container: Container) -> dict[str, dict[str, str]]:
    """last-cgroup.json, or {}."""
    try:
        kept: dict[str, dict[str, str]] = documents.read(f"{container.directory}/last-cgroup.json")
        return kept
    except FileNotFoundError:
        return {}
