"""-v, --mount and --tmpfs: what they ask for, checked in the words of Docker's daemon.

Only directories and files of the host can be mounted so far; a volume by name is recognised and
refused. Runs in `run` and `create` when one of the flags is there.

    binds(["/srv:/data:ro"]) → ["/srv:/data:ro"]          as HostConfig.Binds has them
    tmpfs(["/t:size=1m"]) → {"/t": "size=1m"}             as HostConfig.Tmpfs has them

ClientError is what the docker command says itself, Invalid what its daemon would say.
Sources: docker/cli's volume loader, moby volume/mounts/linux_parser.go.
"""

from __future__ import annotations

import os

from runtime.client.options import ClientError
from runtime.errors import Invalid, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MODES = ("ro", "rw")
# Docker knows these; what they would change is not built.
LATER_MODES = ("z", "Z", "nocopy", "shared", "rshared", "slave", "rslave", "private", "rprivate",
               "consistent", "cached", "delegated")
NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
TMPFS_OPTIONS = ("ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "sync", "async",
                 "atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime",
                 "strictatime", "nostrictatime", "remount", "dirsync", "mand", "nomand")
TMPFS_VALUES = ("size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol")


def binds(specs: list[str]) -> list[str]:
    """The specs with absolute paths of the host."""
    checked, taken = [], set()
    for spec in specs:
        parts = _parts(spec)
        target = parts[1] if len(parts) > 1 else parts[0]
        if target in taken:
            raise Invalid(f"Duplicate mount point: {target}")
        taken.add(target)
        checked.append((spec, parts))
    return [_bind(spec, parts) for spec, parts in checked]


def _parts(spec: str) -> list[str]:
    parts = spec.split(":")
    if "" in parts:
        raise ClientError(f"invalid spec: {spec}: empty section between colons")
    if len(parts) > 3:
        raise Invalid(f"invalid volume specification: '{spec}'")
    if parts[0].startswith((".", "~")) and len(parts) > 1:
        parts[0] = os.path.abspath(os.path.expanduser(parts[0]))
    if len(parts) == 3:
        _check_mode(parts[2])
    kind = "bind" if len(parts) > 1 and parts[0].startswith("/") else "volume"
    _check_target(parts[1] if len(parts) > 1 else parts[0],
                  f"invalid volume specification: '{spec}': invalid mount config for type "
                  f'"{kind}": ')
    return parts


def _check_mode(text: str) -> None:
    for mode in text.split(","):
        if mode in LATER_MODES:
            raise Unsupported(f"-v with the mode {mode} is not built yet", exit_code=125)
        if mode not in MODES:
            raise Invalid(f"invalid mode: {text}")


def _check_target(target: str, where: str) -> None:
    if not target.startswith("/"):
        raise Invalid(f"{where}invalid mount path: '{target}' mount path must be absolute")
    if os.path.normpath(target) == "/":
        raise Invalid(f"{where}invalid specification: destination can't be '/'")


def _bind(spec: str, parts: list[str]) -> str:
    if len(parts) == 1:
        raise Unsupported(f"an anonymous volume (-v {spec}) is not built yet", exit_code=125)
    name = parts[0]
    if not name.startswith("/"):
        if not set(name) <= NAME or not name[0].isalnum():
            raise Invalid(f'create {name}: "{name}" includes invalid characters for a local volume '
                          'name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to '
                          "pass a host directory, use absolute path")
        raise Unsupported(f"a volume by name (-v {spec}) is not built yet", "a path of the host is",
                          exit_code=125)
    return ":".join(parts)


def mounts(asked: list[dict[str, Any]]) -> list[str]:
    """--mount type=bind as a bind; its source must exist, which -v does not ask for."""
    found = []
    for mount in asked:
        where = f'invalid mount config for type "{mount["Type"]}": '
        if mount["Type"] not in ("bind", "volume", "tmpfs", "image", "npipe", "cluster"):
            raise Invalid(f"{where}mount type unknown")
        if mount["Type"] != "bind":
            raise Unsupported(f"--mount type={mount['Type']} is not built yet", exit_code=125)
        _check_target(mount["Target"], where)
        source = mount.get("Source", "")
        if not source:
            raise Invalid(f"{where}field Source must not be empty")
        if not source.startswith("/"):
            raise Invalid(f"{where}invalid mount path: '{source}' mount path must be absolute")
        if not os.path.exists(source):
            raise Invalid(f"{where}bind source path does not exist: {source}")
        found.append(f"{source}:{mount['Target']}{':ro' if mount.get('ReadOnly') else ''}")
    return found


def tmpfs(specs: list[str]) -> dict[str, str]:
    """Path → options of each --tmpfs."""
    told = {}
    for spec in specs:
        path, _, text = spec.partition(":")
        if not path.startswith("/"):
            raise Invalid(f"invalid mount path: '{path}' mount path must be absolute")
        for option in filter(None, text.split(",")):
            if option not in TMPFS_OPTIONS and option.partition("=")[0] not in TMPFS_VALUES:
                raise Invalid(f'invalid tmpfs option "{option}"')
        told[path] = text
    return told
