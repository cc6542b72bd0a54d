"""The container's terminal: a pty from its own devpts, so that no byte of the host's is reachable.

Runs in init and in exec's process, inside the new root. The master travels to the shim, which
copies; the slave is stdin, stdout, stderr, /dev/console and the controlling terminal.
Sources: runtime-spec config.md "process.terminal"; pts(4), ioctl_tty(2).
"""

from __future__ import annotations

import os

from runtime.kernel import files, mounts, terminals
from runtime.kernel.mounts import MS_BIND

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def attach(process: dict[str, Any], console: bool = True) -> int:
    """Open a pty and make it this session's terminal. Returns the master."""
    master, slave, number = terminals.open_pty("/dev/pts/ptmx")
    size = process.get("consoleSize")
    if size and size.get("height") and size.get("width"):
        terminals.set_window_size(master, size["height"], size["width"])
    if console:
        files.make_file("/dev/console", 0o620)
        # By the descriptor: at the name an image without a devpts of its own may have put any
        # file, which would be writable under this one (CVE-2025-52565).
        mounts.mount(files.Opened(slave, f"/dev/pts/{number}"), "/dev/console", None,
                     mounts.Flags(MS_BIND))
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    if slave > 2:
        os.close(slave)
    uid = (process.get("user") or {}).get("uid", 0)
    if uid:
        files.chown(0, uid, -1)
    terminals.set_controlling_terminal(0)
    return master
