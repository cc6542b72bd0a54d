"""The network links of a namespace: name, up or down, addresses. The twin of `ip addr`.

In the caller's process, by a visit there (`visit.py`); two netlink dumps, reads only.
  links(source, 48213) == (Link("lo", 1, False, 65536, "", "DOWN", ()),)
  Link("eth0", 2, True, 1500, "veth", "UP", ("172.17.0.2/16",), peer=5)
`up` is the flag that `ip link set up` sets; `state` is what the device says of its carrier, and a
lo that is up says UNKNOWN there.
Sources: rtnetlink(7), netlink(7), linux/if_link.h, linux/if_addr.h.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runtime.errors import Denied, KernelError
from runtime.inspect.reading import Gone, Source
from runtime.inspect.visit import visit

RTM_NEWLINK, RTM_GETLINK, RTM_NEWADDR, RTM_GETADDR = 16, 18, 20, 22
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_OPERSTATE, IFLA_LINKINFO, IFLA_INFO_KIND = 3, 4, 5, 16, 18, 1
IFA_ADDRESS, IFA_LOCAL = 1, 2
IFF_UP = 0x1
STATES = ("UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP")


@dataclass(frozen=True, slots=True)
class Link:
    """One link. `kind` is "" for what no driver names (lo), `peer` the other end's index or 0."""

    name: str
    index: int
    up: bool
    mtu: int
    kind: str
    state: str
    addresses: tuple[str, ...]
    peer: int = 0


def links(source: Source, pid: int | str) -> tuple[Link, ...] | None:
    """The links that a process sees, by index; None when it is gone, or not ours to visit."""
    try:
        rows = source.links(f"/proc/{pid}/ns/net")
    except (Gone, Denied):
        return None
    return tuple(Link(**{**row, "addresses": tuple(row["addresses"])}) for row in rows)


def links_of(path: str) -> list[dict[str, Any]]:
    """The links in the network namespace at path, as plain data. Raises OSError."""
    return visit(path, "net", _read)


def _read() -> list[dict[str, Any]]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as sock:
        sock.settimeout(2)
        found = {row["index"]: row for row in map(_link, _dump(sock, RTM_GETLINK, RTM_NEWLINK))}
        for message in _dump(sock, RTM_GETADDR, RTM_NEWADDR):
            index, address = _address(message)
            if index in found and address:
                found[index]["addresses"].append(address)
    return [found[index] for index in sorted(found)]


def _dump(sock: socket.socket, request: int, answer: int) -> Iterator[bytes]:
    """The bodies of the answers to one dump request."""
    body = struct.pack("=BxHiII", 0, 0, 0, 0, 0)
    sock.send(struct.pack("=IHHII", 16 + len(body), request, NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
              + body)
    while True:
        data, at = sock.recv(1 << 16), 0
        while at + 16 <= len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            if kind == NLMSG_DONE:
                return
            if kind == NLMSG_ERROR:
                number, = struct.unpack_from("=i", data, at + 16)
                raise KernelError("list the network links", -number)
            if kind == answer:
                yield data[at + 16:at + length]
            at += (length + 3) & ~3


def _attributes(data: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        found[kind & 0x3FFF] = data[at + 4:at + length]
        at += max(4, (length + 3) & ~3)
    return found


def _link(message: bytes) -> dict[str, Any]:
    index, flags = struct.unpack_from("=4xiI", message)
    found = _attributes(message[16:])
    inner = _attributes(found.get(IFLA_LINKINFO, b""))
    state = found.get(IFLA_OPERSTATE, b"\0")[0]
    return {"name": _text(found, IFLA_IFNAME), "index": index, "up": bool(flags & IFF_UP),
            "mtu": _number(found, IFLA_MTU), "kind": _text(inner, IFLA_INFO_KIND),
            "state": STATES[state] if state < len(STATES) else str(state), "addresses": [],
            "peer": _number(found, IFLA_LINK)}


def _address(message: bytes) -> tuple[int, str]:
    family, length, index = struct.unpack_from("=BB2xI", message)
    found = _attributes(message[8:])
    # On a link with two ends IFA_ADDRESS is the other's; IFA_LOCAL is ours, where there is one.
    raw = found.get(IFA_LOCAL) or found.get(IFA_ADDRESS)
    if not raw or family not in (socket.AF_INET, socket.AF_INET6):
        return index, ""
    return index, f"{socket.inet_ntop(family, raw)}/{length}"


def _text(found: Mapping[int, bytes], key: int) -> str:
    return found.get(key, b"").rstrip(b"\0").decode(errors="replace")


def _number(found: Mapping[int, bytes], key: int) -> int:
    raw = found.get(key, b"")
    return int(struct.unpack("=I", raw)[0]) if len(raw) == 4 else 0
