"""container-lab-oci: the OCI runtime by command line, in runc's words.

podman's conmon and containerd's shim run it, a process for each command; a student may too. This
file reads the command line, finds the command (commands/) and turns what it raises into runc's
error line and exit code. Only the modules of the one command are imported, and on the way of a
start none that is dear.

    container-lab-oci --root /run/x --log l.json --log-format json create --bundle B --pid-file F ID

It calls itself what it was called by: behind a link named runc it is runc. CONTAINER_LAB_GATE names
a socket that holds every operation of the command, for the slow motion (trace/wire.py).
Sources: runc(8), runc's main.go; runtime-spec runtime.md "Operations".
"""

from __future__ import annotations

import os
import sys

from runtime.errors import KernelError, LabError, Unsupported
from runtime.oci import options as command_line
from runtime.oci import state
from runtime.oci.commands.log import Log
from runtime.oci.options import COMMANDS, GLOBAL, PASS_ON, Usage
from runtime.trace.operation import observe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.oci.options import Options

    Command = Callable[["Settings", Options, list[str]], int]

# command → the file of commands/ it is in, as a function of its name
HOMES = {
    "create": "making", "run": "making", "start": "starting", "kill": "ending", "delete": "ending",
    "exec": "entering", "state": "looking", "list": "looking", "ps": "looking",
    "pause": "changing", "resume": "changing", "update": "updating", "events": "counting",
    "features": "telling", "spec": "telling", "checkpoint": "refusing", "restore": "refusing",
}
UNKNOWN_COMMAND = 3


class Settings:
    """The global options, judged: root, log, gate, rootless, and what the program is called."""

    __slots__ = ("program", "root", "log", "gate", "rootless")

    def __init__(self) -> None:
        name = os.environ.get("CONTAINER_LAB_OCI_PROGRAM") or "container-lab-oci"
        self.program = name
        self.root = state.default_root()
        self.log = Log()
        self.gate = os.environ.get("CONTAINER_LAB_GATE") or None
        self.rootless = os.geteuid() != 0

    def use(self, options: Options) -> None:
        """Judge the global options. Raises Invalid, Unsupported."""
        self.log.open(options.get("log", ""), options.get("log-format", "text"),
                      options.get("debug", False))
        self.root = os.path.abspath(options.get("root") or self.root)
        if options.get("systemd-cgroup"):
            raise Unsupported("--systemd-cgroup: groups are made in the cgroup file system here, "
                              "never by systemd", "podman: --cgroup-manager cgroupfs; containerd: "
                              "SystemdCgroup = false")
        rootless = options.get("rootless", "auto")
        if rootless not in ("auto", "true", "false", "1", "0"):
            raise Usage(f'invalid value "{rootless}" for flag -rootless: parse error')
        if rootless != "auto":
            self.rootless = rootless in ("true", "1")


def main(words: list[str]) -> int:
    """Run one command; its exit code. Errors are one line in the log."""
    settings, verb = Settings(), ""
    try:
        options, rest = command_line.parse(GLOBAL, words, stop=True)
        verb = rest[0] if rest else ""
        if options.get("version"):
            return tell_version(settings)
        settings.use(options)
        if options.get("help") or not verb or verb in ("help", "h"):
            return tell_help(settings, rest[1] if len(rest) > 1 else "")
        if verb not in COMMANDS:
            settings.log.error(f"No help topic for '{verb}'")
            return UNKNOWN_COMMAND
        return command(settings, verb, rest[1:])
    except Usage as error:
        settings.log.error(str(error))
        from runtime.oci.commands import pages

        known = verb if verb in COMMANDS else ""
        sys.stdout.write(f"Incorrect Usage.\n\n{pages.page(settings.program, known)}")
        return 1
    except (LabError, OSError) as error:
        settings.log.error(text_of(error))
        return 255 if verb == "exec" else 1


def command(settings: Settings, verb: str, words: list[str]) -> int:
    """Parse the rest of the line as this command's, and run it."""
    options, arguments = command_line.parse(COMMANDS[verb][0], words, stop=verb in PASS_ON)
    if options.get("help"):
        return tell_help(settings, verb)
    command_line.check_count(settings.program, verb, arguments)
    module = f"runtime.oci.commands.{HOMES[verb]}"
    __import__(module)
    if settings.gate:
        from runtime.trace.wire import Wire

        observe(Wire(settings.gate))
    run: Command = getattr(sys.modules[module], f"{verb}_")
    return run(settings, options, arguments)


def tell_help(settings: Settings, verb: str) -> int:
    """The page of a command, or the program's."""
    from runtime.oci.commands import pages

    if verb and verb not in COMMANDS:
        settings.log.error(f"No help topic for '{verb}'")
        return UNKNOWN_COMMAND
    sys.stdout.write(pages.page(settings.program, verb))
    return 0


def tell_version(settings: Settings) -> int:
    """Ours, and the specification's: containerd looks for the line that begins with spec."""
    from runtime.oci.commands import pages

    sys.stdout.write(pages.version(settings.program))
    return 0


def text_of(error: BaseException) -> str:
    """The error in one line; of an execve that failed, in runc's words, which its clients read."""
    cause = getattr(error, "cause", error)
    if isinstance(cause, KernelError) and cause.doing == "execve":
        plain = f"exec {cause.target}: {(cause.strerror or '').lower()}"
        return str(error).replace(str(cause), plain)
    if isinstance(error, OSError) and not isinstance(error, LabError):
        return f"{error.filename or error}: {os.strerror(error.errno or 0).lower()}"
    return str(error)
