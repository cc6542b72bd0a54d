"""The ablation board's table: a full container beside one that lacks a part, both started for it.

Runs in the engine. Two containers of one image are made, looked at from the host (namespaces,
rights, mounts) and asked from inside (probes.py), and removed again. What the part held back is
red:
    {"without": ["pid"], "line": "docker run --without pid --unsafe lab/base sh",
     "panes": [{"pane": "namespaces", "what": "pid", "full": "private", "without": "the host's",
                "evidence": {"full": "4026532217", "without": "4026531836"},
                "red": true, "proof": "readlink /proc/48213/ns/pid"}, …],
     "probes": [{"name": "signal", "question": "…", "full": {"yes": false, "errno": "ESRCH", …},
                 "without": {"yes": true, …}, "red": true, "changed": true}, …]}
A probe is red where only the container without the part can; changed, not red, where another part
still stands in the way, and says so by another errno.
"""

from __future__ import annotations

import os

from runtime.engine import ablation, probes
from runtime.errors import Invalid, LabError
from runtime.inspect import capabilities, mounts, namespaces, security
from runtime.inspect.source import Live

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.engine.containers import Container
    from runtime.engine.engine import Engine

    # pane, what, its value in words, as the kernel has it, the shell line that proves it
    Fact = tuple[str, str, str, str, str]

# Long enough to be looked at, short enough to be gone by itself if we are killed.
STAYS_S = 60


def compare(engine: Engine, without: list[str], unsafe: bool, image: str) -> dict[str, Any]:
    """Make both, compare, remove both. Raises what the engine refuses."""
    own = {"Without": without, **({"Unsafe": True} if unsafe else {})}
    parts = ablation.wished({ablation.KEY: own})
    if not parts:
        raise Invalid("compare a full container with what? name a part: --without pid")
    made: list[str] = []
    try:
        # The one that may be refused first: then nothing was made.
        lacking = begin(engine, image, {ablation.KEY: own}, made)
        full = begin(engine, image, {}, made)
        facts = [told(container) for container in (full, lacking)]
        answers = [probes.ask(container, os.getppid()) for container in (full, lacking)]
    finally:
        for ident in made:
            remove(engine, ident)
    flags = f"--without {','.join(parts)}" + (" --unsafe" if unsafe else "")
    return {"without": parts, "line": f"docker run --rm -it {flags} {image} sh",
            "panes": [pane(*pair) for pair in zip(*facts)],
            "probes": [probe(*pair) for pair in zip(*answers)]}


def begin(engine: Engine, image: str, host: dict[str, Any], made: list[str]) -> Container:
    """One container that waits to be looked at."""
    ident = engine.create(None, {"Image": image, "Cmd": ["sleep", str(STAYS_S)],
                                 "HostConfig": {"NetworkMode": "none", "AutoRemove": True, **host}})
    made.append(ident)
    engine.start(ident)
    return engine.find(ident)


def remove(engine: Engine, ident: str) -> None:
    """It may have gone by itself."""
    try:
        engine.remove(ident, force=True)
    except LabError:
        return


def pane(full: Fact, lacking: Fact) -> dict[str, Any]:
    """One row: what a pane shows of both."""
    return {"pane": full[0], "what": full[1], "full": full[2], "without": lacking[2],
            "evidence": {"full": full[3], "without": lacking[3]},
            "red": full[2] != lacking[2], "proof": lacking[4]}


def probe(full: dict[str, Any], lacking: dict[str, Any]) -> dict[str, Any]:
    """One row: what came of the same attempt in both."""
    shared = {key: lacking[key] for key in ("name", "question", "call", "parts", "line")}
    if lacking["name"] == "loopback":
        shared["line"] = ""  # the server it was asked about is gone
    both = {name: {key: answer[key] for key in ("yes", "errno", "said")}
            for name, answer in (("full", full), ("without", lacking))}
    red = lacking["yes"] and not full["yes"]
    changed = (full["yes"], full["errno"]) != (lacking["yes"], lacking["errno"])
    return {**shared, **both, "red": red, "changed": changed}


def told(container: Container) -> list[Fact]:
    """What can be seen of a container from the host, in the order of the panes."""
    source, pid = Live(), container.pid
    theirs, ours = namespaces.namespaces(source, pid), namespaces.host(source)
    facts: list[Fact] = [
        ("namespaces", kind, "private" if theirs[kind] != ours.get(kind) else "the host's",
         str(theirs[kind]), f"readlink /proc/{pid}/ns/{kind}")
        for kind in namespaces.KINDS if kind in theirs]
    facts += rights(security.security(source, pid), pid)
    return facts + mounted(source, container)


def rights(found: security.Security | None, pid: int) -> list[Fact]:
    """The security pane's rows."""
    if found is None:
        return []
    status, table = f"/proc/{pid}/status", f"/proc/{pid}/mountinfo"
    return [
        ("security", "capabilities", f"{len(capabilities.decode(found.effective))} of "
         f"{len(capabilities.NAMES)}", f"{found.effective:x}", f"grep CapEff {status}"),
        ("security", "seccomp", capabilities.seccomp_word(found.seccomp), str(found.seccomp),
         f"grep Seccomp {status}"),
        ("security", "no_new_privs", str(int(found.no_new_privs)), str(int(found.no_new_privs)),
         f"grep NoNewPrivs {status}"),
        ("security", "masked paths", str(len(found.masked)), " ".join(found.masked),
         f"grep -c ' /proc/' {table}"),
        ("security", "read-only paths", str(len(found.read_only)), " ".join(found.read_only),
         f"grep ' /proc/' {table}"),
    ]


def mounted(source: Live, container: Container) -> list[Fact]:
    """The mounts pane's rows: whose root it is, and in whose table the mounts stand."""
    link = f"/proc/{container.pid}/root"
    # Of another mount namespace "/" is its own root; a chroot is a directory of the one it is in.
    target = os.readlink(link)
    root = "its own" if target == "/" else "a chroot"
    place = f"{container.directory}/rootfs"
    rows = sum(row.target == place or row.target.startswith(f"{place}/")
               for row in mounts.mounts(source, "self"))
    return [("mounts", "root", root, target, f"readlink {link}"),
            ("mounts", "mounts on host", str(rows), str(rows), f"findmnt -R {place}")]
