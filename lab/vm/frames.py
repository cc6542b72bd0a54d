"""What host and machine say to each other over one serial port: frames.

Used by session (host) and agent (guest). A frame is a type byte, the length of the payload in four
bytes, little end first, and the payload:

    host → guest   G go, S start (JSON), I stdin, E its end, W window size (JSON), K signal, Q quit
    guest → host   R ready, O stdout, E stderr, A bytes of stdin taken (JSON), X exit code (JSON)

    encode(b"W", b'[24, 80]')  →  b"W\\x08\\x00\\x00\\x00[24, 80]"

stdin is sent against credit: not more than WINDOW bytes that the guest has not taken yet, for the
port is one pipe and a full stdin must not keep a signal or a window size waiting behind it.
"""

from __future__ import annotations

import struct

WINDOW = 64 << 10
CHUNK = 32 << 10
LARGEST = 1 << 20
HEAD = struct.Struct("<cI")


def encode(kind: bytes, payload: bytes = b"") -> bytes:
    """One frame as bytes."""
    return HEAD.pack(kind, len(payload)) + payload


class Decoder:
    """Bytes in, frames out."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """The frames that are complete now. Raises ValueError for what cannot be one."""
        self.rest += data
        found, at = [], 0
        while len(self.rest) - at >= HEAD.size:
            kind, length = HEAD.unpack_from(self.rest, at)
            if length > LARGEST:
                raise ValueError(f"a frame of {length} bytes")
            end = at + HEAD.size + length
            if end > len(self.rest):
                break
            found.append((kind, self.rest[at + HEAD.size:end]))
            at = end
        self.rest = self.rest[at:]
        return found
