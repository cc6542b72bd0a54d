"""kill and delete: a signal to a container, and taking away all that was made for it.

delete is also what mends: of a create that was killed on its way it finds the state, which is
written before anything is made, and takes back as much as there is. It may itself be killed at any
point and run again: the state goes last. Sources: runtime-spec runtime.md "Kill", "Delete";
runc-kill(8), runc-delete(8).
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal itself pulls in enum, 6 ms
import os
import time

from runtime.errors import Conflict, Invalid, KernelError, LabError, NotFound
from runtime.kernel import files, processes
from runtime.oci import state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.oci.cli import Settings
    from runtime.oci.options import Options
    from runtime.oci.state import Container

ESRCH = 3
GONE_PATIENCE_S = 10.0


def kill_(settings: Settings, options: Options, arguments: list[str]) -> int:
    """Signal the first process, or with --all every process of the group."""
    container = state.load(settings.root, arguments[0])
    number = signal_number(arguments[1] if len(arguments) > 1 else "SIGTERM")
    status = container.status()
    if options.get("all") or (number == _signal.SIGKILL and outlives_init(container)):
        pids = container.group().processes()
        if not pids and not options.get("all"):
            raise Conflict("container not running")
        for pid in pids:
            send(pid, number)
        if status == "paused" and number == _signal.SIGKILL:
            container.group().thaw()
        return 0
    if status == "stopped":
        raise Conflict("container not running")
    signal_init(container, number)
    if status == "paused" and number == _signal.SIGKILL:
        # v1 delivers it only once they are thawed.
        container.group().thaw()
    return 0


def outlives_init(container: Container) -> bool:
    """Has it no PID namespace of its own, and a group to find the rest by?

    Then the end of its first process ends no other: SIGKILL is for all of them, as with runc 1.2.
    """
    kinds = {entry["type"]: entry.get("path")
             for entry in (container.config().get("linux") or {}).get("namespaces") or []}
    return ("pid" not in kinds or bool(kinds["pid"])) and container.group().exists()


def signal_number(text: str) -> int:
    """The number of a signal by number or name: "9", "KILL", "SIGKILL", "sigkill"."""
    if text.isascii() and text.isdigit():
        return int(text)
    word = text.upper().removeprefix("SIG")
    found = getattr(_signal, f"SIG{word}", None)
    if not isinstance(found, int) or not word[:1].isalpha():
        base, sign, offset = word.replace("-", "+").partition("+")
        if base not in ("RTMIN", "RTMAX") or not sign or not offset.isdigit():
            raise Invalid(f'unknown signal "{text}"')
        low, high = 34, 64
        return low + int(offset) if base == "RTMIN" else high - int(offset)
    return found


def signal_init(container: Container, number: int) -> None:
    """Signal the first process and no other: by a descriptor, checked against its start time."""
    try:
        pidfd = processes.pidfd_open(container.pid)
    except KernelError:
        raise Conflict("container not running") from None
    try:
        if container.alive():
            processes.pidfd_send_signal(pidfd, number)
    except KernelError as error:
        if error.errno != ESRCH:
            raise
    finally:
        os.close(pidfd)


def send(pid: int, number: int) -> None:
    """Signal one process of the group; it may have ended meanwhile."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def delete_(settings: Settings, options: Options, arguments: list[str]) -> int:
    """Take a stopped or created container away; with --force any, and none is fine too."""
    force, ident = bool(options.get("force")), arguments[0]
    try:
        container = state.load(settings.root, ident)
    except NotFound:
        sweep(settings, ident)
        if force:
            return 0
        raise
    status = container.status()
    if status not in ("stopped", "created") and not force:
        raise Conflict(f"cannot delete container {ident} that is not stopped: {status}")
    kill_and_destroy(settings, container, locked=False)
    return 0


def sweep(settings: Settings, ident: str) -> None:
    """A directory without a state: its maker was killed before it had made anything else."""
    directory = f"{settings.root}/{ident}"
    if os.path.isdir(directory):
        for name in os.listdir(directory):
            files.unlink(f"{directory}/{name}")
        files.rmdir(directory)


def kill_and_destroy(settings: Settings, container: Container, locked: bool = True) -> None:
    """End its first process, then take all away.

    The signal comes before the lock: a create that is held up lets go of it when its init is gone.
    """
    if container.alive():
        signal_init(container, _signal.SIGKILL)
        thaw(container)
    if locked:
        return destroy(settings, container)
    with state.Lock(container):
        destroy(settings, state.load(settings.root, container.id))


def thaw(container: Container) -> None:
    """Frozen, nothing ends on v1."""
    if container.frozen():
        container.group().thaw()


def destroy(settings: Settings, container: Container) -> None:
    """Processes, group, hooks, state: in this order, each of them fine if it is gone already."""
    if container.alive():
        signal_init(container, _signal.SIGKILL)
    group = container.group()
    if container.document["grouped"]:
        group.kill()
        wait_for_end(container)
        group.remove()
    else:
        # Its maker was killed before the group was known to be its own: gone if it is empty.
        try:
            group.remove()
        except LabError:
            settings.log.warning(f"the control group {group.path} is in use and was left")
    after_stop(settings, container)
    container.remove()


def wait_for_end(container: Container) -> None:
    """Until the first process has ended, and waits for its parent at most."""
    deadline = time.monotonic() + GONE_PATIENCE_S
    while container.alive():
        if time.monotonic() > deadline:
            raise Conflict(f"container {container.id} is still running",
                           "its first process does not end: it waits in the kernel")
        time.sleep(0.002)


def after_stop(settings: Settings, container: Container) -> None:
    """The poststop hooks; one that fails is a warning, for the container is gone."""
    if not os.path.exists(f"{container.directory}/config.json"):
        return
    spec = container.config()
    if not spec.get("hooks"):
        return
    from runtime.oci import hooks

    for warning in hooks.run("poststop", spec["hooks"], hooks.state(
            spec, container.id, container.document["bundle"], "stopped", 0)):
        settings.log.warning(warning)
