"""The bundles that every runtime of the race starts: D as Docker's, P the same without seccomp.

Run by the benchmark, once, before the clock. Both share one plain root, copied from the layers of
lab/base: no overlay, so that peers which do not mount one are not beaten by it. Example of what is
left behind: <work>/rootfs, <work>/D/config.json, <work>/P/config.json. Limits, capabilities,
mounts, masked paths, devices and seccomp are what dockerd 26 writes for `docker run -m 256m`.
"""

from __future__ import annotations

import json
import os
import shutil
from typing import Any

from runtime.engine import defaults
from runtime.engine.seccomp_profile import default_profile
from runtime.image.store import Store

BUNDLES = ("D", "P")
NAMESPACES = ("mount", "uts", "ipc", "pid", "network", "cgroup")
FILES = {"hosts": "127.0.0.1 localhost\n", "hostname": "bench\n", "resolv.conf": ""}


def write_bundles(work: str, group: str) -> None:
    """Make the root and the bundles below work; their control group is below group."""
    image = Store(os.path.join(work, "lab", "images")).resolve("lab/base")
    rootfs = os.path.join(work, "rootfs")
    for layer in image.layers:
        shutil.copytree(layer, rootfs, symlinks=True, dirs_exist_ok=True)
    for name, text in FILES.items():
        with open(os.path.join(work, name), "w") as file:
            file.write(text)
    for name in BUNDLES:
        os.mkdir(os.path.join(work, name))
        with open(os.path.join(work, name, "config.json"), "w") as file:
            json.dump(spec(work, f"{group}/{name}", seccomp=name == "D"), file)


def spec(work: str, group: str, seccomp: bool) -> dict[str, Any]:
    """config.json of one bundle."""
    # 1.0.2: the newest that crun 1.8 knows.
    return {
        "ociVersion": "1.0.2", "hostname": "bench",
        "root": {"path": os.path.join(work, "rootfs")},
        "process": process(),
        "mounts": [*defaults.mounts(64 << 20, privileged=False), *binds(work)],
        "linux": {
            "namespaces": [{"type": name} for name in NAMESPACES],
            "cgroupsPath": group, "maskedPaths": defaults.MASKED_PATHS,
            "readonlyPaths": defaults.READONLY_PATHS,
            "resources": {"devices": defaults.DEVICE_RULES, "memory": {"limit": 256 << 20},
                          "cpu": {"shares": 1024}, "pids": {"limit": 100}},
            **({"seccomp": default_profile(defaults.CAPABILITIES)} if seccomp else {}),
        },
    }


def process() -> dict[str, Any]:
    """The program: true, as root with Docker's capabilities."""
    held = dict.fromkeys(("bounding", "effective", "permitted"), defaults.CAPABILITIES)
    return {"args": ["true"], "cwd": "/", "env": [defaults.PATH], "user": {"uid": 0, "gid": 0},
            "noNewPrivileges": True, "oomScoreAdj": 0, "capabilities": held}


def binds(work: str) -> list[dict[str, Any]]:
    """The three files that Docker binds into every container."""
    return [{"destination": f"/etc/{name}", "type": "bind", "source": os.path.join(work, name),
             "options": ["rbind", "rprivate"]} for name in FILES]
