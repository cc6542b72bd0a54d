"""From the engine's words to the frozen rows that the screen shows: containers, points, operations.

Pure functions, used in the sampler's thread. A container.json and its state become a `Row`, two
readings of a group a `Point` of the plots, a line of operations.jsonl an `Effect`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lab.docker_line import docker_line
from lab.snapshot import Effect, Point, Row
from runtime.inspect.cgroups import Usage, cpu_share


def point(before: Usage, after: Usage) -> Point:
    """One more column of the plots, from two readings."""
    return Point(
        time_s=after.taken_s, memory=after.memory_current or 0,
        cpus=max(0.0, cpu_share(before, after) or 0.0),
        throttled=(after.nr_throttled or 0) > (before.nr_throttled or 0),
        killed=after.oom_kills > before.oom_kills,
    )


def row_of(container: Any) -> Row:
    """The list's row of an engine's Container."""
    asked, state = container.config, container.state
    config = asked.get("Config") or {}
    words = [asked.get("Path") or "", *(asked.get("Args") or [])]
    if not words[0]:
        words = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    return Row(
        id=container.id, name=container.name, image=str(config.get("Image", "")),
        command=" ".join(words), status=state.get("Status", "created"),
        pid=state.get("Pid", 0) or 0, shim_pid=state.get("ShimPid", 0) or 0,
        exit_code=state.get("ExitCode", 0) or 0, oom_killed=bool(state.get("OOMKilled")),
        error=state.get("Error", "") or "", created_s=seconds(asked.get("Created")),
        started_s=seconds(state.get("StartedAt")), finished_s=seconds(state.get("FinishedAt")),
        cgroup=container.cgroup, docker=docker_line(asked),
    )


def seconds(stamp: Any) -> float:
    """Seconds since the epoch of Docker's "2026-11-24T12:03:07.114000000Z"; 0.0 for never."""
    if isinstance(stamp, (int, float)):
        return float(stamp)
    text = str(stamp or "")
    if not text or text.startswith("0001-"):
        return 0.0
    whole, _, rest = text.rstrip("Z").partition(".")
    fraction = float(f"0.{rest[:9]}") if rest[:9].isdecimal() else 0.0
    try:
        return datetime.fromisoformat(f"{whole}+00:00").timestamp() + fraction
    except ValueError:
        return 0.0


def effect_of(data: Mapping[str, Any]) -> Effect:
    """An operation of the birth certificate."""
    return Effect(
        n=data.get("n", 0), phase=data.get("phase", ""), name=data.get("name", ""),
        call=data.get("call", ""), arguments=data.get("arguments") or {}, ns=data.get("ns") or 0,
        errno=data.get("errno", 0), result=data.get("result"), symbol=data.get("symbol", ""),
        by=data.get("by", ""), pid=data.get("pid", 0),
    )
