"""The terminal of the person: raw while a container has it, and as before on every way out.

Runs in `run -t`, `exec -t`, `start -a`, `attach`. Raw means that ^C is a byte for the container's
own terminal, not a signal here. Sources: termios(3), docker/cli's streams and moby/term.
"""

from __future__ import annotations

import fcntl
import os
import struct

from runtime.client.options import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

DETACH_KEYS = "ctrl-p,ctrl-q"


def size(fd: int = 1) -> tuple[int, int] | None:
    """Rows and columns of the terminal, or None where there is none."""
    import termios

    try:
        answer = fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return None
    rows, columns = struct.unpack("HHHH", answer)[:2]
    return rows, columns


class raw:  # noqa: N801  (reads as a statement: with raw(0): …)
    """Hand every key through, for the length of a block; nothing if fd is no terminal."""

    __slots__ = ("fd", "before")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.before: list[Any] | None = None

    def __enter__(self) -> None:
        if not os.isatty(self.fd):
            return
        import termios

        self.before = termios.tcgetattr(self.fd)
        mode = termios.tcgetattr(self.fd)
        # cfmakeraw(3): no signals, no echo, no line editing, no translation of \n or \r.
        mode[0] &= ~(termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP
                     | termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON)
        mode[1] &= ~termios.OPOST
        mode[2] = (mode[2] & ~(termios.CSIZE | termios.PARENB)) | termios.CS8
        mode[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG
                     | termios.IEXTEN)
        termios.tcsetattr(self.fd, termios.TCSADRAIN, mode)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self.before is not None:
            import termios

            termios.tcsetattr(self.fd, termios.TCSADRAIN, self.before)


class DetachKeys:
    """Looks for the keys that let go of a container, and holds back what may become them."""

    __slots__ = ("keys", "held")

    def __init__(self, text: str = "") -> None:
        self.keys = key_bytes(text or DETACH_KEYS)
        self.held = b""

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What to send on of `data`, and whether the keys are complete."""
        data = self.held + data
        found = data.find(self.keys)
        if found >= 0:
            self.held = b""
            return data[:found], True
        keep = len(self.keys) - 1
        while keep and not data.endswith(self.keys[:keep]):
            keep -= 1
        self.held = data[len(data) - keep:]
        return data[:len(data) - keep], False


def key_bytes(text: str) -> bytes:
    """The bytes of "ctrl-p,ctrl-q" or "a,ctrl-[". Raises ClientError."""
    keys = bytearray()
    for key in text.split(","):
        if len(key) == 1:
            keys += key.encode()
        elif key.startswith("ctrl-") and len(key) == 6 and 0 <= _control(key[5]) < 32:
            keys.append(_control(key[5]))
        else:
            raise ClientError(f"invalid detach keys ({text}): Unknown character: '{key}'")
    return bytes(keys)


def _control(character: str) -> int:
    return 0 if character == "@" else ord(character.lower()) - (96 if character.isalpha() else 64)
