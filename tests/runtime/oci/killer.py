"""Whoever stands at the gate and kills: every operation gets leave, but the one it waits for.

    with Killer(path) as killer:                  every process that asks gets "go"
        killer.arm(("init", "mount", 3), "asker") at init's third mount: SIGKILL to who asks
                                                  "other": to the command, or to its child

The list of what was asked is `killer.seen`: [("command", "mkdir"), ("init", "mount"), …], which is
what a kill matrix goes through.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import threading
from pathlib import Path

Moment = tuple[str, str, int]


def parent(pid: int) -> int:
    """The process's parent; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


class Killer:
    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.command = 0  # the command's pid: our own child, and everybody else is its
        self.seen: list[Moment] = []
        self.pids: set[int] = set()
        self.moment: Moment | None = None
        self.victim, self.killed = "asker", 0
        self.lock = threading.Lock()
        self.connections: list[socket.socket] = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def arm(self, moment: Moment | None, victim: str = "asker") -> None:
        with self.lock:
            self.seen, self.moment, self.victim, self.killed = [], moment, victim, 0
            self.command = 0

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        pid = struct.unpack("3i", connection.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        with self.lock:
            self.pids.add(pid)
        try:
            for line in connection.makefile("rb"):
                asked = json.loads(line).get("before")
                if asked is not None and self.decide(pid, asked["name"]):
                    connection.sendall(b"go\n")
        except (OSError, ValueError):
            return

    def decide(self, pid: int, name: str) -> bool:
        """Note the question; True for leave, False for the one who is no more."""
        with self.lock:
            if not self.command and parent(pid) == os.getpid():
                self.command = pid
            who = "command" if pid == self.command else "init"
            count = 1 + sum(seen[:2] == (who, name) for seen in self.seen)
            self.seen.append((who, name, count))
            if self.moment != (who, name, count) or self.killed:
                return True
            others = self.pids - {self.command} if who == "command" else {self.command} - {0}
            for target in {pid} if self.victim == "asker" else others:
                try:
                    os.kill(target, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                self.killed = target
            return self.victim != "asker"

    def __enter__(self) -> Killer:
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()
        for connection in self.connections:
            connection.close()
