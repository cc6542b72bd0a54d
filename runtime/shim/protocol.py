"""What is said on the shim's socket: frames of a type byte, a length, and a payload.

Runs in the shim and in whoever talks to it (engine). One connection is one conversation:

    caller → shim   J {"do": "attach"}            first frame: what is wanted
                    I bytes                       stdin
                    C                             stdin is at its end
                    W {"rows": 40, "columns": 120}
    shim → caller   R {"ok": …} | R {"error": …}  the answer to J
                    O bytes   E bytes             stdout, stderr
                    X {"code": 137}               the process has ended; nothing follows

`do`: attach; wait (to be told the end alone); exec {"process", "stdin", "detach"}, whose answer
comes when the process runs; kill {"signal", "by"}; pause; resume.
The length is four bytes, the most significant first; at most 1 MiB.
"""

from __future__ import annotations

import struct

from runtime import documents
from runtime.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    import _socket

HEADER = struct.Struct(">cI")
LARGEST = 1 << 20


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    """One frame, ready to send."""
    return HEADER.pack(kind, len(payload)) + payload


def message(kind: bytes, value: Any) -> bytes:
    """One frame with a JSON payload."""
    return frame(kind, documents.encode(value).encode())


class Frames:
    """Takes bytes as they come, gives whole frames."""

    __slots__ = ("pending",)

    def __init__(self) -> None:
        self.pending = b""

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The frames that are complete now. Raises Invalid for a length beyond LARGEST."""
        self.pending += data
        while len(self.pending) >= HEADER.size:
            kind, length = HEADER.unpack_from(self.pending)
            if length > LARGEST:
                raise Invalid(f"read a frame: {length} bytes are more than {LARGEST}")
            end = HEADER.size + length
            if len(self.pending) < end:
                return
            payload, self.pending = self.pending[HEADER.size:end], self.pending[end:]
            yield kind, payload


def receive(sock: _socket.socket, frames: Frames) -> list[tuple[bytes, bytes]] | None:
    """Wait for at least one frame; None when the other side is gone."""
    while True:
        try:
            data = sock.recv(65536)
        except ConnectionResetError:
            return None
        if not data:
            return None
        found = list(frames.feed(data))
        if found:
            return found
