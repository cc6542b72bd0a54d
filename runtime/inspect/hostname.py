"""The host name inside another UTS namespace, read by a thread that goes there and ends.

In the caller's process: setns(2) into a UTS namespace moves one thread alone, and uname(2) answers
for the thread that asks; so a short-lived thread reads it and nothing else of the process moves.
No file shows it: /proc/sys/kernel/hostname is the reader's own, also opened through /proc/PID/root.
Needs CAP_SYS_ADMIN in the target's user namespace and in our own.
Sources: setns(2), uname(2), kernel/utsname_sysctl.c.
"""

from __future__ import annotations

import os
import threading

from runtime.kernel.namespaces import CLONE_NEWUTS, setns


def hostname_of(path: str) -> str:
    """The host name in the UTS namespace at path, `/proc/48213/ns/uts`. Raises OSError."""
    if os.stat(path).st_ino == os.stat("/proc/self/ns/uts").st_ino:
        return os.uname().nodename
    answer: list[str | OSError] = []

    def go_and_read() -> None:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                setns(fd, CLONE_NEWUTS)
            finally:
                os.close(fd)
            answer.append(os.uname().nodename)
        except OSError as error:
            answer.append(error)

    thread = threading.Thread(target=go_and_read, name="hostname")
    thread.start()
    thread.join()
    if isinstance(answer[0], OSError):
        raise answer[0]
    return answer[0]
