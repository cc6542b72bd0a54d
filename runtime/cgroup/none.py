"""No control group at all: an ordinary user to whom none is delegated.

Runs where cgroup.py says. Its container runs in the groups of whoever started it. What needs a
group is refused by name; what a group would have done at the end, its PID namespace does: with its
first process the kernel ends them all. Sources: cgroups(7) "Delegation"; pid_namespaces(7).
"""

from __future__ import annotations

from runtime.cgroup.cgroup import Cgroup
from runtime.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WHY = "no control group is delegated to this user"
HINT = "container-lab doctor says how to get one"


class NoGroup(Cgroup):
    """The group that is not there."""

    version = 0

    def create(self) -> None:
        """Nothing to make."""

    def apply(self, resources: dict[str, Any]) -> None:
        """Raises Unsupported for any limit. (Devices need none: there is only what is bound.)"""
        asked = [name for name, value in resources.items() if value and name != "devices"]
        if asked:
            raise Unsupported(f"set limits ({', '.join(asked)}): {WHY}", HINT)

    def birth_fd(self) -> int | None:
        return None

    def open_joins(self) -> list[int]:
        return []

    def join_self(self, joins: list[int]) -> None:
        """Nothing to join."""

    def namespace_mounts(self) -> list[tuple[str, str]]:
        return []

    def freeze(self) -> None:
        raise Unsupported(f"pause: {WHY}, and only a group can be frozen", HINT)

    def thaw(self) -> None:
        """Nothing is frozen."""

    def frozen(self) -> bool:
        return False

    def watch_oom(self) -> int | None:
        return None

    def processes(self) -> list[int]:
        return []

    def kill(self) -> None:
        """Whoever has the PID namespace's first process has ended them."""

    def remove(self) -> None:
        """Nothing to remove."""
