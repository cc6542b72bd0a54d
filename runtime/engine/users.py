"""Who `--user student:lab` is: names looked up in the image's own passwd and group files.

Runs in the engine at create and exec. Never the host's: uid 1000 is student in the image and may be
somebody else here. Sources: moby daemon/oci_linux.go getUser, moby/sys/user; passwd(5), group(5).
"""

from __future__ import annotations

import os

from runtime.errors import Invalid
from runtime.kernel import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Read = Callable[[str], str]

LARGEST = 2147483647


def reader(layers: list[str]) -> Read:
    """A function that reads a file as the container would see it; `layers` lowest first.

    A link is followed as far as it stays in its layer; one into another layer counts as no file.
    """

    def read(path: str) -> str:
        for layer in reversed(layers):
            text = files.read_in_root(layer, path)
            if text is not None:
                return text
            if os.path.lexists(layer + path):
                return ""
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
    for fields in _fields(read("/etc/passwd"), 4):
        if text in (fields[0], fields[2]) and fields[3].isdecimal():
            return int(fields[2]), int(fields[3]), fields[0]
    if text.isdecimal():
        return _in_range(text), 0, ""
    raise Invalid(f"unable to find user {text}: no matching entries in passwd file")


def _group(text: str, read: Read, message: str) -> int:
    for fields in _fields(read("/etc/group"), 3):
        if text == fields[0]:
            return int(fields[2])
    if text.isdecimal():
        return _in_range(text)
    raise Invalid(message.format(text))


def _groups(read: Read) -> list[tuple[int, list[str]]]:
    return [(int(each[2]), each[3].split(",")) for each in _fields(read("/etc/group"), 4)]


def _fields(text: str, least: int) -> list[list[str]]:
    """The lines that are whole, in fields; the third is a number. NIS leaves others: "+:::"."""
    lines = [line.split(":") for line in text.splitlines()]
    return [each for each in lines if len(each) >= least and each[2].isdecimal()]


def _in_range(text: str) -> int:
    number = int(text)
    if number > LARGEST:
        raise Invalid(f"uids and gids must be in range 0-{LARGEST}")
    return number
