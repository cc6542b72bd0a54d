"""Frames: whole however the bytes arrive, and never larger than agreed."""

from __future__ import annotations

import _socket
import pytest

from runtime.errors import Invalid
from runtime.shim import protocol


def test_the_bytes_of_a_frame():
    assert protocol.frame(b"O", b"hi") == b"O\0\0\0\2hi"
    assert protocol.message(b"W", {"rows": 40}) == b'W\0\0\0\x0b{"rows":40}'


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 1000])
def test_frames_in_pieces(step):
    said = [(b"J", b"{}"), (b"I", b"x" * 300), (b"C", b""), (b"I", b"\0\xff")]
    data = b"".join(protocol.frame(kind, payload) for kind, payload in said)
    frames, heard = protocol.Frames(), []
    for at in range(0, len(data), step):
        heard += list(frames.feed(data[at:at + step]))
    assert heard == said and frames.pending == b""


def test_a_frame_too_large():
    frames = protocol.Frames()
    with pytest.raises(Invalid, match="are more than"):
        list(frames.feed(b"I\0\x10\0\1"))
    assert list(protocol.Frames().feed(b"I\0\x10\0\0")) == [], "exactly a MiB may come"


def test_receive():
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    frames = protocol.Frames()
    theirs.sendall(protocol.frame(b"O", b"a") + protocol.frame(b"O", b"b") + b"X")
    assert protocol.receive(ours, frames) == [(b"O", b"a"), (b"O", b"b")]
    theirs.close()
    assert protocol.receive(ours, frames) is None
    ours.close()
