"""Programs of the host, run to do what we leave to them: posix_spawn(3).

Runs in the shim, which drives other OCI runtimes so, and in whoever makes a user namespace
(newuidmap). The program gets the three descriptors it is given and nothing else that is ours; the
signals that a shim ignores are put back, for execve hands ignored ones on (signal(7)).
Sources: posix_spawn(3), waitpid(2).
"""

from __future__ import annotations

import os

from runtime.errors import KernelError
from runtime.trace.operation import operation

# SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGCHLD: a shim's or a zygote's; SIGXFSZ: Python's own.
RESET = (1, 2, 13, 15, 17, 25)
# Where an administrator's tools are, also when the caller's PATH does not lead there.
SYSTEM = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


@operation("posix_spawn(3)")
def run(command: str, path: str, arguments: list[str], stdio: tuple[int, int, int]) -> int:
    """Run a program to its end; its exit status. `command` is it for the reader: "runc start".

    Raises KernelError when it cannot be run at all.
    """
    return finish(_spawn(path, arguments, stdio))


@operation("posix_spawn(3)")
def begin(command: str, path: str, arguments: list[str], stdio: tuple[int, int, int]) -> int:
    """Run a program and go on; its pid, to be waited for (`finish`). Raises KernelError."""
    return _spawn(path, arguments, stdio)


def _spawn(path: str, arguments: list[str], stdio: tuple[int, int, int]) -> int:
    # Away from 0 to 2 first: one of the three may stand where another has to go.
    spare = [os.dup(fd) if fd < 3 else fd for fd in stdio]
    actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(spare)]
    try:
        return os.posix_spawn(path, [path, *arguments], environment(), file_actions=actions,
                              setsigdef=RESET, setsigmask=())
    except OSError as error:
        raise KernelError("run", error.errno or 0, path) from None
    finally:
        for fd, given in zip(spare, stdio):
            if fd != given:
                os.close(fd)


def finish(pid: int) -> int:
    """Wait for the program to end; its exit status, 128 + n for signal n."""
    status = os.waitpid(pid, 0)[1]
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def environment() -> dict[str, str]:
    """What such a program finds its own tools and directories by, and nothing else of ours."""
    found = {name: os.environ[name] for name in ("HOME", "XDG_RUNTIME_DIR") if name in os.environ}
    return {**found, "PATH": ":".join(search_path())}


def search_path() -> list[str]:
    """The directories of PATH, and the system's own."""
    return list(dict.fromkeys([*filter(None, os.environ.get("PATH", "").split(":")), *SYSTEM]))


def find(name: str) -> str:
    """The program of that name on the search path; "" when there is none."""
    for folder in search_path():
        path = f"{folder}/{name}"
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return ""
