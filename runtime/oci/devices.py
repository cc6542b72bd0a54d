"""Device nodes and links below the container's /dev.

Runs in init, while the host's files can still be reached. In a user namespace mknod is refused, so
there the host's nodes are bound. An entry of config.json: {"path": "/dev/net/tun", "type": "c",
"major": 10, "minor": 200, "fileMode": 432, "uid": 0, "gid": 0}.
Sources: runtime-spec config-linux.md "Devices", "Default Devices"; mknod(2), null(4).
"""

from __future__ import annotations

import os

from runtime.kernel import devices, files, mounts
from runtime.kernel.mounts import MS_BIND
from runtime.oci.mounts import target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.plan import Plan

# What every container has: runtime-spec config-linux.md "Default Devices".
NODES: tuple[dict[str, Any], ...] = tuple(
    {"path": f"/dev/{name}", "type": "c", "major": major, "minor": minor}
    for name, major, minor in (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8),
                               ("urandom", 1, 9), ("tty", 5, 0)))
LINKS = (("/proc/self/fd", "fd"), ("/proc/self/fd/0", "stdin"), ("/proc/self/fd/1", "stdout"),
         ("/proc/self/fd/2", "stderr"), ("pts/ptmx", "ptmx"))
DEFAULT_MODE = 0o666


def fill_dev(root_fd: int, plan: Plan) -> None:
    """Make what every container has, what config.json adds, and the links."""
    bound = plan.new_namespace("user")
    dev = target(root_fd, "/dev", True)
    place = files.Opened(dev, "/dev")
    try:
        for entry in NODES:
            make_node(place.below(entry["path"][5:]), entry, bound)
        for entry in (plan.spec.get("linux") or {}).get("devices") or []:
            make_device(root_fd, entry, bound)
        for goal, name in LINKS:
            files.symlink(goal, place.below(name))
    finally:
        os.close(dev)


def make_device(root_fd: int, entry: dict[str, Any], bound: bool) -> None:
    """A node anywhere in the root; its directory is resolved inside it, and made if missing."""
    above, _, name = entry["path"].rpartition("/")
    folder = target(root_fd, above, True)
    try:
        make_node(files.Opened(folder, above).below(name), entry, bound)
    finally:
        os.close(folder)


def make_node(place: files.Opened, entry: dict[str, Any], bound: bool) -> None:
    """One device node; one that is there already is left, as runc leaves it."""
    kind, major, minor = entry["type"], entry.get("major", 0), entry.get("minor", 0)
    mode = entry.get("fileMode")
    try:
        if bound:
            files.make_file(place)
            mounts.mount(entry["path"], place, None, mounts.Flags(MS_BIND))
            return
        devices.mknod(place, kind, major, minor, DEFAULT_MODE if mode is None else mode)
    except FileExistsError:
        return
    if entry.get("uid") or entry.get("gid"):
        files.chown(place, entry.get("uid") or 0, entry.get("gid") or 0)
