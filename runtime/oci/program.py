"""The program to become: found, with its limits, its signals as new, its environment and no other.

Runs in init and in exec's process, inside the new root. Input is config.json's process.
Sources: runtime-spec config.md "Process"; execve(2), signal(7), environ(7).
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal itself pulls in enum, 6 ms
import errno
import os
import stat

from runtime.errors import Denied, NotFound
from runtime.kernel import files, limits
from runtime.oci.places import target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LIBRARY_SIGNALS = (32, 33)
NOT_OURS = (_signal.SIGKILL, _signal.SIGSTOP, *LIBRARY_SIGNALS)
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def reset_signals() -> None:
    """Every signal back to its default, none blocked.

    execve keeps what is ignored and what is blocked: Python ignores SIGPIPE, a shell's background
    job ignores SIGINT, and neither is the container's business. No operation: it has no effect that
    anyone could see from outside but in /proc/PID/status SigIgn.
    """
    _signal.pthread_sigmask(_signal.SIG_SETMASK, [])
    for number in range(1, _signal.NSIG):
        # None: set by C, so Python does not know to what.
        if number not in NOT_OURS and _signal.getsignal(number) != _signal.SIG_DFL:
            _signal.signal(number, _signal.SIG_DFL)


def set_limits(process: dict[str, Any]) -> None:
    """Resource limits and the OOM score: while still root, for raising one needs it."""
    set_rlimits(process)
    set_oom_score(process)


def set_rlimits(process: dict[str, Any]) -> None:
    """Resource limits: soft and hard."""
    for limit in process.get("rlimits") or []:
        limits.setrlimit(limit["type"], limit["soft"], limit["hard"])


def set_oom_score(process: dict[str, Any]) -> None:
    """How soon the OOM killer takes it: −1000 never, 1000 first. proc_pid_oom_score_adj(5)"""
    if process.get("oomScoreAdj") is not None:
        files.write_control("/proc/self/oom_score_adj", str(process["oomScoreAdj"]))


def environment(process: dict[str, Any]) -> dict[str, str]:
    """Exactly what config.json says, and HOME of the user where it says nothing, as runc does."""
    variables = dict(entry.partition("=")[::2] for entry in process.get("env") or [])
    if "HOME" not in variables:
        variables["HOME"] = home((process.get("user") or {}).get("uid", 0))
    return variables


def home(uid: int) -> str:
    """The home of the uid in the container's own /etc/passwd; "/" where it has none. passwd(5)"""
    for line in (files.read_in_root("/", "/etc/passwd") or "").splitlines():
        fields = line.split(":")
        if len(fields) >= 6 and fields[2] == str(uid):
            return fields[5] or "/"
    return "/root" if uid == 0 else "/"


def prepare(process: dict[str, Any], make: bool = True) -> str:
    """Go to the working directory and find the program. Raises NotFound, Denied.

    Before the user changes, so that a missing directory can be made: of a container Docker makes
    it, as root; of one more process in it, it does not (`make`).
    """
    if not make and not os.path.isdir(process["cwd"]):
        raise NotFound(f'chdir to cwd ("{process["cwd"]}") set in config.json failed: '
                       "no such file or directory", exit_code=127)
    folder = open_directory(process)
    try:
        files.fchdir(folder, process["cwd"])
    finally:
        os.close(folder)
    path = [entry[5:] for entry in process.get("env") or [] if entry.startswith("PATH=")]
    return find(process["args"][0], path[-1] if path else DEFAULT_PATH)


def open_directory(process: dict[str, Any]) -> int:
    """A descriptor of the working directory, made if missing.

    Never by its name alone: /proc/self/fd/7 is a way out of the container (CVE-2024-21626).
    """
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return target(root, process["cwd"], True)
    finally:
        os.close(root)


def find(name: str, path: str) -> str:
    """The file execve will run for name. NotFound exits 127, Denied 126, in runc's words."""
    if "/" in name:
        reason = refusal(name)
        if reason == errno.ENOENT:
            raise NotFound(f'exec: "{name}": stat {name}: no such file or directory',
                           exit_code=127)
        if reason:
            why = "is a directory: permission denied" if reason == errno.EISDIR else \
                os.strerror(reason).lower()
            raise Denied(f'exec: "{name}": {why}', exit_code=126)
        return name
    denied = False
    for folder in path.split(":"):
        candidate = os.path.join(folder or ".", name)
        reason = refusal(candidate)
        if not reason:
            return candidate
        denied = denied or reason == errno.EACCES
    if denied:
        raise Denied(f'exec: "{name}": permission denied', exit_code=126)
    raise NotFound(f'exec: "{name}": executable file not found in $PATH', exit_code=127)


def refusal(path: str) -> int:
    """Why the file cannot be run: 0, ENOENT, EACCES or EISDIR."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return errno.ENOENT if error.errno in (errno.ENOENT, errno.ENOTDIR) else error.errno or 0
    if stat.S_ISDIR(mode):
        return errno.EISDIR
    return 0 if mode & 0o111 else errno.EACCES
