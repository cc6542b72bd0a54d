"""The maps of a container's user namespace: who is who on either side.

Runs in the shim (or the runtime's command), the parent of init, which waits for it: without a
map it is nobody, and may not touch a file. Root writes what config.json says; an ordinary user
may write his own id, and has newuidmap and newgidmap write the rest (kernel/subids.py).

    {"uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}], …} → /proc/4213/uid_map

Source: runtime-spec config-linux.md "User namespace mappings"; user_namespaces(7).
"""

from __future__ import annotations

from runtime.kernel import subids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def write(pid: int, linux: dict[str, Any]) -> None:
    """Write both maps. Raises KernelError, Denied."""
    subids.write(pid, from_spec(linux.get("uidMappings")), from_spec(linux.get("gidMappings")))


def from_spec(entries: list[dict[str, int]] | None) -> subids.Map:
    """config.json's words as (inside, outside, count)."""
    return [(entry["containerID"], entry["hostID"], entry["size"]) for entry in entries or []]


def to_spec(wanted: subids.Map) -> list[dict[str, int]]:
    """(inside, outside, count) in config.json's words."""
    return [{"containerID": inside, "hostID": outside, "size": count}
            for inside, outside, count in wanted]
