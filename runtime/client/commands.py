"""Which commands there are, where each lives, and which of Docker's are not built yet.

The index that `cli.py` dispatches by, and that help and completion list. A family's file has a
table COMMANDS = {"stop": Command(…)}; nothing is imported before a command of it is asked for.
"""

from __future__ import annotations

from runtime.client.options import BUILT, LATER, Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

# Which file of runtime/client/ holds a command.
FAMILIES = {
    "run": "run", "create": "run",
    "attach": "lifecycle", "start": "lifecycle", "stop": "lifecycle", "kill": "lifecycle",
    "pause": "lifecycle", "unpause": "lifecycle", "restart": "lifecycle", "rm": "lifecycle",
    "wait": "lifecycle", "container prune": "lifecycle",
    "exec": "inside", "logs": "inside", "top": "inside",
    "ps": "listing", "images": "listing",
    "inspect": "inspection", "container inspect": "inspection", "image inspect": "inspection",
    "stats": "statistics",
    "history": "images", "import": "images", "rmi": "images", "tag": "images",
    "why": "explain", "operations": "explain", "clean": "explain",
    "ablation": "ablation", "probe": "ablation",
    "info": "system", "version": "system", "events": "system", "completion": "completion",
    "__complete": "completion",
}

# `container stop` is `stop`; where a word has no command of its own, the pair is one.
GROUPS = {
    "container": ("Manage containers", {
        "attach": "attach", "create": "create", "exec": "exec", "inspect": "container inspect",
        "kill": "kill", "logs": "logs", "ls": "ps", "pause": "pause", "prune": "container prune",
        "restart": "restart", "rm": "rm", "run": "run", "start": "start", "stats": "stats",
        "stop": "stop", "top": "top", "unpause": "unpause", "wait": "wait",
        "list": "ps", "ps": "ps", "remove": "rm"}),
    "image": ("Manage images", {
        "history": "history", "import": "import", "inspect": "image inspect", "ls": "images",
        "rm": "rmi", "tag": "tag", "list": "images", "remove": "rmi"}),
    "system": ("Manage Docker", {"events": "events", "info": "info"}),
}
SECOND_NAMES = ("list", "ps", "remove")

# What Docker has and this version has not: said by name, exit code 125.
LATER_COMMANDS = (
    "build", "builder", "buildx", "checkpoint", "commit", "compose", "config", "context", "cp",
    "diff", "export", "load", "login", "logout", "manifest", "network", "node", "plugin",
    "port", "pull", "push", "rename", "save", "search", "secret", "service", "stack",
    "swarm", "trust", "update", "volume",
)
LATER_IN_GROUP = {
    "container": ("commit", "cp", "diff", "export", "port", "rename", "update"),
    "image": ("build", "load", "prune", "pull", "push", "save"),
    "system": ("df", "dial-stdio", "prune"),
}


TOP = (
    ("config", "", "string", LATER, ""),
    ("context", "c", "string", LATER, ""),
    ("debug", "D", "bool", LATER, ""),
    ("host", "H", "string", LATER, ""),
    ("log-level", "l", "string", LATER, ""),
    ("root", "", "string", BUILT, "Keep all state under this directory (default "
                                  "$CONTAINER_LAB_ROOT, or /var/lib/container-lab; "
                                  "without root ~/.local/share/container-lab)"),
    ("tls", "", "bool", LATER, ""),
    ("tlscacert", "", "string", LATER, ""),
    ("tlscert", "", "string", LATER, ""),
    ("tlskey", "", "string", LATER, ""),
    ("tlsverify", "", "bool", LATER, ""),
    ("version", "v", "bool", BUILT, "Print version information and quit"),
)


def find(name: str) -> Command | None:
    """The command of this name ("stop", "container prune"), from the file that holds it."""
    family = FAMILIES.get(name)
    if family is None:
        return None
    commands: dict[str, Command] = _family(family).COMMANDS
    return commands.get(name)


def _family(name: str) -> ModuleType:
    # `from runtime.client import run` for any of them, without importlib.
    return getattr(__import__("runtime.client", fromlist=[name]), name)  # type: ignore[no-any-return]
