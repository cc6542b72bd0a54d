"""Frames: whatever way the bytes are cut, the same frames come out."""

from __future__ import annotations

import pytest

from lab.vm import frames

SAID = [(b"S", b'{"argv": ["true"]}'), (b"I", bytes(range(256)) * 100), (b"E", b""), (b"Q", b"")]


@pytest.mark.parametrize("size", [1, 2, 5, 7, 4096, 1 << 20])
def test_cut_anywhere(size):
    data = b"".join(frames.encode(kind, payload) for kind, payload in SAID)
    decoder, found = frames.Decoder(), []
    for at in range(0, len(data), size):
        found += decoder.feed(data[at:at + size])
    assert found == SAID
    assert decoder.rest == b""


def test_no_frame_is_that_long():
    with pytest.raises(ValueError, match="a frame of 4294967295 bytes"):
        frames.Decoder().feed(b"O\xff\xff\xff\xff")


def test_form():
    assert frames.encode(b"W", b"[24, 80]") == b"W\x08\x00\x00\x00[24, 80]"
