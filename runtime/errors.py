"""The one tree of errors. A class says what the caller can do about it.

    LabError
    ├── NotFound      no such container, image, command       look for another name
    ├── Conflict      the object is in the wrong state        wait, stop it, or rename
    ├── Invalid       the request makes no sense              correct it
    ├── Denied        this user may not                       become root, or go rootless
    ├── Unsupported   this host or this version cannot        the message says what would help
    └── KernelError   a system call failed (is an OSError)    read errno, object and hint

Message: lower case, no period: what we were doing, the object, the cause, the hint, as in
`mount proc on /proc: EPERM (the host's own /proc is partly masked)`. Docker's own sentences keep
Docker's spelling. Every process of the chain raises these; errors of a child travel to its parent
as data (`to_data`, `from_data`) and are raised there again.
"""

from __future__ import annotations

import errno as errno_names
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class LabError(Exception):
    """Anything this program refuses or fails to do, said in one line."""

    exit_code = 1
    # Of a start that failed: what had been done until then (data, see trace/operation.py).
    operations: list[dict[str, Any]] = []

    def __init__(self, message: str, hint: str = "", exit_code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if exit_code is not None:
            self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class NotFound(LabError):
    """There is no such object."""


class Conflict(LabError):
    """The object exists, and its state forbids this."""


class Invalid(LabError):
    """The request itself is wrong, whatever the state of the host."""


class Denied(LabError):
    """The kernel or the host's policy does not let this user do it."""


class Unsupported(LabError):
    """The host, or this version, cannot do it; never silently left out."""


# What an errno usually means in the calls we make, said once; a call site may know better.
HINTS = {
    ("mount", errno_names.EPERM): "needs CAP_SYS_ADMIN in this mount namespace",
    ("mount", errno_names.ENODEV): "the kernel does not have this file system",
    ("pivot_root", errno_names.EINVAL): "the parent of the new root is a shared mount",
    ("unshare", errno_names.EPERM): "without root, only a user namespace comes first",
    ("unshare", errno_names.ENOSPC): "a limit under /proc/sys/user is used up",
    ("clone3", errno_names.EPERM): "needs CAP_SYS_ADMIN for namespaces other than user",
    ("bpf", errno_names.EPERM): "needs CAP_SYS_ADMIN in the initial user namespace",
    ("setrlimit", errno_names.EPERM): "raising a hard limit needs CAP_SYS_RESOURCE",
    ("write_control", errno_names.EBUSY): "the group uses more than this now",
}


class KernelError(LabError, OSError):
    """A system call failed. Example: `mount proc on /proc: EPERM (…)`, errno 1."""

    def __init__(self, doing: str, number: int, target: str = "", hint: str = "") -> None:
        self.doing, self.target = doing, target
        name = errno_names.errorcode.get(number, str(number))
        message = f"{doing}{' ' + target if target else ''}: {name} {os.strerror(number).lower()}"
        hint = hint or HINTS.get((doing.split(" ", 1)[0], number), "")
        LabError.__init__(self, message, hint)
        self.errno, self.strerror = number, os.strerror(number)


CLASSES: dict[str, type[LabError]] = {
    kind.__name__: kind for kind in (LabError, NotFound, Conflict, Invalid, Denied, Unsupported)
}


def to_data(error: BaseException) -> dict[str, Any]:
    """The error as JSON data, for the way from a child to its parent."""
    if isinstance(error, KernelError):
        return {"kind": "KernelError", "doing": error.doing, "errno": error.errno,
                "target": error.target, "hint": error.hint}
    if isinstance(error, LabError):
        return {"kind": type(error).__name__, "message": error.message, "hint": error.hint,
                "exit_code": error.exit_code}
    if isinstance(error, OSError) and error.errno:
        return {"kind": "KernelError", "doing": type(error).__name__, "errno": error.errno,
                "target": str(error.filename or ""), "hint": ""}
    return {"kind": "LabError", "message": f"{type(error).__name__}: {error}", "hint": ""}


def from_data(data: dict[str, Any]) -> LabError:
    """The error that `to_data` described; the reverse of it."""
    if data["kind"] == "KernelError":
        return KernelError(data["doing"], data["errno"], data["target"], data["hint"])
    kind = CLASSES.get(data["kind"], LabError)
    return kind(data["message"], data.get("hint", ""), data.get("exit_code"))
