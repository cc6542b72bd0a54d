"""pause and resume: a container's processes stopped where they are, and let run on.

The freezer of the control group does it: no process sees a signal, and none can refuse.
Sources: runc-pause(8), runc-resume(8); cgroups(7).
"""

from __future__ import annotations

from runtime.errors import Conflict
from runtime.oci import state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.oci.cli import Settings
    from runtime.oci.options import Options


def pause_(settings: Settings, options: Options, arguments: list[str]) -> int:
    """Freeze a container that runs, or that waits to be started."""
    container = state.load(settings.root, arguments[0])
    with state.Lock(container):
        if container.status() not in ("running", "created"):
            raise Conflict("container not running")
        container.group().freeze()
    return 0


def resume_(settings: Settings, options: Options, arguments: list[str]) -> int:
    """Thaw it."""
    container = state.load(settings.root, arguments[0])
    with state.Lock(container):
        if container.status() != "paused":
            raise Conflict("container not paused")
        container.group().thaw()
    return 0
