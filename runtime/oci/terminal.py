"""The container's terminal: a pty from its own devpts, so that no byte of the host's is reachable.

Runs in init and in exec's process, inside the new root. The master travels to the shim, which
copies; the slave is stdin, stdout, stderr, /dev/console and the controlling terminal.
Sources: runtime-spec config.md "process.terminal"; pts(4), ioctl_tty(2).
"""

from __future__ import annotations

import os
import stat

from runtime.errors import Denied
from runtime.kernel import files, terminals, trees

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PTMX, CONSOLE = "/dev/pts/ptmx", "/dev/console"


def attach(process: dict[str, Any], console: bool = True) -> int:
    """Open a pty and make it this session's terminal. Returns the master."""
    master, slave, number = terminals.open_pty(PTMX)
    if files.file_system(master) != files.DEVPTS_SUPER_MAGIC:
        raise Denied(f"open a terminal: {PTMX} of the image is not on a devpts")
    size = process.get("consoleSize")
    if size and size.get("height") and size.get("width"):
        terminals.set_window_size(master, size["height"], size["width"])
    if console:
        show_as_console(slave, number)
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    if slave > 2:
        os.close(slave)
    uid = (process.get("user") or {}).get("uid", 0)
    if uid:
        files.chown(0, uid, -1)
    terminals.set_controlling_terminal(0)
    return master


def show_as_console(slave: int, number: int) -> None:
    """Put the terminal over /dev/console: file and terminal both by what is open.

    The name /dev/pts/N may by now be a link, and so may /dev/console: with either, any file of
    /proc would lie open, writable, past what is masked (CVE-2025-52565).
    """
    files.make_file(CONSOLE, 0o620)
    place = os.open(CONSOLE, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        mode = os.fstat(place).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode)):
            raise Denied(f"open a terminal: {CONSOLE} of the image is neither a file nor a device")
        tree = trees.open_tree(f"/dev/pts/{number}", False, slave)
        try:
            trees.move_mount(tree, place, CONSOLE)
        finally:
            os.close(tree)
    finally:
        os.close(place)
