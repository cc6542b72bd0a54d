"""update: other limits for a container that runs.

What is named changes, everything else stays. The limits go through the same table as at the start
(runtime/cgroup/resources.py), so what a generation of control groups does not have is refused by
name. config.json in the state directory is changed too: it says how things are.
Sources: runc-update(8); runtime-spec config-linux.md "Control groups"; docker/go-units for "20M".
"""

from __future__ import annotations

import os
import sys

from runtime import documents
from runtime.errors import Conflict, Invalid, NotFound, Unsupported
from runtime.oci import state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.cli import Settings
    from runtime.oci.options import Options

# option → (section of linux.resources, key, how it is read)
NUMBERS = {
    "blkio-weight": ("blockIO", "weight", "number"),
    "cpu-period": ("cpu", "period", "number"), "cpu-quota": ("cpu", "quota", "number"),
    "cpu-burst": ("cpu", "burst", "number"), "cpu-idle": ("cpu", "idle", "number"),
    "cpu-share": ("cpu", "shares", "number"),
    "cpu-rt-period": ("cpu", "realtimePeriod", "number"),
    "cpu-rt-runtime": ("cpu", "realtimeRuntime", "number"),
    "cpuset-cpus": ("cpu", "cpus", "text"), "cpuset-mems": ("cpu", "mems", "text"),
    "memory": ("memory", "limit", "size"),
    "memory-reservation": ("memory", "reservation", "size"),
    "memory-swap": ("memory", "swap", "size"), "pids-limit": ("pids", "limit", "number"),
}
REFUSED = {
    "l3-cache-schema": "Intel RDT is not built", "mem-bw-schema": "Intel RDT is not built",
    "kernel-memory": "the kernel has no limit of its own for kernel memory any more",
    "kernel-memory-tcp": "the kernel has no limit of its own for kernel memory any more",
}
UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}


def update_(settings: Settings, options: Options, arguments: list[str]) -> int:
    """Change the limits, all that are named."""
    container = state.load(settings.root, arguments[0])
    wanted = from_file(options["resources"]) if options.get("resources") else from_options(options)
    with state.Lock(container):
        if container.status() == "stopped":
            raise Conflict("container not running")
        spec = container.config()
        linux = spec.setdefault("linux", {})
        container.group().apply(completed(wanted, linux.get("resources") or {}))
        linux["resources"] = merged(linux.get("resources") or {}, wanted)
        state.replace(f"{container.directory}/config.json", documents.encode(spec).encode())
    return 0


def from_options(options: Options) -> dict[str, Any]:
    """The options as linux.resources. Raises Invalid, Unsupported by name."""
    for name, reason in REFUSED.items():
        if name in options:
            raise Unsupported(f"--{name}: {reason}")
    wanted: dict[str, Any] = {}
    for name, (section, key, kind) in NUMBERS.items():
        if name not in options:
            continue
        value = options[name]
        if kind != "text":
            value = size(value, name) if kind == "size" else whole(value, name)
        wanted.setdefault(section, {})[key] = value
    return wanted


def whole(value: int | str, name: str) -> int:
    """A whole number. Raises Invalid."""
    try:
        return int(value)
    except ValueError:
        raise Invalid(f"invalid value for {name}: {value}") from None


def size(text: str, name: str) -> int:
    """Bytes: "20M", "1.5g", "64kb", "-1" for no limit. Raises Invalid."""
    if text == "-1":
        return -1
    word = text.lower().strip()
    digits = word.rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = word[len(digits):].strip().removesuffix("ib").removesuffix("b")
    try:
        number = float(digits) * UNITS[unit]
    except (ValueError, KeyError):
        raise Invalid(f"invalid value for {name}: invalid size: '{text}'") from None
    if number < 0:
        raise Invalid(f"invalid value for {name}: invalid size: '{text}'")
    return int(number)


def from_file(path: str) -> dict[str, Any]:
    """linux.resources from a file, or from stdin ("-"). Raises NotFound, Invalid."""
    if path == "-":
        text = sys.stdin.read()
    else:
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except OSError as error:
            raise NotFound(f"open {path}: {os.strerror(error.errno or 0).lower()}") from None
    try:
        found = documents.parse(text)
    except ValueError as error:
        raise Invalid(f"read the resources: {error}") from None
    if not isinstance(found, dict):
        raise Invalid("$: expected an object")
    # Zero is runc's way of leaving a number as it is, and devices are not for an update.
    kept = {section: {key: value for key, value in values.items() if value not in (0, "", None)}
            if isinstance(values, dict) else values
            for section, values in found.items() if values and section != "devices"}
    return {section: values for section, values in kept.items() if values}


def completed(wanted: dict[str, Any], current: dict[str, Any]) -> dict[str, Any]:
    """What belongs together is written together: swap is counted with the limit, quota by period.

    No limit on memory is no limit on both, as memory and swap together cannot be less.
    """
    made = {section: dict(values) if isinstance(values, dict) else values
            for section, values in wanted.items()}
    memory, known = made.get("memory") or {}, current.get("memory") or {}
    if memory.get("limit") == -1 and "swap" not in memory and known.get("swap") is not None:
        memory["swap"] = -1
    if "swap" in memory and "limit" not in memory and known.get("limit") is not None:
        memory["limit"] = known["limit"]
    cpu, before = made.get("cpu") or {}, current.get("cpu") or {}
    for key, other in (("quota", "period"), ("period", "quota")):
        if key in cpu and other not in cpu and before.get(other):
            cpu[other] = before[other]
    return made


def merged(current: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """The resources as they are now."""
    made = dict(current)
    for section, values in wanted.items():
        made[section] = {**(current.get(section) or {}), **values} if isinstance(values, dict) \
            else values
    return made
