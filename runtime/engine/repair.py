"""When a shim was killed: end what it left behind, and say so.

Runs in whichever command looks next. Without its shim nobody reads the container's output or its
exit status, so the container is ended too; that is one of Docker's two ways as well (the other,
live-restore, needs a shim that can be taken over). Also `clean`: everything in the ledger goes.
"""

from __future__ import annotations

import os
import time

from runtime import documents
from runtime.cgroup import cgroup, stats
from runtime.engine import ledger, store
from runtime.errors import LabError, NotFound
from runtime.kernel import processes
from runtime.shim import removal
from runtime.shim.logs import rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.engine.store import Container, Places


def after_lost_shim(container: Container) -> dict[str, Any]:
    """Bring a container whose shim is gone to "exited". Returns its state."""
    with store.Lock(container.directory):
        state = store.read_state(container.directory)
        if state["Status"] not in store.LIVE or \
                processes.alive(state["ShimPid"], state["ShimStart"]):
            return state  # somebody was quicker
        group = cgroup.open_group(container.cgroup)
        kept = stats.last_words(container.cgroup)
        end_processes(group, state["Pid"], state["PidStart"])
        group.remove()
        ledger.gone(container.places.root, "cgroup", container.cgroup)
        removal.remove_tree(container.run)
        documents.write(f"{container.directory}/last-cgroup.json", kept)
        state.update(Status="exited", Pid=0, PidStart=0, ShimPid=0, ShimStart=0, ExitCode=137,
                     Signal=9, FinishedAt=rfc3339(time.time_ns()),
                     Error="its shim was killed; the container was ended with it")
        container.write_state(state)
        documents.append_line(f"{container.directory}/evidence.jsonl", {
            "time": time.time(), "who": "engine", "what": "shim lost", "exit_code": 137})
    if container.config["HostConfig"].get("AutoRemove"):
        remove_files(container)
    return state


def end_processes(group: cgroup.Cgroup, pid: int, ticks: int) -> None:
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
    if group.exists():
        group.kill()


def remove_files(container: Container) -> None:
    """Delete a container's directory and its name."""
    removal.remove_tree(container.directory)
    name = f"{container.places.root}/names/{container.name}"
    if store.documents_text(name) == container.id:
        os.unlink(name)


def clean(places: Places) -> list[str]:
    """Remove everything of this lab from the host. Returns what was done, a line each."""
    done = []
    for container in store.every(places):
        state = store.read_state(container.directory)
        if processes.alive(state["ShimPid"], state["ShimStart"]):
            end_shim(state)
            done.append(f"ended {container.name}, pid {state['Pid']}")
    for path in ledger.standing(places.root, "cgroup"):
        done += remove_group(path)
    for ident in store.idents(places):
        removal.remove_tree(places.container(ident))
        done.append(f"removed container {ident[:12]}")
    done += remove_group(places.group)
    if places.run.startswith(places.root) or places.run == store.DEFAULT_RUN:
        removal.remove_tree(places.run)
    for name in ("names", "events.jsonl", "cache", "images", "containers", "ledger.jsonl"):
        path = f"{places.root}/{name}"
        if os.path.lexists(path):
            removal.remove_tree(path)
            done.append(f"removed {path}")
    try:
        os.rmdir(places.root)
    except OSError:
        return done  # the student's own files (progress) stay
    return done


def end_shim(state: dict[str, Any]) -> None:
    """SIGKILL a shim, and wait until it is gone; its container is ended by its group."""
    try:
        fd = processes.pidfd_open(state["ShimPid"])
    except OSError:
        return
    try:
        if processes.alive(state["ShimPid"], state["ShimStart"]):
            processes.pidfd_send_signal(fd, 9)
            import select

            poll = select.poll()
            poll.register(fd, select.POLLIN)
            poll.poll(5000)
    finally:
        os.close(fd)


def remove_group(path: str) -> list[str]:
    """Kill what is in a control group of ours, and remove it. [] when it was gone already."""
    group = cgroup.open_group(path)
    if not group.exists():
        return []
    try:
        end_processes(group, 0, 0)
        group.remove()
    except (LabError, NotFound) as error:
        return [f"could not remove control group {path}: {error}"]
    return [f"removed control group {path}"]
