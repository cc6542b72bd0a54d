"""`--without` and `--unsafe`, flags of our own: a container less one part, to see what it is for.

Runs in `run`, `create` and `ablation`. Docker has neither; they fill one key of HostConfig that is
ours, and the engine judges what is said there.

    host_fields({"without": ["pid,net"], "unsafe": True})
    → {"ContainerLab": {"Without": ["pid", "net"], "Unsafe": True}}
"""

from __future__ import annotations

from runtime.client.options import BUILT, ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.client.options import Flag, Options

WITHOUT: Flag = (
    "without", "", "list", BUILT,
    "Leave out a part of the container, to see what it is for: pid, mount, net, ipc, uts, user, "
    "cgroup, time, seccomp, caps, masks, pivot (container-lab's own flag, not Docker's)")
UNSAFE: Flag = (
    "unsafe", "", "bool", BUILT,
    "With --without: also where a program inside could harm the host (container-lab's own flag, "
    "not Docker's)")


def host_fields(given: Options) -> dict[str, Any]:
    """The field of HostConfig that they fill; {} where neither is given."""
    parts = [part.strip() for text in given.get("without", []) for part in text.split(",")]
    if "" in parts:
        raise ClientError("--without needs the name of a part: --without pid,net")
    if not parts:
        if given.get("unsafe"):
            raise ClientError("--unsafe says that --without is meant, and there is no --without")
        return {}
    asked: dict[str, Any] = {"Without": list(dict.fromkeys(parts))}
    if given.get("unsafe"):
        asked["Unsafe"] = True
    return {"ContainerLab": asked}
