"""start, attach, stop, kill, pause, unpause, restart, rm, wait, container prune.

The twin of docker/cli's container/*.go files of these names. Each takes several containers, does
what it can, prints a name for each that went well and a sentence for each that did not, and exits
with 1 if one did not.
"""

from __future__ import annotations

import os

from runtime.client.options import BUILT, HIDDEN, ClientError, Command
from runtime.errors import Conflict, LabError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.client.options import Options
    from runtime.client.session import Session


def each(session: Session, names: list[str], do: Callable[[str], object]) -> int:
    """Do it to each; print its name, or what the engine says against it."""
    code = 0
    for name in names:
        try:
            do(name)
        except (LabError, OSError) as error:
            session.complain_of(error)
            code = 1
        else:
            session.say(name)
    return code


def start(session: Session, given: Options, words: list[str]) -> int:
    """Start again what is stopped, or for the first time what was created."""
    if given.get("attach") or given.get("interactive"):
        if len(words) > 1:
            raise ClientError("you cannot start and attach multiple containers at once")
        return _start_attached(session, given, words[0])
    if given.get("step"):
        return _start_stepped(session, given, words)
    failed = []
    for name in words:
        try:
            session.engine.start(name)
        except (LabError, OSError) as error:
            session.complain_of(error)
            failed.append(name)
        else:
            session.say(name)
    if failed:
        raise ClientError("Error: failed to start containers: " + ", ".join(failed))
    return 0


def _start_attached(session: Session, given: Options, name: str) -> int:
    from runtime.client import run, streams

    container = session.engine.find(name)
    if container.status == "running" and not given.get("step"):
        return _follow(session, given, name, given.get("interactive", False))
    attachment = run.attached_start(session, given, container.id)
    if attachment is None:
        return run.GIVEN_UP
    tty = container.config["Config"].get("Tty", False)
    stdin = given.get("interactive", False) and container.config["Config"].get("OpenStdin", False)
    front = streams.Foreground(attachment, stdin=stdin, tty=tty,
                               keys=given.get("detach-keys", ""))
    code = front.follow(run.proxy(session, container.id))
    return 0 if code == streams.DETACHED else code


def _start_stepped(session: Session, given: Options, names: list[str]) -> int:
    """--step: one start, held before each operation."""
    from runtime.client import run

    if len(names) > 1:
        raise ClientError("you cannot step through the starts of multiple containers at once")
    if not run.begin(session, given, names[0]):
        return run.GIVEN_UP
    session.say(names[0])
    return 0


def attach(session: Session, given: Options, words: list[str]) -> int:
    """Be in front of a container that runs already."""
    container = session.engine.find(words[0])
    if container.status == "paused":
        raise ClientError("You cannot attach to a paused container, unpause it first")
    if container.status != "running":
        raise ClientError("You cannot attach to a stopped container, start it first")
    return _follow(session, given, words[0], not given.get("no-stdin", False))


def _follow(session: Session, given: Options, name: str, stdin: bool) -> int:
    from runtime.client import run, streams

    container = session.engine.find(name)
    config = container.config["Config"]
    tty = config.get("Tty", False)
    stdin = stdin and config.get("OpenStdin", False)
    if tty and stdin and not os.isatty(0):
        raise ClientError("the input device is not a TTY")
    front = streams.Foreground(session.engine.attach(container.id), stdin=stdin, tty=tty,
                               keys=given.get("detach-keys", ""))
    proxied = run.proxy(session, container.id) if given.get("sig-proxy", True) else None
    code = front.follow(proxied)
    if code == streams.DETACHED:
        raise ClientError("read escape sequence")
    return code


def stop(session: Session, given: Options, words: list[str]) -> int:
    """SIGTERM (or its stop signal), time to react, then SIGKILL."""
    return each(session, words, lambda name: _stop(session, given, name))


def _stop(session: Session, given: Options, name: str) -> None:
    container = session.engine.find(name)
    if "signal" in given and container.status == "running":
        # The engine's own stop sends the container's stop signal; here another one comes first.
        session.engine.kill(container.id, signal=_signal_name(given["signal"]))
        if given.get("timeout", 10) != 0 and _ends(session, container.id, given.get("timeout", 10)):
            return
        given = {**given, "timeout": 0}
    session.engine.stop(container.id, timeout_s=given.get("timeout"))


def _ends(session: Session, container_id: str, timeout_s: int) -> bool:
    """Whether it ends within the time; negative waits for ever."""
    import time

    deadline = time.monotonic() + timeout_s
    while session.engine.find(container_id).status in ("running", "paused"):
        if timeout_s >= 0 and time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _signal_name(text: str) -> str:
    return text.upper().removeprefix("SIG")


def kill(session: Session, given: Options, words: list[str]) -> int:
    """Send a signal to pid 1 of the container: SIGKILL, if not told otherwise."""
    signal = given.get("signal", "KILL")
    return each(session, words, lambda name: session.engine.kill(name, signal=signal))


def pause(session: Session, given: Options, words: list[str]) -> int:
    """Freeze the cgroup."""
    return each(session, words, session.engine.pause)


def unpause(session: Session, given: Options, words: list[str]) -> int:
    """Thaw the cgroup."""
    return each(session, words, session.engine.unpause)


def restart(session: Session, given: Options, words: list[str]) -> int:
    """Stop, then start: another process, the same container."""
    def again(name: str) -> None:
        container = session.engine.find(name)
        if container.status == "paused":
            session.engine.unpause(container.id)
        if session.engine.find(container.id).status == "running":
            _stop(session, given, container.id)
        session.engine.start(container.id)

    return each(session, words, again)


def remove(session: Session, given: Options, words: list[str]) -> int:
    """Delete containers with their file systems."""
    def delete(name: str) -> None:
        name = name.strip("/")
        if not name:
            raise ClientError("container name cannot be empty")
        if given.get("link"):
            raise Conflict("Conflict, cannot remove the default link name of the container")
        session.engine.remove(name, force=given.get("force", False),
                              volumes=given.get("volumes", False))

    if not given.get("force"):
        return each(session, words, delete)
    return _remove_anyway(session, words, delete)


def _remove_anyway(session: Session, words: list[str], delete: Callable[[str], None]) -> int:
    """rm -f: what is not there is said, and no failure."""
    code = 0
    for name in words:
        try:
            delete(name)
        except NotFound as error:
            session.complain_of(error)
        except (LabError, OSError) as error:
            session.complain_of(error)
            code = 1
        else:
            session.say(name)
    return code


def wait(session: Session, given: Options, words: list[str]) -> int:
    """Block until each has ended; print its exit code."""
    code = 0
    for name in words:
        try:
            session.say(str(session.engine.wait(name)))
        except (LabError, OSError) as error:
            session.complain_of(error)
            code = 1
    return code


def prune(session: Session, given: Options, words: list[str]) -> int:
    """Remove every container that does not run."""
    if not given.get("force") and not _sure(session):
        raise ClientError("container prune has been cancelled")
    from runtime.client import units

    if "filter" in given:
        removed, size = _prune_some(session, given["filter"])
    else:
        removed, size = session.engine.prune()
    if removed:
        session.say("Deleted Containers:\n" + "\n".join(removed) + "\n")
    session.say(f"Total reclaimed space: {units.size(size)}")
    return 0


def _prune_some(session: Session, asked: list[str]) -> tuple[list[str], int]:
    """Those that do not run, have the labels, and were made before `until`."""
    import time

    from runtime.client import filters, listing, times

    wanted = filters.grouped(asked, ("label", "until"))
    removed, size = [], 0
    before = min([times.since(text, time.time(), "until") for text in wanted.get("until", [])],
                 default=time.time())
    for container in session.engine.containers():
        labels = container.config["Config"].get("Labels") or {}
        if (container.status in ("running", "paused")
                or times.parse(container.config["Created"]) > before
                or not all(filters.has_label(labels, text) for text in wanted.get("label", []))):
            continue
        size += listing.tree_size(os.path.join(container.directory, "upper"))
        session.engine.remove(container.id)
        removed.append(container.id)
    return removed, size


def _sure(session: Session) -> bool:
    import sys

    session.say("WARNING! This will remove all stopped containers.\n"
                "Are you sure you want to continue? [y/N] ", end="")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


SIGNAL = ("signal", "s", "string", BUILT, "Signal to send to the container")
TIMEOUT = ("timeout", "t", "int", BUILT, "Seconds to wait before killing the container")
KEYS = ("detach-keys", "", "string", BUILT,
        "Override the key sequence for detaching a container")
SEVERAL = "CONTAINER [CONTAINER...]"
OPTIONS = f"[OPTIONS] {SEVERAL}"

COMMANDS = {
    "start": Command(start, OPTIONS, "Start one or more stopped containers", (
        ("attach", "a", "bool", BUILT, "Attach STDOUT/STDERR and forward signals"),
        ("checkpoint", "", "string", HIDDEN, ""),
        ("checkpoint-dir", "", "string", HIDDEN, ""),
        KEYS,
        ("interactive", "i", "bool", BUILT, "Attach container's STDIN"),
        ("step", "", "bool", BUILT, "Hold the start before each operation, and step through it "
                                    "(not Docker's)"),
    ), "container start, start", least=1),
    "attach": Command(
        attach, "[OPTIONS] CONTAINER",
        "Attach local standard input, output, and error streams to a running container", (
            KEYS,
            ("no-stdin", "", "bool", BUILT, "Do not attach STDIN"),
            ("sig-proxy", "", "bool", BUILT,
             "Proxy all received signals to the process (default true)"),
        ), "container attach, attach", least=1, most=1),
    "stop": Command(stop, OPTIONS, "Stop one or more running containers", (SIGNAL, TIMEOUT),
                    "container stop, stop", least=1),
    "restart": Command(restart, OPTIONS, "Restart one or more containers", (SIGNAL, TIMEOUT),
                       "container restart, restart", least=1),
    "kill": Command(kill, OPTIONS, "Kill one or more running containers", (SIGNAL,),
                    "container kill, kill", least=1),
    "pause": Command(pause, SEVERAL, "Pause all processes within one or more containers", (),
                     "container pause, pause", least=1),
    "unpause": Command(unpause, SEVERAL, "Unpause all processes within one or more containers", (),
                       "container unpause, unpause", least=1),
    "rm": Command(remove, OPTIONS, "Remove one or more containers", (
        ("force", "f", "bool", BUILT, "Force the removal of a running container (uses SIGKILL)"),
        ("link", "l", "bool", BUILT, "Remove the specified link"),
        ("volumes", "v", "bool", BUILT, "Remove anonymous volumes associated with the container"),
    ), "container rm, container remove, rm", least=1),
    "wait": Command(wait, SEVERAL,
                    "Block until one or more containers stop, then print their exit codes", (),
                    "container wait, wait", least=1),
    "container prune": Command(prune, "[OPTIONS]", "Remove all stopped containers", (
        ("filter", "", "filter", BUILT, 'Provide filter values (e.g. "until=<timestamp>")'),
        ("force", "f", "bool", BUILT, "Do not prompt for confirmation"),
    ), most=0),
}
