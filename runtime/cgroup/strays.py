"""What another OCI runtime leaves of a group in hierarchies that ours does not use.

Runs in `clean`. runc and crun make a container's group in every v1 hierarchy there is, also in
those without a controller (name=systemd) or with one that we do not limit by; deleting a container
they leave the group above it. Sources: cgroups(7), proc_pid_mountinfo(5).
"""

from __future__ import annotations

import os

from runtime.cgroup import cgroup
from runtime.kernel import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroup.hierarchies import Hierarchies


def directories(path: str, found: Hierarchies) -> list[str]:
    """Where a group of this path stands, beside those of our own."""
    ours = {*found.controllers.values(), found.unified}
    places = []
    for line in (files.read("/proc/self/mountinfo") or "").splitlines():
        before, _, after = line.partition(" - ")
        point = before.split(" ", 5)[4]
        if after.startswith("cgroup ") and point not in ours and os.path.isdir(point + path):
            places.append(point + path)
    return places


def remove(path: str, found: Hierarchies) -> list[str]:
    """Remove such groups with all below them; one line for each that stays."""
    trouble = []
    for directory in directories(path, found):
        for each in (*cgroup.below(directory), directory):
            try:
                files.rmdir(each)
            except FileNotFoundError:
                continue
            except OSError as error:
                trouble.append(f"could not remove control group {each}: "
                               f"{os.strerror(error.errno or 0).lower()}")
    return trouble
