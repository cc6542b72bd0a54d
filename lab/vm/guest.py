"""The machine from inside: its file systems, its control groups, its swap.

Runs in the guest, as pid 1, called by agent. Before go it is a kernel with drivers and an empty
tree of control groups; after it the host's root file system, read-only below a tmpfs.
Sources: mount(2), cgroups(7), random(4), mkswap(8), Documentation/filesystems/9p.rst.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import random
import socket
import struct
import time
from typing import Any

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_MOVE = 1, 2, 4, 8, 4096, 8192
KERNELS = MS_NOSUID | MS_NODEV | MS_NOEXEC  # what a file system of the kernel's own needs
RNDADDENTROPY, RNDRESEEDCRNG = 0x40085203, 0x5207
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
FINIT_MODULE, EEXIST = 313, 17  # glibc does not wrap it
GROUPS = "/sys/fs/cgroup"
PAGE = 4096
NINE = "trans=virtio,version=9p2000.L,msize=1048576"
# Not the host's, and not the overlay's: it cannot be the upper layer of another overlay, and what
# runs on the host is not to be met here.
OWN = {"run": "mode=755", "tmp": "mode=1777", "var/tmp": "mode=1777", "dev/shm": "mode=1777",
       "var/lib/container-lab": "mode=711"}
libc = ctypes.CDLL(None, use_errno=True)


def boot(modules: list[str]) -> None:
    """Kernel file systems, drivers, and a cgroup tree with every controller switched on."""
    mount("proc", "/proc", "proc", KERNELS)
    mount("sysfs", "/sys", "sysfs", KERNELS)
    mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=755")
    for path in modules:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if libc.syscall(FINIT_MODULE, fd, b"", 0) != 0 and ctypes.get_errno() != EEXIST:
            print(f"agent: load {path}: {os.strerror(ctypes.get_errno())}", flush=True)
        os.close(fd)
    # nsdelegate, as systemd mounts it: a cgroup namespace is then a border.
    mount("cgroup2", GROUPS, "cgroup2", KERNELS, "nsdelegate")
    # Away from the root, in which there may be no process once controllers are handed down.
    os.mkdir(f"{GROUPS}/init.scope")
    write(f"{GROUPS}/init.scope/cgroup.procs", "1")
    for name in read(f"{GROUPS}/cgroup.controllers").split():
        write(f"{GROUPS}/cgroup.subtree_control", f"+{name}")
    os.makedirs("/rw", exist_ok=True)
    mount("tmpfs", "/rw", "tmpfs", 0, "mode=755,size=75%")


def enter_host_files(go: dict[str, Any]) -> None:
    """The host's root below a tmpfs becomes ours. `go`: time, random, hostname, keep, share, swap.

    `keep` are directories below /tmp or /run that are the host's all the same, read-only.
    """
    time.clock_settime(time.CLOCK_REALTIME, go["time"])
    reseed(bytes.fromhex(go["random"]))
    for name in ("/lower", "/rw/u", "/rw/w", "/new"):
        os.makedirs(name, exist_ok=True)
    mount("lab", "/lower", "9p", MS_RDONLY, f"{NINE},cache=loose")
    mount("overlay", "/new", "overlay", 0, "lowerdir=/lower,upperdir=/rw/u,workdir=/rw/w")
    for name in ("proc", "sys", "dev"):
        os.makedirs(f"/new/{name}", exist_ok=True)
        mount(f"/{name}", f"/new/{name}", None, MS_MOVE)
    fill(go)
    os.chdir("/new")
    mount("/new", "/", None, MS_MOVE)
    os.chroot(".")
    os.chdir("/")
    name = go["hostname"].encode()
    libc.sethostname(name, len(name))
    loopback_up()
    add_swap(go["swap"])


def fill(go: dict[str, Any]) -> None:
    """Below /new: what must not be the host's, and what the overlay cannot be."""
    for place, options in OWN.items():
        os.makedirs(f"/new/{place}", exist_ok=True)
        mount("tmpfs", f"/new/{place}", "tmpfs", MS_NOSUID, options)
    for place, kind, flags, data in (
            ("dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "mode=620,ptmxmode=666"),
            ("dev/mqueue", "mqueue", KERNELS, None)):
        os.makedirs(f"/new/{place}", exist_ok=True)
        mount(kind, f"/new/{place}", kind, flags, data)
    for path in go["keep"]:
        os.makedirs(f"/new{path}", exist_ok=True)
        mount(f"/lower{path}", f"/new{path}", None, MS_BIND)
    release = os.uname().release
    os.makedirs(f"/new/lib/modules/{release}", exist_ok=True)
    mount(f"/lower{go['modules']}", f"/new/lib/modules/{release}", None, MS_BIND)
    if go.get("share"):
        os.makedirs(f"/new{go['share']}", exist_ok=True)
        mount("share", f"/new{go['share']}", "9p", 0, NINE)


def add_swap(size: int) -> None:
    """`size` bytes of compressed memory as swap: zram, and mkswap's header. mkswap(8)"""
    try:
        write("/sys/block/zram0/disksize", str(size))
        header = bytearray(PAGE)
        struct.pack_into("<III", header, 1024, 1, size // PAGE - 1, 0)
        header[-10:] = b"SWAPSPACE2"
        with open("/dev/zram0", "wb", buffering=0) as device:
            device.write(header)
        if libc.swapon(b"/dev/zram0", 0) != 0:
            print(f"agent: swapon: {os.strerror(ctypes.get_errno())}", flush=True)
    except OSError as error:
        print(f"agent: swap: {error}", flush=True)


def loopback_up() -> None:
    """Switch lo on. netdevice(7)"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def reseed(seed: bytes) -> None:
    """Two machines of one snapshot must not draw the same random numbers."""
    with open("/dev/random", "wb", buffering=0) as device:
        fcntl.ioctl(device, RNDADDENTROPY, struct.pack("ii", len(seed) * 8, len(seed)) + seed)
        fcntl.ioctl(device, RNDRESEEDCRNG)
    random.seed(seed)


def mount(source: str, target: str, kind: str | None, flags: int = 0,
          options: str | None = None) -> None:
    """mount(2). Raises OSError with both names."""
    done = libc.mount(source.encode(), target.encode(), kind.encode() if kind else None,
                      ctypes.c_ulong(flags), options.encode() if options else None)
    if done != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"mount {source} on {target}: {os.strerror(error)}")


def read(path: str) -> str:
    with open(path) as file:
        return file.read()


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
