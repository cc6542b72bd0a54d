"""The runtime's own program, out of the container's reach: run from a mount that is read-only.

Runs in container-lab-oci, first of all, for the commands that end in a container's process. Until
its execve that process is our interpreter, and the kernel hands it on as /proc/self/exe: an image
whose program (or whose scripts' interpreter) is called that gets the host's Python, and may write
to it once nobody runs it any more (CVE-2019-5736). A shim runs it as long as its container lives:
"text file busy". A command that leaves does not, so it starts itself over from a copy of the mount
on which its program lies, attached nowhere and read-only: "read-only file system", for ever.

The price is a second start of the interpreter, 14 ms of CPU, so it comes before all else. A sealed
copy in memory (runc's way until 1.2) would cost the same and 7 MB more. Who is not root may not do
it, and need not: a program that its own user cannot write is not written by the container either.
Sources: open_tree(2), execveat(2); runc's libcontainer/dmz.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.oci.plan import Plan

ST_RDONLY = 1
# Those whose process becomes the container's, and who leave it alone before its end.
COMMANDS = frozenset(("create", "exec", "restore"))
LEAVES = frozenset(("-d", "-detach", "--detach", "-detach=true", "--detach=true"))
PROGRAM = "/proc/self/exe"


def needed(arguments: list[str]) -> bool:
    """Does the command line start a process in a container? A word too much costs only time.

    `run` that waits need not yet: it runs the program as long as the container lives, and with the
    container's pid namespace everybody ends who could have opened it (else: `needed_late`).
    """
    return os.geteuid() == 0 and not (
        COMMANDS.isdisjoint(arguments) and ("run" not in arguments or LEAVES.isdisjoint(arguments)))


def needed_late(plan: Plan) -> bool:
    """Can a process of this container outlive a `run` that waits for its first one?"""
    return os.geteuid() == 0 and not plan.new_namespace("pid")


def start_over() -> None:
    """Run this program again from a read-only copy of its mount; returns if it does already.

    Raises KernelError where the kernel does not let us: a start that can be overwritten is none.
    """
    # Here, for most commands only ask whether they need it.
    from runtime.errors import KernelError
    from runtime.kernel import mounts, trees

    fd = os.open(PROGRAM, os.O_PATH | os.O_CLOEXEC)
    try:
        if os.fstatvfs(fd).f_flag & ST_RDONLY:
            return
        tree = trees.open_tree(PROGRAM, False, fd)
    finally:
        os.close(fd)
    mounts.mount_setattr(PROGRAM, mounts.Attributes(mounts.MOUNT_ATTR_RDONLY), fd=tree)
    try:
        os.execve(tree, sys.orig_argv, os.environ)
    except OSError as error:
        raise KernelError("execve", error.errno or 0, PROGRAM) from None
