"""What another OCI runtime says of its failure, found in its log, and judged as Docker judges it.

Runs in the shim. A log is JSON lines, as runc and crun write them with --log-format json:
{"level": "error", "msg": "exec: \\"x\\": executable file not found in $PATH", "time": "2026-…"}.
Sources: go-runc (lastRuntimeError), moby daemon/start_unix.go (setExitCodeFromError).
"""

from __future__ import annotations

from runtime import documents
from runtime.errors import Denied, LabError, NotFound


def last_error(log: str) -> str:
    """The last error in a runtime's log, which is JSON lines; "" when it wrote none."""
    said = ""
    for entry in documents.read_lines(log):
        if isinstance(entry, dict) and entry.get("level") in ("error", "fatal"):
            said = str(entry.get("msg") or said)
    return said.strip()


def last_line(data: bytes) -> str:
    """The last line of what was written; "" of nothing."""
    lines = data.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


def judged(text: str) -> LabError:
    """The error with the exit code that Docker reads from its words (moby daemon/start.go)."""
    low = text.lower()
    if "is a directory" in low or "permission denied" in low:
        return Denied(text, exit_code=126)
    if "executable file" in low and "not found" in low or "no such file or directory" in low:
        return NotFound(text, exit_code=127)
    return LabError(text)
