"""An operation in words: its arguments by name and flag, its result, its time.

The twin of strace's decoding, over the plain data of a birth certificate, a gate or a trace; pure
functions in the caller's process. An operation is
  {"name": "umount2", "arguments": {"target": ".", "flags": 2}, "result": None, "errno": 0, …}
  decoded(it) == [("target", "."), ("flags", "MNT_DETACH")]      short(it) == '"." MNT_DETACH'
Sources: the manual page named by the operation.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from runtime.inspect.capabilities import NAMES, decode

Values = Mapping[str, Any]

ALL_CAPABILITIES = (1 << len(NAMES)) - 1
MOUNT_ATTRIBUTES = ("MOUNT_ATTR_RDONLY", "MOUNT_ATTR_NOSUID", "MOUNT_ATTR_NODEV",
                    "MOUNT_ATTR_NOEXEC")
# What seccomp(2) takes, by bit.
FILTER_FLAGS = ("TSYNC", "LOG", "SPEC_ALLOW", "NEW_LISTENER", "TSYNC_ESRCH", "WAIT_KILLABLE_RECV")


def decoded(operation: Values) -> list[tuple[str, str]]:
    """(name, value) of every argument that says something, masks and numbers spelled out."""
    found = []
    for name, value in (operation.get("arguments") or {}).items():
        text = _value(operation["name"], name, value)
        if text:
            found.append((name, text))
    return found


def _value(operation: str, name: str, value: Any) -> str:
    special = _DECODERS.get((operation, name)) or _DECODERS.get(("", name))
    if special is not None:
        try:
            return special(value)
        except (TypeError, ValueError):
            return str(value)
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value)


def bits(names: tuple[str, ...]) -> Callable[[Any], str]:
    """A decoder of a mask with these names from bit 0; what is words already stays."""
    def spell(value: Any) -> str:
        if isinstance(value, str) and not value.isdecimal():
            return value
        mask = int(value)
        return "|".join(word for bit, word in enumerate(names) if mask >> bit & 1) or "0"

    return spell


def capability_words(value: Any) -> str:
    """14 of 41: CHOWN DAC_OVERRIDE … of "a80425fb"."""
    mask = value if isinstance(value, int) else int(str(value), 16)
    if mask & ALL_CAPABILITIES == ALL_CAPABILITIES:
        return f"all {len(NAMES)}"
    names = decode(mask)
    return f"{len(names)} of {len(NAMES)}: {' '.join(names)}" if names else "none"


def octal(value: Any) -> str:
    """A mode as one writes it: 0755."""
    return value if isinstance(value, str) else f"{value:04o}"


def _descriptor(value: Any) -> str:
    """A number that only the process itself knows; −100 is the current directory."""
    return "" if value is None or value == -100 else f"descriptor {value}"


_DECODERS: dict[tuple[str, str], Callable[[Any], str]] = {
    ("mount_setattr", "set_attributes"): bits(MOUNT_ATTRIBUTES),
    ("mount_setattr", "clear"): lambda v: "" if v in (0, "0") else bits(MOUNT_ATTRIBUTES)(v),
    ("mount_setattr", "propagation"): lambda v: "" if v in (0, "0") else str(v),
    ("mount_setattr", "userns_fd"): lambda v: "" if v in (0, None) else _descriptor(v),
    ("fsmount", "attributes"): lambda v: "" if v in (0, "0") else bits(MOUNT_ATTRIBUTES)(v),
    ("execve", "environment"): lambda v: " ".join(f"{k}={word}" for k, word in v.items()),
    ("umount2", "flags"): lambda v: v if isinstance(v, str) and not v.isdecimal()
    else "MNT_DETACH" if int(v) & 2 else str(v),
    ("umask", "mask"): octal,
    ("mkdir", "mode"): octal,
    ("set_filter", "flags"): bits(FILTER_FLAGS),
    ("drop_bounding", "keep"): capability_words,
    ("drop_bounding", "have"): capability_words,
    ("capset", "effective"): capability_words,
    ("capset", "permitted"): capability_words,
    ("capset", "inheritable"): capability_words,
    ("set_ambient", "mask"): capability_words,
    ("", "fd"): _descriptor, ("", "folder_fd"): _descriptor, ("", "cgroup_fd"): _descriptor,
    ("", "tree"): _descriptor, ("", "place"): _descriptor, ("", "pidfd"): _descriptor,
}


def result_word(operation: Values) -> str:
    """"ok", "EPERM", "pid 48213"; "" while it has not happened or is not known."""
    if operation.get("errno"):
        return errno.errorcode.get(operation["errno"], str(operation["errno"]))
    took = operation.get("ns")
    if took is not None and took < 0:
        return ""
    result = operation.get("result")
    if operation["name"] == "clone3" and isinstance(result, list) and result:
        return f"pid {result[0]}"
    return "ok"


def time_word(operation: Values) -> str:
    """"41 µs", "5.8 ms"; "" of one that has not happened, or of which nobody could say."""
    took = operation.get("ns")
    if took is None or took < 0:
        return ""
    return f"{took / 1000:.0f} µs" if took < 1_000_000 else f"{took / 1_000_000:.1f} ms"


def short(operation: Values, arrow: str = "→") -> str:
    """The arguments that say something, without their names: "overlay on …/rootfs"."""
    values = operation.get("arguments") or {}
    maker = _SHORT.get(operation["name"])
    if maker is not None:
        try:
            return CONTAINER.sub("…", maker(values)).replace("→", arrow)
        except (KeyError, TypeError, ValueError, StopIteration):
            pass
    return CONTAINER.sub("…", " ".join(text for _, text in decoded(operation)))


# The directory of a container: where it is says nothing, what is in it does.
CONTAINER = re.compile(r"/[^ ,:=]*/[0-9a-f]{64}(?=/)")


def _short_mount(v: Values) -> str:
    if v.get("kind"):
        return f"{v['kind']} on {v['target']}"
    return f"{v['source']} on {v['target']}" if v.get("source") else \
        f"{v['target']} {v.get('flags') or ''}"


def _short_control(v: Values) -> str:
    text = next(v[name] for name in ("text", "value", "data") if name in v)
    parts = str(v["path"]).split("/")
    # Of a group the controller too: on v1 the same file is written in each.
    where = f"{parts[4]}/{parts[-1]}" if v["path"].startswith("/sys/fs/cgroup/") and \
        len(parts) > 6 and parts[-1] in ("tasks", "cgroup.procs") else os.path.basename(v["path"])
    return f"{str(text).strip()} → {where}"


def _short_path(v: Values) -> str:
    path = str(v["path"])
    parts = path.split("/")
    if path.startswith("/sys/fs/cgroup/") and len(parts) > 5:
        return "/".join([parts[4], *(["…"] if len(parts) > 6 else []), parts[-1]])
    return path


def namespace_words(flags: Any) -> str:
    """mnt uts pid of CLONE_NEWNS|CLONE_NEWUTS|CLONE_NEWPID: the kinds, as the panes name them."""
    names = str(flags).replace("CLONE_NEW", "").lower().split("|")
    return " ".join("mnt" if name == "ns" else name for name in names)


_SHORT: dict[str, Callable[[Values], str]] = {
    "mount": _short_mount,
    "write_control": _short_control,
    "write_open_control": _short_control,
    "mkdir": _short_path,
    "mkdir_at": lambda v: f"{v['name']}/",
    "make_file_at": lambda v: str(v["name"]),
    "mknod": lambda v: f"{v['path']} {v['kind']} {v['major']} {v['minor']}",
    "symlink": lambda v: f"{v['path']} → {v['target']}",
    "clone3": lambda v: namespace_words(v["flags"]),
    "unshare": lambda v: namespace_words(v["flags"]),
    "sethostname": lambda v: str(v["name"]),
    "chdir": lambda v: str(v["path"]),
    "fchdir": lambda v: str(v["path"]),
    "pivot_root": lambda v: f'"{v["new_root"]}", "{v["put_old"]}"',
    "umount2": lambda v: f'"{v["target"]}" ' + _value("umount2", "flags", v.get("flags", 0)),
    "fsmount": lambda v: f"{v['kind']} {v.get('options') or ''}".rstrip(),
    "open_tree": lambda v: str(v["source"]),
    "move_mount": lambda v: f"… on {v['target']}",
    "mount_setattr": lambda v: f"{v['target']} " + _value(
        "mount_setattr", "set_attributes", v["set_attributes"]).replace("MOUNT_ATTR_", ""),
    "drop_bounding": lambda v: f"keeps {capability_words(v['keep']).partition(':')[0]}",
    "capset": lambda v: capability_words(v["effective"]).partition(":")[0],
    "set_ambient": lambda v: capability_words(v["mask"]).partition(":")[0],
    "set_filter": lambda v: str(v["program"]),
    "set_filter_with_listener": lambda v: str(v["program"]),
    "setgroups": lambda v: " ".join(map(str, v["groups"])) or "none",
    "setresgid": lambda v: f"{v['real']} {v['effective']} {v['saved']}",
    "setresuid": lambda v: f"{v['real']} {v['effective']} {v['saved']}",
    "setrlimit": lambda v: f"{v['kind'].removeprefix('RLIMIT_')} {v['soft']} {v['hard']}",
    "close_range_on_exec": lambda v: f"from {v['first']}",
    "execve": lambda v: " ".join(map(str, v["arguments"])),
}
