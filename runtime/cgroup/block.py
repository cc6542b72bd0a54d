"""linux.resources.blockIO for both generations: shares of a disk, and limits in bytes and requests.

Runs where a group's limits are set. Example: {"weight": 500, "weightDevice": [{"major": 8, "minor":
0, "weight": 300}], "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1048576}]}.
Weights are 10..1000. Which file takes them depends on the kernel: BFQ's own (blkio.bfq.weight,
io.bfq.weight), CFQ's before Linux 5.0 (blkio.weight), or v2's io.weight with a scale of 1..10000.
Sources: OCI runtime-spec config-linux.md "Block IO"; cgroup-v2.rst "IO"; cgroup-v1/blkio-controller
.rst; block/bfq-iosched.rst.
"""

from __future__ import annotations

from runtime.errors import Invalid, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Has = Callable[[str], bool]

THROTTLES = {  # config.json → (v1 file, key in io.max)
    "throttleReadBpsDevice": ("blkio.throttle.read_bps_device", "rbps"),
    "throttleWriteBpsDevice": ("blkio.throttle.write_bps_device", "wbps"),
    "throttleReadIOPSDevice": ("blkio.throttle.read_iops_device", "riops"),
    "throttleWriteIOPSDevice": ("blkio.throttle.write_iops_device", "wiops"),
}
LEAST, MOST = 10, 1000


def checked(weight: int, name: str) -> int:
    """The weight, if it is one. Raises Invalid."""
    if not LEAST <= weight <= MOST:
        raise Invalid(f"set {name}: {weight} is not from {LEAST} to {MOST}")
    return weight


def scaled(weight: int) -> int:
    """10..1000 as io.weight's 1..10000, the linear map of runc and crun."""
    return 1 + (weight - LEAST) * 9999 // (MOST - LEAST)


def place(device: dict[str, Any]) -> str:
    """A device as the files name it: "8:0"."""
    return f"{device['major']}:{device['minor']}"


def v2_writes(block: dict[str, Any], has: Has) -> Iterator[tuple[str, str]]:
    """(file, text) for v2. Raises Invalid, Unsupported."""
    devices = block.get("weightDevice") or []
    if block.get("leafWeight") or any(device.get("leafWeight") for device in devices):
        raise Unsupported("set blockIO.leafWeight: cgroup v2 has no such file",
                          "it is a setting of v1 only")
    bfq = (block.get("weight") or devices) and has("io.bfq.weight")
    if block.get("weight"):
        weight = checked(block["weight"], "blockIO.weight")
        yield ("io.bfq.weight", str(weight)) if bfq else ("io.weight", f"default {scaled(weight)}")
    for device in devices:
        if device.get("weight"):
            weight = checked(device["weight"], "blockIO.weightDevice")
            yield ("io.bfq.weight" if bfq else "io.weight",
                   f"{place(device)} {weight if bfq else scaled(weight)}")
    for key, (_, name) in THROTTLES.items():
        for device in block.get(key) or ():
            yield "io.max", f"{place(device)} {name}={device['rate']}"


def v1_writes(block: dict[str, Any], has: Has) -> Iterator[tuple[str, str, str]]:
    """(controller, file, text) for v1. Raises Invalid."""
    weights = "blkio" if has("blkio.weight") else "blkio.bfq"
    for key, name in (("weight", f"{weights}.weight"), ("leafWeight", "blkio.leaf_weight")):
        if block.get(key):
            yield "blkio", name, str(checked(block[key], f"blockIO.{key}"))
    for device in block.get("weightDevice") or ():
        for key, name in (("weight", f"{weights}.weight_device"),
                          ("leafWeight", "blkio.leaf_weight_device")):
            if device.get(key):
                weight = checked(device[key], f"blockIO.weightDevice.{key}")
                yield "blkio", name, f"{place(device)} {weight}"
    for key, (name, _) in THROTTLES.items():
        for device in block.get(key) or ():
            yield "blkio", name, f"{place(device)} {device['rate']}"
