"""Why a container is dead: the card every student should get.

Runs in the engine. Every sentence has its evidence; what nobody saw is said as that. The card is a
list of (who, what, evidence), for `container-lab why` and the lab:

    the kernel   killed hog: its cgroup had no page left   memory.events oom_kill 1
    the shim     saw pid 48213 end by signal 9 (SIGKILL)   waitid status
    docker       says Exited (137), OOMKilled true         inspect .State
    not          docker kill, which is also 137            oom_kill would be 0
    try          docker run --memory 256m …

Six deaths end in 137 and are six cards: OOM of init, OOM of a child, kill, stop after its grace,
SIGKILL from outside, and a program that exits 137 by itself.
"""

from __future__ import annotations

from runtime.engine import signals, store
from runtime.errors import Conflict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.engine.engine import Engine
    from runtime.engine.containers import Container

    Card = list[tuple[str, str, str]]


class Death:
    """The facts of one death, out of evidence and state."""

    __slots__ = ("state", "asked", "end", "oom", "victim", "memory")

    def __init__(self, container: Container, evidence: list[dict[str, Any]]) -> None:
        self.state = container.state
        self.asked = [each for each in evidence if each["who"] == "engine"
                      and each["what"] in ("kill", "stop", "stop-kill")]
        ends = [each for each in evidence if each["who"] == "init"]
        self.end: dict[str, Any] = ends[-1] if ends else {}
        counted = [each for each in evidence if each["what"] == "oom_kill"]
        self.oom: dict[str, Any] = counted[-1] if counted else {}
        # A program names itself as it likes (PR_SET_NAME), also with what a terminal obeys.
        name = self.end.get("comm") or "its program"
        self.victim = "".join(letter if letter.isprintable() else "?" for letter in name)
        self.memory: int = container.config["HostConfig"].get("Memory") or 0

    @property
    def signal(self) -> int:
        """The signal init ended by; 0 when it exited."""
        return int(self.state["Signal"])

    def asked_for(self, number: int) -> dict[str, Any] | None:
        """The last request of ours for this signal."""
        found = [each for each in self.asked if each["signal"] == number]
        return found[-1] if found else None


def card(engine: Engine, container: Container) -> Card:
    """The card. Raises Conflict for a container that lives, or never did."""
    state = container.state
    if state["Status"] in store.LIVE:
        raise Conflict(f"{container.name} is not dead: it is {state['Status']}")
    death = Death(container, engine.evidence(container.id))
    if state["Status"] == "created" and not state["Error"]:
        raise Conflict(f"{container.name} is not dead: it was never started",
                       f"start it with start {container.name}")
    if not death.end:
        return [("docker", f"says {state['Error'] or 'nothing'}", "inspect .State.Error"),
                ("not", "a death: its program never ran", "no end was seen")]
    return [*cause(death), shim(death), docker(death), *rest(death)]


def cause(death: Death) -> Card:
    """Who did it."""
    count = death.oom.get("to", 0)
    counter = f"memory.events oom_kill {count}"
    if count and death.signal == 9:
        return [("the kernel", f"killed {death.victim}: its cgroup had no page left", counter)]
    rows: Card = []
    if count:
        rows.append(("the kernel", "killed a child of it: its cgroup had no page left", counter))
    if not death.signal:
        code = death.state["ExitCode"]
        rows.append(("its program", f"{death.victim} ended by itself: exit({code})",
                     "no signal in its wait status"))
        return rows
    name = signals.name(death.signal)
    asked = death.asked_for(death.signal)
    if asked is None:
        rows.append(("somebody", f"sent {name}, and it was not us",
                     "no kill or stop was asked for"))
    elif asked["what"] == "stop-kill":
        first = next(each for each in death.asked if each["what"] == "stop")
        waited = asked["time"] - first["time"]
        rows.append(("you", f"stopped it: {signals.name(first['signal'])}, {waited:.1f} s of "
                     f"grace, then {name}", "our own stop, twice"))
    else:
        rows.append(("you", f"asked for it: {asked['what']} sent {name}",
                     f"our own {asked['what']}"))
    return rows


def shim(death: Death) -> tuple[str, str, str]:
    """What its parent saw."""
    pid = death.end.get("pid", "?")
    if death.signal:
        return ("the shim", f"saw pid {pid} end by signal {death.signal} "
                f"({signals.name(death.signal)})", "waitid status")
    return ("the shim", f"saw pid {pid} exit with {death.state['ExitCode']}", "waitid status")


def docker(death: Death) -> tuple[str, str, str]:
    """What Docker's own words for it are."""
    killed = str(death.state["OOMKilled"]).lower()
    return ("docker", f"says Exited ({death.state['ExitCode']}), OOMKilled {killed}",
            "inspect .State")


def rest(death: Death) -> Card:
    """What it was not, and what to try."""
    count, code = death.oom.get("to", 0), death.state["ExitCode"]
    if count and death.signal == 9:
        more = f"docker run --memory {max(death.memory, 1 << 20) * 4 >> 20}m …"
        return [("not", "docker kill, which is also 137", "oom_kill would be 0"),
                ("try", more, "--memory")]
    if code == 137 and death.signal == 9:
        return [("not", "out of memory, which is also 137", "oom_kill is 0")]
    if code == 137:
        return [("not", "a SIGKILL, which is also 137", "it was an exit, not a signal")]
    if code in (126, 127):
        return [("try", "the command's name and mode: 127 none, 126 not executable", "ls -l")]
    return []
