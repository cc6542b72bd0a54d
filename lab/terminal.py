"""The terminal as it was before the screen, kept by the spawner for when the lab is killed.

A program that is killed cannot put its terminal right: the other screen, the mouse's reports and
the hidden cursor stay, and the shell is typed into blind. The spawner outlives the lab and sees its
socket end; this is what it does then. It runs in the spawner, which has no terminal of its own any
more, only this descriptor; what another program has set in the meantime it leaves alone.
Sources: console_codes(4), termios(3), xterm's ctlseqs (DECSET 1000 to 2048).
"""

from __future__ import annotations

import os
import termios
from typing import Any

# What Textual's driver turned on: pastes, sizes, mouse, keys, focus, the other screen, no cursor.
LEAVE = (b"\x1b[?2004l\x1b[?7h\x1b[?2048l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l"
         b"\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l\x1b[0m")
LOCAL_FLAGS = 3


class Terminal:
    """An open description of its own, and the settings from before."""

    def __init__(self, fd: int, before: list[Any]) -> None:
        self.fd, self.before = fd, before

    @classmethod
    def hold(cls, of: int = 0) -> Terminal | None:
        """Keep the terminal behind that descriptor; None when there is none."""
        try:
            before = termios.tcgetattr(of)
            # Never waits, as on a terminal stopped by ctrl+s, and never becomes ours to control.
            fd = os.open(os.ttyname(of),
                         os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, termios.error):
            return None
        return cls(fd, before)

    def restore(self) -> None:
        """Leave the screen, and put back the settings unless a shell has set its own by now."""
        try:
            os.write(self.fd, LEAVE)
            now = termios.tcgetattr(self.fd)
            # Without ISIG even ctrl+c does nothing: that is how the lab leaves it, and no shell.
            if not now[LOCAL_FLAGS] & termios.ISIG:
                termios.tcsetattr(self.fd, termios.TCSANOW, self.before)
        except (OSError, termios.error):
            return

    def close(self) -> None:
        """Let go of it; for what is forked off and lives on."""
        os.close(self.fd)
