"""A shim in a process of its own: `python -I -S start.py DIR`, report on 3, request on 4.

Run by the engine when the program that embeds it has threads. It forks once more and ends, so that
the shim is nobody's child and is not waited for.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Read the request, fork, be the shim."""
    sys.path.insert(0, sys.argv[1])
    import _socket

    from runtime import documents
    from runtime.shim import becoming, shim

    data = b""
    while chunk := os.read(4, 65536):
        data += chunk
    os.close(4)
    if os.fork() == 0:
        report = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, 3)
        os.set_inheritable(3, False)
        becoming.detach()
        shim.main(documents.parse(data), report)
    os._exit(0)


if __name__ == "__main__":
    main()
