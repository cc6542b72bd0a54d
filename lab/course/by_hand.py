"""Finds what a student made without Docker: the process with exactly the command line of a lesson.

A name with a space in it is no container's name but a command line, `sleep 3607`. The number is the
student's own (`[vars]`), so no other process has it, and whether `docker run` started it or
`unshare` is all the same: the checks find the process and ask the kernel about it.

    find(source, "sleep 3607", since_ns) -> [Made(4213, 91220, "sleep 3607")]     newest first

Reads /proc; `end` is the reset's, and ends only what began after the attempt did.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass

from runtime.inspect.processes import command_line, pids, start_ticks
from runtime.inspect.source import Source, text

# /proc counts in these; an attempt that began in the same second as the process is before it.
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SLACK_NS = 10**9


@dataclass(frozen=True, slots=True)
class Made:
    """A process, with when it began in ticks since boot: with the pid, its identity."""

    pid: int
    start_ticks: int
    command: str


def is_command(name: str) -> bool:
    """Whether a subject is a command line, and not a container's name."""
    return " " in name


def find(source: Source, command: str, since_ns: int) -> list[Made]:
    """The processes of the host with that command line that began since then, newest first."""
    wanted, earliest = tuple(command.split()), _ticks(source, since_ns)
    found = []
    for pid in pids(source):
        if command_line(source, pid) == wanted:
            begun = start_ticks(source, pid)
            if begun is not None and begun >= earliest:
                found.append(Made(pid, begun, command))
    return sorted(found, key=lambda one: (one.start_ticks, one.pid), reverse=True)


def newest(source: Source, command: str, since_ns: int) -> int:
    """The pid of the newest one; 0 when there is none."""
    return next((one.pid for one in find(source, command, since_ns)), 0)


def _ticks(source: Source, since_ns: int) -> int:
    """A moment of the wall clock in ticks since boot. /proc/uptime has hundredths."""
    uptime = float((text(source, "/proc/uptime") or "0").split()[0])
    ago_s = (time.time_ns() - since_ns + SLACK_NS) / 1e9
    return int((uptime - ago_s) * TICKS_PER_S)


def end(source: Source, made: Made) -> bool:
    """Kill it, if it is still the same process; whether it was."""
    with suppress(OSError):
        fd = os.pidfd_open(made.pid)
        try:
            if start_ticks(source, made.pid) == made.start_ticks:
                signal.pidfd_send_signal(fd, signal.SIGKILL)
                return True
        finally:
            os.close(fd)
    return False
