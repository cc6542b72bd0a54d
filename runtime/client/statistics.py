"""stats: what a container uses now, from its cgroup, as a table that renews itself.

The twin of docker/cli's container/stats.go and stats_helpers.go. CPU use is the difference of two
samples by our own clock, so one CPU fully used is 100 %.
"""

from __future__ import annotations

import sys
import time

from runtime.client import tables, units
from runtime.client.options import BUILT, Command
from runtime.errors import LabError, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.client.options import Options
    from runtime.client.session import Session

COLUMNS = tables.Columns({
    "Container": "CONTAINER", "ID": "CONTAINER ID", "Name": "NAME", "CPUPerc": "CPU %",
    "MemUsage": "MEM USAGE / LIMIT", "MemPerc": "MEM %", "NetIO": "NET I/O",
    "BlockIO": "BLOCK I/O", "PIDs": "PIDS",
}, ("ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDs"),
    "*container.statsContext")
SAMPLE_S = 1.0
# Home, and at the end of each line and of the table the rest is blanked.
HOME, LINE_END, SCREEN_END = "\x1b[H", "\x1b[K", "\x1b[J"


def stats(session: Session, given: Options, words: list[str]) -> int:
    """`stats`: once with --no-stream, else until ^C."""
    for name in words:
        session.engine.find(name)
    before = _samples(session, given, words)
    while True:
        time.sleep(SAMPLE_S)
        now = _samples(session, given, words)
        rows = [_row(name, before.get(name), sample, given) for name, sample in now.items()]
        if given.get("no-stream"):
            tables.show(session, rows, COLUMNS, given.get("format", ""))
            return 0
        _renew(session, rows, given)
        before = now


def _renew(session: Session, rows: list[dict[str, Any]], given: Options) -> None:
    """The table over the one before, without a blank screen in between."""
    import io

    page, stdout = io.StringIO(), sys.stdout
    sys.stdout = page
    try:
        tables.show(session, rows, COLUMNS, given.get("format", ""))
    finally:
        sys.stdout = stdout
    session.say(HOME + page.getvalue().replace("\n", LINE_END + "\n") + SCREEN_END, end="")
    sys.stdout.flush()


def _samples(session: Session, given: Options, words: list[str]) -> dict[str, dict[str, Any]]:
    """What is asked for → its counters and when they were read."""
    engine = session.engine
    if words:
        found = [(word, engine.find(word)) for word in words]
    else:
        found = [(container.id[:12], container) for container in engine.containers()
                 if given.get("all") or container.status in ("running", "paused")]
    samples = {}
    for word, container in found:
        try:
            counters = engine.stats(container.id) if container.pid else {}
        except Unsupported:
            raise  # nothing counts here: zeros would be a lie
        except LabError:
            counters = {}  # it ended between the two looks: shown with nothing in use
        samples[word] = {"id": container.id, "name": container.name, "at": time.monotonic_ns(),
                         "counters": counters}
    return samples


def _row(word: str, before: dict[str, Any] | None, now: dict[str, Any],
         given: Options) -> dict[str, Any]:
    counters = now["counters"]
    memory = counters.get("memory_stats") or {}
    used, limit = _memory(memory), memory.get("limit", 0)
    network = (counters.get("networks") or {}).values()
    received = sum(each.get("rx_bytes", 0) for each in network)
    sent = sum(each.get("tx_bytes", 0) for each in network)
    read, written = _blocks(counters.get("blkio_stats") or {})
    return {
        "BlockIO": f"{units.size(read, 3)} / {units.size(written, 3)}",
        "CPUPerc": f"{_cpu(before, now):.2f}%",
        "Container": word,
        "ID": now["id"] if given.get("no-trunc") else now["id"][:12],
        "MemPerc": f"{100 * used / limit if limit else 0:.2f}%",
        "MemUsage": f"{units.binary_size(used)} / {units.binary_size(limit)}",
        "Name": now["name"],
        "NetIO": f"{units.size(received, 3)} / {units.size(sent, 3)}",
        "PIDs": str((counters.get("pids_stats") or {}).get("current", 0)),
    }


def _memory(memory: dict[str, Any]) -> int:
    """Use without the page cache that the kernel would give up first, as Docker counts it."""
    usage: int = memory.get("usage", 0)
    detail = memory.get("stats") or {}
    cache = detail.get("total_inactive_file", detail.get("inactive_file", 0))
    return usage - cache if cache < usage else usage


def _cpu(before: dict[str, Any] | None, now: dict[str, Any]) -> float:
    if before is None or not before["counters"] or not now["counters"]:
        return 0.0
    used = _cpu_ns(now) - _cpu_ns(before)
    over: int = now["at"] - before["at"]
    return max(0.0, 100 * used / max(1, over))


def _cpu_ns(sample: dict[str, Any]) -> int:
    usage: int = sample["counters"]["cpu_stats"]["cpu_usage"]["total_usage"]
    return usage


def _blocks(blocks: dict[str, Any]) -> tuple[int, int]:
    """Bytes read and written."""
    read = written = 0
    for entry in blocks.get("io_service_bytes_recursive") or []:
        if entry["op"].lower() == "read":
            read += entry["value"]
        elif entry["op"].lower() == "write":
            written += entry["value"]
    return read, written


COMMANDS = {
    "stats": Command(stats, "[OPTIONS] [CONTAINER...]",
                     "Display a live stream of container(s) resource usage statistics", (
                         ("all", "a", "bool", BUILT,
                          "Show all containers (default shows just running)"),
                         ("format", "", "string", BUILT, "<table>"),
                         ("no-stream", "", "bool", BUILT,
                          "Disable streaming stats and only pull the first result"),
                         ("no-trunc", "", "bool", BUILT, "Do not truncate output"),
                     ), "container stats, stats"),
}
