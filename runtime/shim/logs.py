"""The container's log, in Docker's json-file format: one JSON object a line.

Runs in the shim; the engine reads the file. {"log":"hi\\n","stream":"stdout","time":"2026-…Z"}.
A line of more than 16 KiB is cut in pieces, each without a newline, as Docker does. A full disk
loses log lines and never the container: that it happened is told once.
Source: moby daemon/logger/jsonfilelog, daemon/logger/copier.go.
"""

from __future__ import annotations

import os
import time

from runtime import documents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST = 16 * 1024


def rfc3339(moment_ns: int) -> str:
    """Nanoseconds since 1970 as Docker writes a time: "2026-11-24T12:03:07.114000123Z"."""
    seconds, nanoseconds = divmod(moment_ns, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanoseconds:09d}Z"


class Log:
    """The open log of one container."""

    def __init__(self, path: str, trouble: Callable[[str], None]) -> None:
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        self.rest = {"stdout": b"", "stderr": b""}
        self.trouble = trouble
        self.told = False
        self.torn = False  # the last line in the file is not whole

    def write(self, stream: str, data: bytes) -> None:
        """Take what the container wrote; whole lines go to the file at once."""
        data = self.rest[stream] + data
        pieces = []
        while data:
            end = data.find(b"\n", 0, LONGEST) + 1
            if not end:
                if len(data) < LONGEST:
                    break
                end = LONGEST
            pieces.append(data[:end])
            data = data[end:]
        self.rest[stream] = data
        if pieces:
            self.append(stream, pieces)

    def append(self, stream: str, pieces: list[bytes]) -> None:
        """Write finished pieces with the time of now."""
        now = rfc3339(time.time_ns())
        # One document for all, then cut into lines: a call for each takes ten times as long.
        # Between quotes no text can look like the seam, for JSON escapes every quote in it.
        text = documents.encode([{"log": piece.decode("utf-8", "replace"), "stream": stream,
                                  "time": now} for piece in pieces])
        seam = f',"stream":"{stream}","time":"{now}"}}'
        text = text[1:-1].replace(seam + ",", seam + "\n") + "\n"
        # Behind a line that the full disk cut in two, the next one starts on a line of its own.
        data = (b"\n" if self.torn else b"") + text.encode()
        try:
            written = os.write(self.fd, data)
        except OSError as error:
            self.tell(os.strerror(error.errno or 0).lower())
            return
        self.torn = written < len(data)
        if self.torn:
            self.tell("no space left on device")

    def tell(self, cause: str) -> None:
        """That something is missing from the log is told once."""
        if not self.told:
            self.told = True
            self.trouble(f"write the log: {cause}")

    def close(self) -> None:
        """Write what had no newline yet, and close."""
        for stream, data in self.rest.items():
            if data:
                self.append(stream, [data])
        os.close(self.fd)
