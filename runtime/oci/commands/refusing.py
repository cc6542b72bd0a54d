"""checkpoint and restore: refused, with the reason.

A process tree is put on disk by CRIU, a program of its own that drives ptrace and netlink for
minutes of reading; a course about starting containers has no use for a half of it.
"""

from __future__ import annotations

from runtime.errors import Unsupported
from runtime.oci import state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.oci.cli import Settings
    from runtime.oci.options import Options

HINT = "runc checkpoint and runc restore can, with criu installed"


def checkpoint_(settings: Settings, options: Options, arguments: list[str]) -> int:
    """Refuse."""
    state.load(settings.root, arguments[0])
    raise Unsupported("checkpoint is not built: it needs CRIU to put the processes on disk", HINT)


def restore_(settings: Settings, options: Options, arguments: list[str]) -> int:
    """Refuse."""
    raise Unsupported("restore is not built: it needs CRIU to read the processes from disk", HINT)
