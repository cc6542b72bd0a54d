"""Probes: what a program inside a container can do to the host, or see of it, asked by trying.

Runs in the engine, beside a container that runs. The attempts themselves are made inside, by a
process of exec whose program is ours (oci/attempts.py); here is what each is called, which parts of
a container stand in its way, the shell line that tries the same, and what of the host it looks for:
a server on 127.0.0.1 and a segment of shared memory, both there only while it is asked. An answer:
    {"name": "signal", "question": "signal a process of the host", "call": "kill(2)",
     "parts": ["pid"], "yes": false, "errno": "ESRCH", "said": "", "line": "kill -0 48190"}
"""

from __future__ import annotations

import errno
import os

from runtime import documents
from runtime.engine import connection, events, execution
from runtime.errors import Conflict, LabError, Unsupported
from runtime.kernel import ipc, processes

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.engine.containers import Container

# What it is called where an exec's command line is told: events, evidence.
PROGRAM = "container-lab-probe"
KINDS = ("mnt", "pid", "net", "uts", "ipc", "cgroup", "user", "time")
# name, question, call, the parts that stand in its way, and the same as a line for a shell inside.
PROBES: tuple[tuple[str, str, str, tuple[str, ...], str], ...] = (
    ("processes", "see the host's processes", "open(2) /proc/PID", ("pid",),
     "cat /proc/{pid}/comm"),
    ("signal", "signal a process of the host", "kill(2)", ("pid",), "kill -0 {pid}"),
    ("name", "read the host's name", "uname(2)", ("uts",), "hostname"),
    ("hostname", "set the host's name", "sethostname(2)", ("uts", "caps", "seccomp"),
     'hostname "$(hostname)"'),
    ("links", "see the host's network links", "if_nameindex(3)", ("net",), "ls /sys/class/net"),
    ("loopback", "reach the host's 127.0.0.1", "connect(2)", ("net",),
     "nc -z -w 2 127.0.0.1 {port}"),
    ("memory", "find the host's shared memory", "shmget(2)", ("ipc",),
     "cat /proc/sysvipc/shm"),
    ("cgroup", "see the groups above its own", "open(2) /proc/self/cgroup", ("cgroup",),
     "cat /proc/self/cgroup"),
    ("root", "walk out to the host's root", "chroot(2)", ("pivot", "mount"), ""),
    ("mount", "mount a file system", "mount(2)", ("caps", "seccomp"),
     "mkdir -p /tmp/m && mount -t tmpfs none /tmp/m && umount /tmp/m"),
    ("kcore", "read /proc/kcore", "open(2) read(2)", ("masks", "caps"),
     "head -c 4 /proc/kcore | od -c"),
    ("masked", "read /proc/interrupts", "open(2) read(2)", ("masks",),
     "head -n 1 /proc/interrupts"),
    ("settings", "change the kernel's settings", "open(2) /proc/sys", ("masks",),
     ": 3<>/proc/sys/kernel/core_pattern"),
    ("userns", "make a user namespace", "unshare(2)", ("seccomp",), "unshare -U true"),
    ("keys", "ask for the kernel's keys", "keyctl(2)", ("seccomp",), ""),
    ("priority", "go before others", "setpriority(2)", ("caps",), "renice -n -1 -p $$"),
    ("node", "make a device node", "mknod(2)", (), "mknod /tmp/null c 1 3 && rm /tmp/null"),
    ("disk", "open the host's disk", "mknod(2) open(2)", (),
     "mknod /tmp/disk b {disk} && head -c 1 /tmp/disk >/dev/null"),
)


def ask(container: Container, lasting: int = 0) -> list[dict[str, Any]]:
    """Try all inside; an answer for each, in the order of PROBES. Raises Conflict, Unsupported.

    The shell lines name the shim; where that will be gone, a process of the host that will last.
    """
    state = container.state
    if container.status == "paused":
        raise Conflict(f"Container {container.name} is paused, unpause the container before "
                       "it is asked")
    if container.status != "running":
        raise Conflict(f"container {container.id} is not running")
    runtime = container.config["HostConfig"].get("Runtime") or ""
    if runtime not in ("", "container-lab"):
        raise Unsupported(f"probe a container of --runtime {runtime}: only a process of our own "
                          "runtime can be our program inside")
    listener, (key, segment) = server(), shared_memory()
    try:
        port = listener.getsockname()[1]
        host = seen_of_host(state["ShimPid"], port, key)
        found = answers(container, host)
    finally:
        listener.close()
        if key:
            ipc.remove_segment(segment)
    shown = {"pid": lasting or host["pid"], "port": port,
             "disk": " ".join(str(part) for part in host["disk"] or (8, 0))}
    return [described(probe, found.get(probe[0]), shown) for probe in PROBES]


def described(probe: tuple[str, str, str, tuple[str, ...], str], answer: dict[str, Any] | None,
              shown: dict[str, Any]) -> dict[str, Any]:
    """One answer in full; a probe that has none did not come to its turn."""
    name, question, call, parts, line = probe
    told = answer or {"yes": False, "errno": 0, "said": "no answer"}
    return {"name": name, "question": question, "call": call, "parts": list(parts),
            "yes": told["yes"], "errno": errno.errorcode.get(told["errno"], ""),
            "said": told["said"], "line": line.format(**shown) if "{" in line else line}


def answers(container: Container, host: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the process inside says, by name."""
    process = execution.process(container, {"Cmd": [PROGRAM]})
    process["attempts"] = host
    for action in ("exec_create", "exec_start"):
        events.tell(container.places.root, f"{action}: {PROGRAM}", container.config)
    attachment = connection.conversation(container.run, {
        "do": "exec", "process": process, "stdin": False, "detach": False})
    data = b""
    try:
        while (read := attachment.read())[0] != "exit":
            data += read[1] if read[0] == "stdout" else b""
    finally:
        attachment.close()
    lines = [documents.parse(line) for line in data.splitlines() if line.startswith(b"{")]
    return {line["name"]: line for line in lines}


def server() -> _socket.socket:
    """A server on the host's 127.0.0.1, at a port that is free."""
    listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    return listener


def shared_memory() -> tuple[int, int]:
    """(key, id) of a new segment of the host's; (0, 0) on a kernel without System V memory."""
    while True:
        key = int.from_bytes(os.urandom(4), "little") >> 2 | 1
        try:
            return key, ipc.make_segment(key)
        except LabError as error:
            if not isinstance(error, OSError) or error.errno != errno.EEXIST:
                return 0, 0


def seen_of_host(shim: int, port: int, key: int) -> dict[str, Any]:
    """What the attempts look for."""
    root = os.stat("/")
    return {"pid": shim, "ticks": processes.start_ticks(shim), "port": port, "key": key,
            "root": [root.st_dev, root.st_ino], "disk": a_disk(),
            "namespaces": {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in KINDS
                           if os.path.lexists(f"/proc/self/ns/{kind}")}}


def a_disk() -> list[int] | None:
    """(major, minor) of the first real block device; None on a host without. sysfs(5)"""
    try:
        names = sorted(os.listdir("/sys/block"))
    except OSError:
        return None
    for name in sorted(names, key=lambda each: each.startswith(("loop", "ram", "zram"))):
        try:
            with open(f"/sys/block/{name}/dev", encoding="ascii") as file:
                return [int(word) for word in file.read().split(":")]
        except (OSError, ValueError):
            continue
    return None
