"""Users: who a process is, in numbers, and how a user namespace translates them.

Runs in init and in exec's process, and in the shim, which writes the maps of its child.
Sources: setresuid(2), setgroups(2), user_namespaces(7).
"""

from __future__ import annotations

import os

from runtime.errors import KernelError
from runtime.trace.operation import operation

UNMAPPED = "in a user namespace an id has to be in its map"


@operation("setgroups(2)")
def setgroups(groups: list[int]) -> None:
    """Replace the supplementary groups. Needs CAP_SETGID. Raises KernelError. setgroups(2)"""
    try:
        os.setgroups(groups)
    except OSError as error:
        raise KernelError("setgroups", error.errno or 0, str(groups)) from None


@operation("setresgid(2)")
def setresgid(real: int, effective: int, saved: int) -> None:
    """Set all three group ids. setresgid(2)"""
    try:
        os.setresgid(real, effective, saved)
    except OSError as error:
        raise KernelError("setresgid", error.errno or 0, str(real), UNMAPPED) from None


@operation("setresuid(2)")
def setresuid(real: int, effective: int, saved: int) -> None:
    """Set all three user ids; leaving 0 clears the effective capabilities. setresuid(2)"""
    try:
        os.setresuid(real, effective, saved)
    except OSError as error:
        raise KernelError("setresuid", error.errno or 0, str(real), UNMAPPED) from None


@operation("umask(2)")
def umask(mask: int) -> None:
    """Set which mode bits new files do not get. umask(2)"""
    os.umask(mask)
