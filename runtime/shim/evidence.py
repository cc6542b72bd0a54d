"""What the shim saw of its container, kept for whoever asks why it died.

Runs in the shim. It watches the group's memory events, and writes with a time of one clock:
{"time": 1795521787.131, "who": "kernel", "what": "oom_kill", "from": 0, "to": 1, "source": "/…"}.
What the kernel counted is written only from its counters, never guessed from an exit code.
"""

from __future__ import annotations

import time

from runtime import documents
from runtime.cgroup import stats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WATCHED = ("max", "high", "oom", "oom_kill", "oom_group_kill")
# Under pressure these grow for hours, a hundred times a second: a line whenever they have doubled.
OFTEN = ("max", "high")
MOST_KEPT = 100


class Evidence:
    """The evidence of one container, on disk and in memory."""

    def __init__(self, path: str, group_path: str) -> None:
        self.path, self.group_path = path, group_path
        self.counters: dict[str, int] = {}  # as they were noted last
        self.oom_kills = 0
        self.unwritten: list[dict[str, Any]] = []

    def note(self, who: str, what: str, **more: Any) -> None:
        """Write one observation. A full disk must not stop the shim: it is kept for the next."""
        self.unwritten.append({"time": time.time(), "who": who, "what": what, **more})
        del self.unwritten[:-MOST_KEPT]
        try:
            while self.unwritten:
                documents.append_line(self.path, self.unwritten[0])
                del self.unwritten[0]
        except OSError:
            return

    def read_memory_events(self) -> bool:
        """Compare the counters with the last reading; True when the kernel killed meanwhile."""
        found = stats.read_file(self.group_path, "memory.events")
        if found is None:
            return False
        text, source = found
        now = stats.pairs(text)
        killed = now.get("oom_kill", 0) > self.oom_kills
        for key in WATCHED:
            before, after = self.counters.get(key, 0), now.get(key, 0)
            if after > before and (key not in OFTEN or after >= 2 * before):
                self.note("kernel", key, **{"from": before, "to": after}, source=source)
                self.counters[key] = after
        self.oom_kills = now.get("oom_kill", 0)
        return killed
