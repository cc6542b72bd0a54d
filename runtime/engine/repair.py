"""When a shim was killed: end what it left behind, and say so.

Runs in whichever command looks next. Without its shim nobody reads the container's output or its
exit status, so the container is ended too; that is one of Docker's two ways as well (the other,
live-restore, needs a shim that can be taken over).
"""

from __future__ import annotations

import os
import select
import time

from runtime import documents
from runtime.cgroup import cgroup, stats
from runtime.engine import connection, events, ledger, names, store
from runtime.errors import KernelError, LabError
from runtime.kernel import processes, unmount
from runtime.shim import removal
from runtime.shim.logs import rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cgroup.cgroup import Cgroup
    from runtime.engine.containers import Container

PATIENCE_MS = 5000


def after_lost_shim(container: Container) -> dict[str, Any]:
    """Bring a container whose shim is gone to "exited". Returns its state."""
    with store.Lock(container.directory):
        return under_lock(container)


def under_lock(container: Container) -> dict[str, Any]:
    """The same for who has the container's lock already: its state, put right if need be."""
    state = store.read_state(container.directory)
    if not store.lost(state):
        return state
    kept = stats.last_words(container.cgroup)
    text = kept.get("memory.events", {}).get("text", "")
    end_processes(cgroup.open_group(container.cgroup), state["Pid"], state["PidStart"])
    trouble = remove_group(container)
    unmount_root(container)
    removal.remove_tree(container.run)
    state.update(Status="exited", Pid=0, PidStart=0, ShimPid=0, ShimStart=0, ExitCode=137,
                 Signal=9, FinishedAt=rfc3339(time.time_ns()),
                 OOMKilled=stats.pairs(text).get("oom_kill", 0) > 0,
                 Error="its shim was killed; the container was ended with it")
    write_down(container, state, kept, trouble)
    if container.config["HostConfig"].get("AutoRemove"):
        remove_files(container)
        events.tell(container.places.root, "destroy", container.config)
    return state


def write_down(container: Container, state: dict[str, Any], kept: dict[str, Any],
               trouble: str) -> None:
    """What was found and done. On a full disk the next one to look will find it again."""
    try:
        documents.write(f"{container.directory}/last-cgroup.json", kept)
        container.write_state(state)
        documents.append_line(f"{container.directory}/evidence.jsonl", {
            "time": time.time(), "who": "engine", "what": "shim lost", "exit_code": 137,
            **({"text": trouble} if trouble else {})})
    except OSError:
        return
    events.tell(container.places.root, "die", container.config, exitCode="137")


def end_processes(group: Cgroup, pid: int, ticks: int) -> None:
    """Kill the container's first process, if it is still that one, and all in its group."""
    if processes.alive(pid, ticks):
        try:
            fd = processes.pidfd_open(pid)
        except OSError:
            fd = -1
        if fd >= 0:
            # Looked at again behind the pidfd: between look and open the pid could change hands.
            if processes.alive(pid, ticks):
                processes.pidfd_send_signal(fd, 9)
            os.close(fd)
    if not group.exists():
        return
    group.kill()
    # On a hybrid host init is born into the v2 part alone: killed half-way, it is nowhere else.
    for directory in group.directories():
        for inside in cgroup.pids_in(directory):
            try:
                os.kill(inside, 9)
            except ProcessLookupError:
                continue


def take_back(container: Container) -> None:
    """After a start that failed: its processes, control group and socket, as far as they stand."""
    state = store.read_state(container.directory)
    group = cgroup.open_group(container.cgroup)
    end_processes(group, state["Pid"], state["PidStart"])
    if group.exists() or state["Status"] == "created":
        remove_group(container)
    unmount_root(container)
    removal.remove_tree(container.run)


def unmount_root(container: Container) -> None:
    """Take out of the host's mount table what `--without mount` has left there."""
    place = f"{container.directory}/rootfs"
    unmount.detach_all(place)
    if "mount" in ((container.config["HostConfig"].get("ContainerLab") or {}).get("Without") or []):
        ledger.gone(container.places.root, "mount", place)


def hidden_shim(container: Container) -> int:
    """The pid of a shim that lives though the state does not say so; 0 if there is none."""
    return connection.listener(container.run) if os.path.isdir(container.run) else 0


def end_hidden_shim(container: Container) -> None:
    """SIGKILL it; take_back then does what it cannot do any more."""
    pid = hidden_shim(container)
    end_shim(pid, processes.start_ticks(pid))


def end_shim(pid: int, ticks: int) -> bool:
    """SIGKILL a shim and wait until it is gone; its container is ended by its group."""
    if not store.runs(pid, ticks):
        return False
    try:
        fd = processes.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not processes.alive(pid, ticks):
            return False
        processes.pidfd_send_signal(fd, 9)
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.poll(PATIENCE_MS)
    finally:
        os.close(fd)
    return True


def remove_group(container: Container) -> str:
    """Remove the control group, if it stands; what kept it, "" when it is gone."""
    group = cgroup.open_group(container.cgroup)
    if group.exists():
        try:
            end_processes(group, 0, 0)
            group.remove()
        except (LabError, OSError) as error:
            return str(error)  # it stays in the ledger, for clean
    if container.config["HostConfig"].get("Runtime"):
        from runtime.cgroup import hierarchies, strays

        strays.remove(container.cgroup, hierarchies.find())
    ledger.gone(container.places.root, "cgroup", container.cgroup)
    return ""


def remove_files(container: Container) -> None:
    """Give back a container's name, and delete its directory. Raises KernelError."""
    names.release(container.places, container.name, container.id)
    try:
        removal.remove_tree(container.directory)
    except OSError as error:
        number, said = error.errno or 0, error.strerror or ""
        raise KernelError("remove the container", number, container.directory,
                          "" if said == os.strerror(number) else said) from None
