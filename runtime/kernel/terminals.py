"""Terminals: a pty of the container's own devpts, its size, and the controlling terminal.

Runs in init (opens the pair inside the container's devpts, keeps the slave as its terminal) and in
the shim (owns the master, sets the size). Sources: pts(4), ioctl_tty(2), setsid(2).
"""

from __future__ import annotations

import fcntl
import os
import struct

from runtime.errors import KernelError
from runtime.trace.operation import operation

TIOCSCTTY, TIOCGWINSZ, TIOCSWINSZ = 0x540E, 0x5413, 0x5414
TIOCGPTN, TIOCSPTLCK, TIOCGPTPEER = 0x80045430, 0x40045431, 0x5441


@operation("open(2)")
def open_pty(ptmx: str) -> tuple[int, int, int]:
    """A new pair from this devpts: (master fd, slave fd, N of /dev/pts/N). ioctl_tty(2)

    The slave is opened through the master (TIOCGPTPEER), never by its path, which a program inside
    the mount namespace could have put something else over.
    """
    try:
        master = os.open(ptmx, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        fcntl.ioctl(master, TIOCSPTLCK, struct.pack("i", 0))
        slave = fcntl.ioctl(master, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        number = struct.unpack("i", fcntl.ioctl(master, TIOCGPTN, b"\0" * 4))[0]
    except OSError as error:
        raise KernelError("open_pty", error.errno or 0, ptmx) from None
    return master, slave, number


@operation("ioctl_tty(2)")
def set_controlling_terminal(fd: int) -> None:
    """Make fd the controlling terminal of this session, whose leader we are. TIOCSCTTY"""
    fcntl.ioctl(fd, TIOCSCTTY, 0)


@operation("ioctl_tty(2)")
def set_window_size(fd: int, rows: int, columns: int) -> None:
    """Set the size; the kernel sends SIGWINCH to the foreground group. TIOCSWINSZ"""
    fcntl.ioctl(fd, TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def window_size(fd: int) -> tuple[int, int]:
    """(rows, columns) of the terminal fd. Raises OSError when it is none. TIOCGWINSZ"""
    rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(fd, TIOCGWINSZ, b"\0" * 8))
    return rows, columns
