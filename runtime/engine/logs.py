"""Reading a container's log, and waiting for more.

Runs in the engine. The file is Docker's json-file; lines come as {"log", "stream", "time"}.
"""

from __future__ import annotations

import os
import select

from runtime import documents
from runtime.engine import store
from runtime.kernel import notify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from runtime.engine.containers import Container

PATIENCE_MS = 500


def read(container: Container, follow: bool) -> Iterator[dict[str, Any]]:
    """The lines so far, and with follow those to come until the container has ended."""
    try:
        file = open(container.log_path, "rb")
    except FileNotFoundError:
        if not follow or container.status not in store.LIVE:
            return
        raise
    with file:
        rest = b""
        watch = notify.watch(container.log_path, notify.IN_MODIFY) if follow else -1
        try:
            while True:
                # Looked at before reading: what is written until then is read in this round.
                ended = not follow or container.status not in store.LIVE
                while data := file.read(1 << 16):
                    *whole, rest = (rest + data).split(b"\n")
                    yield from parsed(whole)
                if ended:
                    return
                wait(watch)
        finally:
            if watch >= 0:
                os.close(watch)


def parsed(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    """The lines that are whole; a full disk may have cut one in two."""
    for line in lines:
        try:
            yield documents.parse(line)
        except ValueError:
            continue


def wait(watch: int) -> None:
    """Until the file was written to; now and then also to see whether the container still is."""
    poll = select.poll()
    poll.register(watch, select.POLLIN)
    if poll.poll(PATIENCE_MS):
        os.read(watch, 4096)
