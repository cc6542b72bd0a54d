"""clean: everything of this lab goes from the host, and nothing else.

Runs in `container-lab clean` and at the end of a test. What to remove is known three ways, for any
of them may have been cut short by a crash: the ledger, the directories under the root, and the
control groups under the one group that is this lab's. What cannot be removed is told, and left.
"""

from __future__ import annotations

import os

from runtime.cgroup import cgroup, hierarchies, strays
from runtime.engine import connection, containers, ledger, repair, store
from runtime.errors import LabError
from runtime.kernel import processes, unmount
from runtime.shim import removal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.engine.store import Places

OURS = ("names", "events.jsonl", "cache", "images", "containers", "ledger.jsonl")


def clean(places: Places) -> list[str]:
    """Remove everything of this lab from the host. Returns what was done, a line each."""
    done = end_shims(places)
    for path in groups(places):
        done += remove_group(path)
    done += strays.remove(places.group, hierarchies.find())
    for ident in store.idents(places):
        done += unmount_root(places.container(ident))
        done += remove_path(places.container(ident), f"container {ident[:12]}")
    if os.path.isdir(places.run):
        done += remove_path(places.run, "")
    for name in OURS:
        path = f"{places.root}/{name}"
        if os.path.lexists(path):
            done += remove_path(path, path)
    try:
        os.rmdir(places.root)
    except OSError:
        return done  # the student's own files (progress) stay
    return done


def end_shims(places: Places) -> list[str]:
    """SIGKILL every shim: found by its state, or by who listens where that was cut short."""
    done = []
    found = {f"{places.run}/{ident}" for ident in store.idents(places)}
    try:
        found |= {f"{places.run}/{name}" for name in os.listdir(places.run)}
    except FileNotFoundError:
        pass
    for container in containers.every(places):
        state = store.read_state(container.directory)
        if repair.end_shim(state["ShimPid"], state["ShimStart"]):
            done.append(f"ended {container.name}, pid {state['Pid']}")
        if places.rootless:  # it may have no group to be found by
            repair.end_processes(cgroup.open_group(container.cgroup), state["Pid"],
                                 state["PidStart"])
    for run in sorted(found):
        pid = connection.listener(run)
        if pid and repair.end_shim(pid, processes.start_ticks(pid)):
            done.append(f"ended {os.path.basename(run)[:12]}")
    return done


def groups(places: Places) -> list[str]:
    """The control groups of this lab, the one above all last."""
    found = dict.fromkeys(ledger.standing(places.root, "cgroup"))
    for directory in cgroup.open_group(places.group).directories():
        try:
            inside = os.listdir(directory)
        except FileNotFoundError:
            continue
        found |= {f"{places.group}/{name}": None for name in inside
                  if os.path.isdir(f"{directory}/{name}")}
    return [*found, places.group]


def remove_group(path: str) -> list[str]:
    """Kill what is in a control group of ours, and remove it. [] when it was gone already."""
    group = cgroup.open_group(path)
    if not group.exists():
        return []
    try:
        repair.end_processes(group, 0, 0)
        group.remove()
    except (LabError, OSError) as error:
        return [f"could not remove control group {path}: {error}"]
    return [f"removed control group {path}"]


def unmount_root(directory: str) -> list[str]:
    """What `--without mount` has left in the host's own mount table, if its shim was killed."""
    try:
        count = unmount.detach_all(f"{directory}/rootfs")
    except LabError as error:
        return [f"could not unmount {directory}/rootfs: {error}"]
    return [f"unmounted {directory}/rootfs"] if count else []


def remove_path(path: str, what: str) -> list[str]:
    """Delete a file or directory; told as `what`, if that is worth a line."""
    try:
        removal.remove_tree(path)
    except OSError as error:
        return [f"could not remove {path}: {(error.strerror or str(error)).lower()}"]
    return [f"removed {what}"] if what else []
