"""The container's view of its own control groups: /sys/fs/cgroup inside.

Runs in init. The group's own directories are bound, not mounted afresh: a new mount of a v1
hierarchy waits for a global lock (9–13 ms), a bind 0.2 ms, and both show the same files.

    type "cgroup", v1    a tmpfs with a directory for each hierarchy, and "unified" on a hybrid host
    type "cgroup", v2    the group; without a cgroup namespace the whole tree, for then
                         /proc/self/cgroup names the group by its path from there
    type "cgroup2"       the same of the v2 tree, also on a hybrid host

Source: runtime-spec config-linux.md, mounts of type "cgroup"; cgroup_namespaces(7); runc's
mountCgroupV1, mountCgroupV2.
"""

from __future__ import annotations

import os

from runtime.errors import Unsupported
from runtime.kernel import files, mounts, trees
from runtime.kernel.mounts import MS_BIND
from runtime.oci.mounts import Options, attributes, set_later
from runtime.oci.places import refuse_proc, target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cgroup.cgroup import Cgroup

TYPES = ("cgroup", "cgroup2")
# Whoever may write there still makes no devices and runs nothing there: as runc.
SEALED = mounts.MOUNT_ATTR_NOSUID | mounts.MOUNT_ATTR_NODEV | mounts.MOUNT_ATTR_NOEXEC


def mount_view(root_fd: int, entry: dict[str, Any], group: Cgroup, own_namespace: bool,
               more: bool = False) -> int | None:
    """Show the group below the destination, with the entry's options.

    With `more` to be mounted in it, a read-only view is made so later: returns a descriptor of it.
    """
    options, destination = Options(entry.get("options") or []), entry["destination"]
    binds = group.namespace_mounts()
    if entry["type"] == "cgroup2" or not binds[0][1]:
        tree = open_unified(group, own_namespace)
        binds = []
    else:  # v1: a directory per hierarchy, on a tmpfs of their own
        tree = trees.fsmount("tmpfs", "tmpfs", "mode=755")
    try:
        place = target(root_fd, destination, True)
        try:
            refuse_proc(root_fd, place, destination, False)
            trees.move_mount(tree, place, destination)
        finally:
            os.close(place)
        below = files.Opened(tree, destination)
        for directory, name in binds:
            files.mkdir_at(tree, name)
            mounts.mount(directory, below.below(name), None, mounts.Flags(MS_BIND))
        mounts.mount_setattr(destination, mounts.Attributes(SEALED | attributes(options.flags)),
                             recursive=True, fd=tree)
        set_later(tree, destination, options)
        if not more or not options.flags & mounts.MS_RDONLY:
            return None
        mounts.mount_setattr(destination, mounts.Attributes(0), False,
                             mounts.Attributes(mounts.MOUNT_ATTR_RDONLY), fd=tree)
        return os.dup(tree)
    finally:
        os.close(tree)


def open_unified(group: Cgroup, own_namespace: bool) -> int:
    """A copy of the v2 tree: from the group down, or all of it. Raises Unsupported."""
    top = group.hierarchies.unified
    if top is None:
        raise Unsupported("mount cgroup2: this host has no v2 tree mounted")
    return trees.open_tree(f"{top}{group.path}" if own_namespace else top)
