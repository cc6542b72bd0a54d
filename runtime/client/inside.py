"""exec, logs, top: a container seen and used from inside.

The twins of docker/cli's container/exec.go, logs.go, top.go. An error of the runtime in `exec` goes
to stdout, as Docker's does: there it is part of the answer's stream.
"""

from __future__ import annotations

import os
import sys
import time

from runtime.client import body as bodies
from runtime.client import tables, times
from runtime.client.options import BUILT, ClientError, Command
from runtime.errors import Conflict, LabError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from runtime.client.options import Options
    from runtime.client.session import Session

# Who passed the error on, as Docker names them; runc's place is taken by our own oci/.
CHAIN = "OCI runtime exec failed: exec failed: unable to start container process: "


def execute(session: Session, given: Options, words: list[str]) -> int:
    """`exec`: one more process in the container's namespaces and groups."""
    container = session.engine.find(words[0])
    detached = given.get("detach", False)
    interactive, tty = given.get("interactive", False), given.get("tty", False)
    if interactive and tty and not detached and not os.isatty(0):
        raise ClientError("the input device is not a TTY")
    body: dict[str, Any] = {
        "Cmd": words[1:], "Tty": tty, "AttachStdin": interactive and not detached,
        "AttachStdout": not detached, "AttachStderr": not detached, "Detach": detached,
        "Privileged": given.get("privileged", False), "User": given.get("user", ""),
        "WorkingDir": given.get("workdir", ""), "Env": bodies.environment(given),
    }
    if tty:
        from runtime.client import terminal

        body["ConsoleSize"] = list(terminal.size() or (0, 0))
    try:
        attachment = session.engine.exec(container.id, body)
    except Conflict:
        raise
    except (LabError, OSError) as error:
        return _not_started(session, error, detached)
    if detached:
        return 0
    return _follow(session, given, attachment, body)


def _follow(session: Session, given: Options, attachment: Any, body: dict[str, Any]) -> int:
    from runtime.client import streams

    front = streams.Foreground(attachment, stdin=body["AttachStdin"], tty=body["Tty"],
                               keys=given.get("detach-keys", ""))
    # Docker sends an exec no signals: there is no call for it in its API.
    code = front.follow(None)
    return 0 if code == streams.DETACHED else code


def _not_started(session: Session, error: LabError | OSError, detached: bool) -> int:
    """The runtime could not start the process."""
    text = str(error)
    if text.startswith("unable to find"):
        raise error
    text = text if text.startswith("OCI runtime") else CHAIN + text
    if detached:
        session.complain(f"Error response from daemon: {text}")
        return 1
    code = 126
    if "executable file not found" in text or "no such file or directory" in text:
        code = 127
    elif "Cwd must be an absolute path" in text:
        code = 128
    # Docker writes it into the stream of a process that never was, as a terminal would get it.
    session.say(text, end="\r\n")
    return code


def logs(session: Session, given: Options, words: list[str]) -> int:
    """`logs`: what the shim wrote down of stdout and stderr."""
    now = time.time()
    since = times.since(given["since"], now, "since") if given.get("since") else 0.0
    until = times.since(given["until"], now, "until") if given.get("until") else 0.0
    container = session.engine.find(words[0])
    tail = given.get("tail", "all")
    entries = _entries(session, container.id, given.get("follow", False),
                       int(tail) if tail.isdigit() else -1)
    for entry in entries:
        moment = times.parse(entry["time"]) if since or until else 0.0
        if until and moment > until:
            break
        if moment >= since:
            _print_entry(entry, given)
    return 0


def _entries(session: Session, ident: str, follow: bool, last: int) -> Iterator[dict[str, Any]]:
    """The last so many entries (all, if negative), and with `follow` those to come."""
    if last < 0:
        yield from session.engine.logs(ident, follow=follow)
        return
    past = list(session.engine.logs(ident))
    yield from past[len(past) - last:] if last else []
    if follow:
        for number, entry in enumerate(session.engine.logs(ident, follow=True)):
            if number >= len(past):
                yield entry


def _print_entry(entry: dict[str, Any], given: Options) -> None:
    out = sys.stderr if entry["stream"] == "stderr" else sys.stdout
    stamp = f"{entry['time']} " if given.get("timestamps") else ""
    # The details are labels and variables that a log option asks for; there are no such options
    # yet, so what is left of them is the space behind them.
    details = " " if given.get("details") else ""
    out.write(f"{stamp}{details}{entry['log']}")
    if given.get("follow"):
        out.flush()


def top(session: Session, given: Options, words: list[str]) -> int:
    """`top`: the host's ps, cut down to the container's processes."""
    found = session.engine.top(words[0], words[1:])
    rows = [found["Titles"], *found["Processes"]]
    session.say(tables.render(rows, narrowest=20))
    return 0


EXEC_FLAGS = (
    ("detach", "d", "bool", BUILT, "Detached mode: run command in the background"),
    ("detach-keys", "", "string", BUILT,
     "Override the key sequence for detaching a container"),
    ("env", "e", "env", BUILT, "Set environment variables"),
    ("env-file", "", "list", BUILT, "Read in a file of environment variables"),
    ("interactive", "i", "bool", BUILT, "Keep STDIN open even if not attached"),
    ("privileged", "", "bool", BUILT, "Give extended privileges to the command"),
    ("tty", "t", "bool", BUILT, "Allocate a pseudo-TTY"),
    ("user", "u", "string", BUILT, 'Username or UID (format: "<name|uid>[:<group|gid>]")'),
    ("workdir", "w", "string", BUILT, "Working directory inside the container"),
)
WHEN = '(e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)'

COMMANDS = {
    "exec": Command(execute, "[OPTIONS] CONTAINER COMMAND [ARG...]",
                    "Execute a command in a running container", EXEC_FLAGS,
                    "container exec, exec", least=2, words_follow=True),
    "logs": Command(logs, "[OPTIONS] CONTAINER", "Fetch the logs of a container", (
        ("details", "", "bool", BUILT, "Show extra details provided to logs"),
        ("follow", "f", "bool", BUILT, "Follow log output"),
        ("since", "", "string", BUILT, f"Show logs since timestamp {WHEN}"),
        ("tail", "n", "string", BUILT,
         'Number of lines to show from the end of the logs (default "all")'),
        ("timestamps", "t", "bool", BUILT, "Show timestamps"),
        ("until", "", "string", BUILT, f"Show logs before a timestamp {WHEN}"),
    ), "container logs, logs", least=1, most=1),
    "top": Command(top, "CONTAINER [ps OPTIONS]",
                   "Display the running processes of a container", (),
                   "container top, top", least=1, words_follow=True),
}
