"""Which OCI runtime a container has: HostConfig.Runtime, Docker's word for it.

Runs in the engine, for a container that asked for one. Ours is "container-lab", and what everybody
gets who does not ask; "runc" and "crun" are looked for on the search path; a path is any program
with runc's command line. Only ours tells of each operation, so only its starts can be stepped.

    program({"Runtime": "runc"}) → "/usr/sbin/runc"        program({"Runtime": ""}) → ""

Source: moby daemon/runtime_unix.go (names, and the sentence for an unknown one).
"""

from __future__ import annotations

import os

from runtime.errors import Invalid, NotFound, Unsupported
from runtime.kernel import commands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OURS = "container-lab"
KNOWN = ("runc", "crun")


def is_ours(host: dict[str, Any]) -> bool:
    """Is it our own runtime, asked for or not?"""
    return (host.get("Runtime") or OURS) == OURS


def found() -> dict[str, dict[str, str]]:
    """Those that this host has, as Docker's info shows them: {"runc": {"path": "/usr/sbin/runc"}}.

    Ours needs no path: it is called as the library it is.
    """
    paths = {name: commands.find(name) for name in sorted(KNOWN)}
    return {OURS: {"path": ""}, **{name: {"path": path} for name, path in paths.items() if path}}


def program(host: dict[str, Any]) -> str:
    """The path of the program; "" for our own. Raises Invalid for no runtime's name, NotFound."""
    if is_ours(host):
        return ""
    name: str = host["Runtime"]
    if name == "io.containerd.runc.v2":
        raise Unsupported(f"--runtime {name}: that is containerd's shim, and ours drives runc "
                          "itself", "--runtime runc", exit_code=125)
    if name not in KNOWN and not name.startswith("/"):
        raise Invalid(f"unknown or invalid runtime name: {name}")
    path = commands.find(name) if name in KNOWN else name
    if not path:
        raise NotFound(f'exec: "{name}": executable file not found in $PATH', f"apt install {name}")
    if not os.path.isfile(path):
        raise Invalid(f"unknown or invalid runtime name: {name}", "there is no such file")
    if not os.access(path, os.X_OK):
        raise Invalid(f"unknown or invalid runtime name: {name}", "the file is not executable")
    return path


def refuse_to_hold(host: dict[str, Any]) -> None:
    """Raises Unsupported for a start that somebody wants to step through, by another runtime."""
    if not is_ours(host):
        name = os.path.basename(host["Runtime"])
        raise Unsupported(f"hold the start before each operation: {name} does not tell what it "
                          "does", "only our own runtime can be stepped: leave --runtime out")
