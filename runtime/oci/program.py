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
from runtime.kernel import files, limits, processes
from runtime.oci.places import target
from runtime.oci.spec import cpus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LIBRARY_SIGNALS = (32, 33)
NOT_OURS = (_signal.SIGKILL, _signal.SIGSTOP, *LIBRARY_SIGNALS)
PERSONALITIES = {"LINUX": processes.PER_LINUX, "LINUX32": processes.PER_LINUX32}
# What is written, and how much memory there is: we are Python, and write down what we do.
LAST = ("RLIMIT_FSIZE", "RLIMIT_AS", "RLIMIT_DATA")
ATTRIBUTE_EXEC, APPARMOR_EXEC = "/proc/self/attr/exec", "/proc/self/attr/apparmor/exec"
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


def set_rlimits(process: dict[str, Any]) -> None:
    """Resource limits, soft and hard: while still root, for raising one needs it.

    Of those that would cut short our own way only the hard limit, and that only upwards.
    """
    for limit in process.get("rlimits") or []:
        if limit["type"] not in LAST:
            limits.setrlimit(limit["type"], limit["soft"], limit["hard"])
        else:
            raise_limit(limit, 0)


def set_last_rlimits(process: dict[str, Any]) -> None:
    """The rest of them, when there is nothing left to do but the program."""
    for limit in process.get("rlimits") or []:
        if limit["type"] in LAST:
            # To write down what comes now is then an error and no longer our end; execve puts the
            # signal back.
            _signal.signal(_signal.SIGXFSZ, lambda number, frame: None)
            limits.setrlimit(limit["type"], limit["soft"], limit["hard"])


def raise_limits(process: dict[str, Any], pid: int) -> None:
    """In the shim: let the root of a user namespace have its limits, which it may not raise."""
    for limit in process.get("rlimits") or []:
        raise_limit(limit, pid)


def raise_limit(limit: dict[str, Any], pid: int) -> None:
    """Raise the hard limit of a process (0: this one) to what is asked for, never lower it."""
    soft, hard = limits.getrlimit(pid, limit["type"])
    if limit["hard"] & limits.INFINITY > hard:
        limits.prlimit(pid, limit["type"], soft, limit["hard"])


def set_oom_score(process: dict[str, Any], pid: int | str = "self") -> None:
    """How soon the OOM killer takes it: −1000 never, 1000 first. proc_pid_oom_score_adj(5)

    From outside: a container need not have a /proc, and root of a user namespace may not go below
    what it was born with.
    """
    if process.get("oomScoreAdj") is not None:
        files.write_control(f"/proc/{pid}/oom_score_adj", str(process["oomScoreAdj"]))


def import_ahead(process: dict[str, Any]) -> None:
    """What few processes ask for, while our files can be reached: before the root is entered."""
    if any(process.get(key) for key in ("scheduler", "ioPriority", "execCPUAffinity")):
        from runtime.kernel import scheduling  # noqa: F401


def set_scheduling(process: dict[str, Any]) -> None:
    """Policy and disk priority: while CAP_SYS_NICE is there. sched(7), ioprio_set(2)"""
    asked, disk = process.get("scheduler"), process.get("ioPriority")
    if asked or disk:
        from runtime.kernel import scheduling
    if asked:
        flags = sum(scheduling.SCHED_FLAGS[name] for name in set(asked.get("flags") or ()))
        scheduling.sched_setattr(
            asked["policy"], flags, asked.get("nice") or 0, asked.get("priority") or 0,
            asked.get("runtime") or 0, asked.get("deadline") or 0, asked.get("period") or 0)
    if disk:
        scheduling.ioprio_set(disk["class"], disk["priority"])


def set_affinity(process: dict[str, Any], when: str) -> None:
    """Of exec: the CPUs it is to run on `initial`, outside the group, or `final`, inside."""
    text = (process.get("execCPUAffinity") or {}).get(when)
    if text:
        from runtime.kernel import scheduling

        scheduling.sched_setaffinity(cpus(text, f"$.process.execCPUAffinity.{when}"))


def set_personality(linux: dict[str, Any]) -> None:
    """Which Unix the program is told it runs on. personality(2)"""
    asked = linux.get("personality")
    if asked:
        processes.personality(PERSONALITIES[asked["domain"]])


def set_labels(process: dict[str, Any]) -> None:
    """What the security modules shall make of the program at its execve. proc_pid_attr(5)

    AppArmor has had its own directory since Linux 5.8, where another module had the first word.
    """
    profile, own = process.get("apparmorProfile"), os.path.exists(APPARMOR_EXEC)
    # Where there is no AppArmor, every program is unconfined.
    if profile and (own or profile != "unconfined"):
        files.write_control(APPARMOR_EXEC if own else ATTRIBUTE_EXEC, f"exec {profile}")
    if process.get("selinuxLabel"):
        files.write_control(ATTRIBUTE_EXEC, process["selinuxLabel"])


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
