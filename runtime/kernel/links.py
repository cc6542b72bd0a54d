"""Network links: for now, the one every network namespace is born with.

Runs in init, in the container's network namespace. More comes with the networks; requests beyond
an interface flag are netlink's. Sources: netdevice(7), network_namespaces(7).
"""

from __future__ import annotations

import fcntl
import os
import struct

from runtime.trace.operation import operation

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


@operation("netdevice(7)")
def set_link_up(name: str) -> None:
    """Bring an interface up. Needs CAP_NET_ADMIN over this network namespace. SIOCSIFFLAGS"""
    import _socket

    sock = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        request = struct.pack("16sH22x", os.fsencode(name), 0)
        answer = fcntl.ioctl(sock.fileno(), SIOCGIFFLAGS, request)
        flags: int = struct.unpack_from("H", answer, 16)[0]
        request = struct.pack("16sH22x", os.fsencode(name), flags | IFF_UP)
        fcntl.ioctl(sock.fileno(), SIOCSIFFLAGS, request)
    finally:
        sock.close()
