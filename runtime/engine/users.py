"""Who `--user student:lab` is: names looked up in the image's own passwd and group files.

Runs in the engine at create and exec. Never the host's: uid 1000 is student in the image and may be
somebody else here. Sources: moby daemon/oci_linux.go getUser, moby/sys/user; passwd(5), group(5).
"""

from __future__ import annotations

import os

from runtime.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Read = Callable[[str], str]

LARGEST = 2147483647


def reader(layers: list[str]) -> Read:
    """A function that reads a file as the container would see it; `layers` lowest first."""

    def read(path: str) -> str:
        for layer in reversed(layers):
            full = layer + path
            try:
                # A link could lead out of the layer, onto the host: then the file counts as none.
                fd = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            except OSError:
                return ""
            with open(fd, encoding="utf-8", errors="replace") as file:
                return file.read()
        return ""

    return read


def resolve(text: str, groups: list[str], read: Read) -> dict[str, Any]:
    """config.json's user of `uid|name[:gid|name]` and --group-add. Raises Invalid as Docker."""
    user, _, group = text.partition(":")
    uid, gid, name = _user(user or "0", read)
    extra: list[int] = []
    if group:
        gid = _group(group, read, "unable to find group {}: no matching entries in group file")
    elif name:
        extra = [number for number, members in _groups(read) if name in members]
    extra += [_group(each, read, "unable to find group {}: no matching entries in group file")
              for each in groups]
    # runc lists the primary group among the supplementary ones too, and so does `id`.
    return {"uid": uid, "gid": gid, "additionalGids": sorted({*extra, gid}) if text or extra else
            _root_groups(read)}


def _root_groups(read: Read) -> list[int]:
    return sorted({0, *(number for number, members in _groups(read) if "root" in members)})


def _user(text: str, read: Read) -> tuple[int, int, str]:
    """(uid, gid, name) of a name or number; a number nobody has belongs to group 0."""
    for line in read("/etc/passwd").splitlines():
        fields = line.split(":")
        if len(fields) >= 4 and text in (fields[0], fields[2]):
            return int(fields[2]), int(fields[3]), fields[0]
    if text.isdecimal():
        return _in_range(text), 0, ""
    raise Invalid(f"unable to find user {text}: no matching entries in passwd file")


def _group(text: str, read: Read, message: str) -> int:
    for line in read("/etc/group").splitlines():
        fields = line.split(":")
        if len(fields) >= 3 and text == fields[0]:
            return int(fields[2])
    if text.isdecimal():
        return _in_range(text)
    raise Invalid(message.format(text))


def _groups(read: Read) -> list[tuple[int, list[str]]]:
    fields = [line.split(":") for line in read("/etc/group").splitlines()]
    return [(int(each[2]), each[3].split(",")) for each in fields if len(each) >= 4]


def _in_range(text: str) -> int:
    number = int(text)
    if number > LARGEST:
        raise Invalid(f"uids and gids must be in range 0-{LARGEST}")
    return number
