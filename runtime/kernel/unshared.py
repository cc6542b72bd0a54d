"""Running a function as root of a user namespace: what `podman unshare` is to podman.

Files that a container without root has made may belong to ids that are its user's and not his own
(subids.py): unpacking a layer into such owners, and removing one, take root of a namespace with
the same maps. Runs in the engine, the store and the shim, and, as `python -I -S unshared.py ROOT`,
in a fresh interpreter: a program with threads may not unshare. Asked on stdin, answered on stdout:

    ours → theirs    {"call": "runtime.shim.removal:remove_tree", "arguments": ["/…/4f5e…"]}
    theirs → ours    "u"            it has unshared, and waits for its maps
    ours → theirs    "m"
    theirs → ours    {"value": …} | {"error": {"kind": …}}

Sources: unshare(2), user_namespaces(7), podman-unshare(1).
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def call(function: str, *arguments: Any) -> Any:
    """The function's value; raises its error. Arguments and value have to be JSON."""
    from runtime import documents
    from runtime.errors import Conflict, from_data
    from runtime.kernel import commands, subids

    question, asking = os.pipe2(os.O_CLOEXEC)
    hearing, answer = os.pipe2(os.O_CLOEXEC)
    try:
        pid = commands.begin(f"unshared {function}", sys.executable,
                             ["-I", "-S", os.path.abspath(__file__), HERE], (question, answer, 2))
        os.close(question)
        os.close(answer)
        question = answer = -1
        text = documents.encode({"call": function, "arguments": list(arguments)})
        send(asking, text.encode() + b"\n")
        try:
            if os.read(hearing, 1) == b"u":
                subids.write(pid, *subids.maps(os.geteuid(), os.getegid()))
                send(asking, b"m")
            data = b""
            while chunk := os.read(hearing, 65536):
                data += chunk
        finally:
            os.close(asking)
            asking = -1
            commands.finish(pid)
    finally:
        for fd in (question, asking, hearing, answer):
            if fd >= 0:
                os.close(fd)
    if not data:
        raise Conflict(f"run {function} in a user namespace: it ended without an answer")
    told = documents.parse(data)
    if "error" in told:
        raise from_data(told["error"])
    return told["value"]


def send(fd: int, data: bytes) -> None:
    """All of it, unless nobody is there to read it any more."""
    try:
        while data:
            data = data[os.write(fd, data):]
    except BrokenPipeError:
        return


def main() -> None:
    """In the fresh interpreter: unshare, wait for the maps, call."""
    sys.path.insert(0, sys.argv[1])
    from runtime import documents
    from runtime.errors import to_data
    from runtime.kernel import namespaces, users

    question = documents.parse(sys.stdin.buffer.readline())
    try:
        namespaces.unshare(namespaces.CLONE_NEWUSER)
        os.write(1, b"u")
        if sys.stdin.buffer.read(1) != b"m":
            os._exit(1)
        users.setresgid(0, 0, 0)
        users.setresuid(0, 0, 0)
        module, _, name = question["call"].partition(":")
        function = getattr(__import__(module, fromlist=[name]), name)
        answer = {"value": function(*question["arguments"])}
    except Exception as error:
        answer = {"error": to_data(error)}
    os.write(1, documents.encode(answer).encode())


if __name__ == "__main__":
    main()
