"""Device nodes and links below the container's /dev.

Runs in init, while the host's files can still be reached. Where mknod is refused (in a user
namespace, or without CAP_MKNOD) the host's nodes are bound. What is made, found or bound is looked
at by descriptor before it counts: it has to be the device that was asked for, and no link. An
entry of config.json: {"path": "/dev/net/tun", "type": "c", "major": 10, "minor": 200, "fileMode":
432, "uid": 0, "gid": 0}.
Sources: runtime-spec config-linux.md "Devices", "Default Devices"; mknod(2), null(4).
"""

from __future__ import annotations

import errno
import os
import stat

from runtime.errors import Denied, KernelError
from runtime.kernel import devices, files, mounts
from runtime.kernel.mounts import MS_BIND
from runtime.oci.mounts import is_bind
from runtime.oci.places import target, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.plan import Plan

# What every container has: runtime-spec config-linux.md "Default Devices".
NODES: tuple[dict[str, Any], ...] = tuple(
    {"path": f"/dev/{name}", "type": "c", "major": major, "minor": minor}
    for name, major, minor in (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8),
                               ("urandom", 1, 9), ("tty", 5, 0)))
# What the group lets everybody use, whatever linux.resources.devices says: those, terminals, and to
# make (not to open) any node. runc's AllowedDevices.
RULES: list[dict[str, Any]] = [
    *({"allow": True, "type": kind, "access": "m"} for kind in "cb"),
    *({"allow": True, "type": "c", "access": "rwm", "major": node["major"], "minor": node["minor"]}
      for node in NODES),
    {"allow": True, "type": "c", "access": "rwm", "major": 5, "minor": 2},
    {"allow": True, "type": "c", "access": "rwm", "major": 136},
]
LINKS = (("/proc/self/fd", "fd"), ("/proc/self/fd/0", "stdin"), ("/proc/self/fd/1", "stdout"),
         ("/proc/self/fd/2", "stderr"), ("pts/ptmx", "ptmx"))
CORE = "/proc/kcore"
DEFAULT_MODE = 0o666


def with_default_rules(resources: dict[str, Any]) -> dict[str, Any]:
    """linux.resources, its devices with those that every container may use."""
    rules = resources.get("devices")
    if not rules:
        return resources
    return {**resources, "devices": rules + [rule for rule in RULES if rule not in rules]}


def fill_dev(root_fd: int, plan: Plan) -> None:
    """Make what every container has, what config.json adds, and the links."""
    if any(is_bind(entry) and whole(entry["destination"]) == "/dev"
           for entry in plan.spec.get("mounts") or []):
        return  # the host's own /dev: nothing is ours to make in it
    bound = "user" in plan.namespaces
    dev = target(root_fd, "/dev", True)
    try:
        for entry in NODES:
            make_node(dev, "/dev", entry, bound)
        for entry in (plan.spec.get("linux") or {}).get("devices") or []:
            make_device(root_fd, entry, bound)
        place = files.Opened(dev, "/dev")
        # The image's own would be a terminal of the host's.
        remove_other(dev, place, "ptmx", "pts/ptmx")
        for goal, name in LINKS:
            files.symlink(goal, place.below(name))
        if os.path.lexists(CORE):
            files.symlink(CORE, place.below("core"))
    finally:
        os.close(dev)


def remove_other(folder: int, place: files.Opened, name: str, goal: str) -> None:
    """Take away what has the name of a link, unless it is that link."""
    try:
        if os.readlink(name, dir_fd=folder) == goal:
            return
    except FileNotFoundError:
        return
    except OSError:
        pass  # no link at all
    files.unlink(place.below(name))


def make_device(root_fd: int, entry: dict[str, Any], bound: bool) -> None:
    """A node anywhere in the root; its directory is resolved inside it, and made if missing."""
    path = whole(entry["path"])
    if path == "/dev/ptmx":
        return  # a link, always: runtime-spec, "Default Devices"
    above, _, _ = path.rpartition("/")
    folder = target(root_fd, above, True)
    try:
        make_node(folder, above, {**entry, "path": path}, bound)
    finally:
        os.close(folder)


def make_node(folder: int, above: str, entry: dict[str, Any], bound: bool) -> None:
    """One device node; one that is there already has to be the same, and is left as it is."""
    name = entry["path"].rpartition("/")[2]
    place = files.Opened(folder, above, name)
    mode = entry.get("fileMode")
    try:
        if not bound:
            devices.mknod(place, entry["type"], entry.get("major") or 0, entry.get("minor") or 0,
                          DEFAULT_MODE if mode is None else mode)
    except FileExistsError:
        look(folder, name, entry)
        return
    except KernelError as error:
        if error.errno != errno.EPERM or entry["type"] == "p":
            raise
        bound = True
    if bound:
        bind_node(folder, above, name, entry)
    elif entry.get("uid") or entry.get("gid"):
        files.chown_at(folder, name, entry.get("uid") or 0, entry.get("gid") or 0)


def look(folder: int, name: str, entry: dict[str, Any]) -> None:
    """Denied if what is there is not the node that was asked for: runtime-spec, "Devices"."""
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        if not is_node(fd, entry):
            raise Denied(f"make the device {entry['path']}: the image has something else there")
    finally:
        os.close(fd)


def is_node(fd: int, entry: dict[str, Any]) -> bool:
    """Is the open file this device?"""
    found = os.fstat(fd)
    if stat.S_IFMT(found.st_mode) != devices.KINDS[entry["type"]]:
        return False
    return entry["type"] == "p" or found.st_rdev == os.makedev(entry.get("major") or 0,
                                                               entry.get("minor") or 0)


def stands(folder: int, name: str) -> bool:
    """Is a device there? Opening one, as an empty file is, could set it off."""
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def bind_node(folder: int, above: str, name: str, entry: dict[str, Any]) -> None:
    """The host's node over an empty file, both by descriptor."""
    if entry["type"] == "p":
        devices.mknod(files.Opened(folder, above, name), "p", 0, 0,
                      entry.get("fileMode") or DEFAULT_MODE)
        return
    if stands(folder, name):
        look(folder, name, entry)  # bound a moment ago, as one that every container has
        return
    files.make_file_at(folder, name)
    source = os.open(entry["path"], os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not is_node(source, entry):
            raise Denied(f"make the device {entry['path']}: the host's is another one, and a new "
                         "one may not be made here")
        place = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            mounts.mount(files.Opened(source, entry["path"]), files.Opened(place, entry["path"]),
                         None, mounts.Flags(MS_BIND))
        finally:
            os.close(place)
    finally:
        os.close(source)
