"""`run` and `create`: make a container, start it, and be its foreground until it ends.

The start path of the command line: with the engine's own parts it must stay light. Docker's exit
codes: 125 if we or the engine refuse, 126 if the command cannot be run, 127 if there is none, else
the container's. Sources: docker/cli container/run.go, create.go; docker run reference.
"""

from __future__ import annotations

import os

from runtime.client import body as bodies
from runtime.client.options import ClientError, Command
from runtime.client.run_flags import CREATE_FLAGS, FLAGS
from runtime.errors import LabError, NotFound, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.client.options import Options
    from runtime.client.session import Session
    from runtime.engine.engine import Attachment

PULL = ("missing", "never")
# What a start ends with that was stepped through and given up: a refusal of our own.
GIVEN_UP = 125


def run(session: Session, given: Options, words: list[str]) -> int:
    """`run [OPTIONS] IMAGE [COMMAND] [ARG...]`."""
    body = None
    try:
        body = _body(session, given, words)
        if not given.get("detach") and body.get("Tty") and body["AttachStdin"]:
            _check_terminal()
        container = _create(session, given, body)
        if given.get("detach"):
            session.say(container)
            return 0 if begin(session, given, container) else GIVEN_UP
        return _foreground(session, given, body, container)
    except Unsupported as error:
        if error.exit_code == 125:
            raise
        return _refused(session, "run", error)
    except (LabError, OSError) as error:
        code = _refused(session, "run", error)
        # What is wrong with the flags is never about the program inside, whatever its words.
        return 125 if body is None and isinstance(error, ClientError) else code


def create(session: Session, given: Options, words: list[str]) -> int:
    """`create [OPTIONS] IMAGE [COMMAND] [ARG...]`: make it, and print its id."""
    try:
        body = _body(session, given, words)
    except ClientError as error:
        return _refused(session, "create", error)
    session.say(_create(session, given, body))
    return 0


def _body(session: Session, given: Options, words: list[str]) -> dict[str, Any]:
    pull = given.get("pull", "missing")
    if pull == "always":
        raise Unsupported("--pull always is not built yet", exit_code=125)
    if pull not in PULL:
        raise ClientError(f"invalid pull option: '{pull}': must be one of "
                          '"always", "missing" or "never"')
    platform = given.get("platform", "")
    if platform and platform not in _platforms():
        raise Unsupported(f"--platform {platform} is not built yet",
                          f"this host runs {_platforms()[1]}", exit_code=125)
    body = bodies.build(given, words[0], words[1:])
    if given.get("step"):
        from runtime.client import motion

        motion.check_runtime(str(body["HostConfig"].get("Runtime") or ""))
    if body.get("Tty"):
        from runtime.client import terminal

        body["HostConfig"]["ConsoleSize"] = list(terminal.size() or (0, 0))
    return body


def _platforms() -> tuple[str, str]:
    machine = os.uname().machine
    return "linux", "linux/" + {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _check_terminal() -> None:
    if not os.isatty(0):
        # Docker prints this one bare, and with code 1.
        raise NoTerminal("the input device is not a TTY")


class NoTerminal(ClientError):
    """-t and -i were asked for, and stdin is no terminal."""


def _create(session: Session, given: Options, body: dict[str, Any]) -> str:
    path = given.get("cidfile", "")
    file = _claim(path) if path else -1
    try:
        container: str = session.engine.create(given.get("name"), body)
        if path:
            os.write(file, container.encode())
        return container
    except NotFound as error:
        _forget(path)
        if given.get("pull") == "never" or not error.message.startswith("No such image"):
            raise
        raise _cannot_pull(session, given, error.message.partition(": ")[2]) from None
    except BaseException:
        _forget(path)
        raise
    finally:
        if path:
            os.close(file)


def _claim(path: str) -> int:
    """The file for the container's id, which must be a new one."""
    if os.path.exists(path):
        raise ClientError("container ID file found, make sure the other container isn't running "
                          f"or delete {path}")
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ClientError("failed to create the container ID file: "
                          + bodies.opening(path, error)) from None


def _forget(path: str) -> None:
    """No container came of it, so no file names one."""
    if path:
        try:
            os.unlink(path)
        except FileNotFoundError:
            return


def _cannot_pull(session: Session, given: Options, image: str) -> LabError:
    if not given.get("quiet"):
        session.complain(f"Unable to find image '{image}' locally")
    return Unsupported("pull is not built yet", f"bring it as a tar: {session.program} import "
                       f"FILE {image}", exit_code=125)


def _foreground(session: Session, given: Options, body: dict[str, Any], container: str) -> int:
    from runtime.client import streams

    try:
        attachment = attached_start(session, given, container)
    except BaseException:
        if given.get("rm"):
            _discard(session, container)
        raise
    if attachment is None:
        if given.get("rm"):
            _discard(session, container)
        return GIVEN_UP
    wanted = tuple(name for name in ("stdout", "stderr") if body[f"Attach{name.title()}"])
    front = streams.Foreground(attachment, stdin=body["AttachStdin"], tty=body.get("Tty", False),
                               wanted=wanted, keys=given.get("detach-keys", ""))
    code = front.follow(proxy(session, container) if given.get("sig-proxy", True) else None)
    return 0 if code == streams.DETACHED else code


def attached_start(session: Session, given: Options, container: str) -> Attachment | None:
    """Start it with our end of its streams open before its first byte; None if given up."""
    attachment: Attachment = session.engine.attach(container)
    return attachment if begin(session, given, container) else None


def begin(session: Session, given: Options, container: str) -> bool:
    """Start it, or step through its start. False when the one who stepped gave it up."""
    if given.get("step"):
        from runtime.client import stepping

        return stepping.start(session, container)
    session.engine.start(container)
    return True


def _discard(session: Session, container: str) -> None:
    """--rm of a container that never ran; the reason it did not is what matters."""
    try:
        session.engine.remove(container, force=True)
    except LabError:
        return


def proxy(session: Session, container: str) -> Any:
    """A function that sends a signal on; a container that has just ended needs none."""

    def send(name: str) -> None:
        try:
            session.engine.kill(container, signal=name)
        except LabError:
            return

    return send


def _refused(session: Session, verb: str, error: LabError | OSError) -> int:
    """Say it as the docker command does, with the exit code its words stand for."""
    from runtime.client.session import sentence

    text = sentence(error)
    if isinstance(error, NoTerminal):
        session.complain(text)
        return 1
    if not isinstance(error, ClientError) and not text.startswith("invalid reference format"):
        text = f"Error response from daemon: {text}"
    session.complain(f"{session.program}: {text}\n\n"
                     f"Run '{session.program} {verb} --help' for more information")
    return _code(text)


def _code(text: str) -> int:
    """Docker's client tells 126 and 127 by the words of the error, and so do scripts know them."""
    if "executable file not found" in text or "no such file or directory" in text:
        return 127
    if "permission denied" in text or "is a directory" in text:
        return 126
    return 125


COMMANDS = {
    "run": Command(run, "[OPTIONS] IMAGE [COMMAND] [ARG...]",
                   "Create and run a new container from an image", FLAGS,
                   "container run, run", least=1, words_follow=True),
    "create": Command(create, "[OPTIONS] IMAGE [COMMAND] [ARG...]", "Create a new container",
                      CREATE_FLAGS, "container create, create", least=1, words_follow=True),
}
