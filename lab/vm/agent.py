"""The machine's first process: makes the machine from inside, then runs commands for the host.

Runs as pid 1 in the guest, `python -I -S agent.py`, from an initramfs that holds these files, the
Python files they import and the modules they load; with --files on the host, to name the files.
Until the host says go it has not touched the host's files: that is the moment of the snapshot, for
QEMU cannot save a machine with a 9p file system mounted.

    boot: proc sys dev, modules, cgroup2, imports → R → G → clock, 9p root, overlay, mounts → serve

/agent.json in the initramfs: {"path": sys.path, "modules": ["/modules/0.ko", …], "folder": source}.
It may import nothing of ours before go: the lab's own code comes from the host, as it is now.
Sources: mount(2), cgroups(7), random(4), Documentation/filesystems/9p.rst, reboot(2).
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
import traceback
from typing import Any, NoReturn

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from lab.vm import frames, guest, service  # noqa: E402  (the path comes first)

# Third parties' packages that the lab needs, imported before the snapshot. Never our own.
EARLY = ("textual.app", "textual.widgets", "textual.screen", "rich.markdown", "psutil", "tomllib",
         "asyncio", "runpy", "dataclasses", "pathlib", "argparse", "subprocess", "shutil")


def main() -> NoReturn:
    """Be pid 1."""
    try:
        configuration = json.loads(guest.read("/agent.json"))
        sys.path[:] = configuration["path"]
        guest.boot(configuration["modules"])
        import_early()
        port = open_port()
        service.send(port, b"R", os.uname().release.encode())
        go, behind, decoder = wait_for_go(port)
        guest.enter_host_files(go)
        service.Service(port, decoder).serve(behind)
    except BaseException:
        # Nobody would see a traceback of pid 1 but the log of the serial console.
        traceback.print_exc()
    power_off()


def import_early() -> None:
    """What takes seconds to import under emulation, before the snapshot and not after it."""
    for name in EARLY:
        try:
            importlib.import_module(name)
        except ImportError as error:
            print(f"agent: import {name}: {error}", flush=True)
    gc.collect()
    gc.freeze()


def open_port() -> int:
    """The serial port whose other end is the host's."""
    for _ in range(1000):
        for name in os.listdir("/sys/class/virtio-ports"):
            if guest.read(f"/sys/class/virtio-ports/{name}/name").strip() == "lab.agent":
                return os.open(f"/dev/{name}", os.O_RDWR | os.O_CLOEXEC)
        time.sleep(0.01)
    raise OSError("no virtio port named lab.agent")


def wait_for_go(
        port: int) -> tuple[dict[str, Any], list[tuple[bytes, bytes]], frames.Decoder]:
    """(what go says, the frames that came behind it, the decoder with what is left)."""
    decoder = frames.Decoder()
    while True:
        data = os.read(port, frames.CHUNK)
        if not data:  # nobody at the other end yet
            time.sleep(0.005)
            continue
        found = decoder.feed(data)
        if found:
            (kind, payload), *behind = found
            if kind != b"G":
                raise OSError(f"a frame {kind!r} where go was to come")
            return json.loads(payload), behind, decoder


def power_off() -> NoReturn:
    """pid 1 must never return; 'o' ends the machine without asking anybody."""
    while True:
        try:
            guest.write("/proc/sysrq-trigger", "o")
        except OSError:
            guest.libc.reboot(0x4321FEDC)
        time.sleep(10)


def print_files() -> None:
    """On the host: every file that this process had to have, as the initramfs must have it."""
    import_early()
    found = {os.path.abspath(sys.executable), os.path.abspath(os.__file__)}
    for module in list(sys.modules.values()):
        for name in (getattr(module, "__file__", None), getattr(module, "__cached__", None)):
            if name and os.path.isfile(name):
                found.add(os.path.abspath(name))
    for line in guest.read("/proc/self/maps").splitlines():
        path = line[73:].strip()
        if path.startswith("/") and os.path.isfile(path):
            found.add(path)
    print(json.dumps({"files": sorted(found), "path": sys.path}))


if __name__ == "__main__":
    if sys.argv[1:] == ["--files"]:
        print_files()
    else:
        main()
