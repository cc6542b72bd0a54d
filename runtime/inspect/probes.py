"""What can only be learnt by trying: each attempt in a process of its own that leaves nothing.

`attempts()` starts `python -m runtime.inspect.probes`, fresh and single-threaded (a process with
threads may neither fork and go on, nor unshare a user namespace), and that forks once for each
attempt. Namespaces, mounts and links end with the fork that made them; the test cgroup is removed.
  {"unshare mnt": 0, "overlay": 0, "link macvlan": 95, "cgroup /sys/fs/cgroup/memory": 0, …}
Values are errno, 0 for success; a name that is missing was not tried.
Sources: unshare(2), overlayfs.rst, rtnetlink(7), include/uapi/linux/netfilter/nfnetlink.h.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from runtime.errors import KernelError
from runtime.kernel.files import write_control
from runtime.kernel.mounts import MS_PRIVATE, MS_REC, mount
from runtime.kernel.namespaces import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUSER, KINDS, unshare

PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])
LINK_KINDS = ("veth", "bridge", "macvlan")
ATTEMPT_TIMEOUT_S = 10

Attempt = Callable[[], None]


def attempts(cgroup_directories: list[str], docker_socket: str) -> Mapping[str, int]:
    """Try everything in a fresh process; an empty mapping when that process cannot even start."""
    code = ("import sys; sys.path.insert(0, sys.argv[1]); "
            "from runtime.inspect.probes import main; main(sys.argv[2], sys.argv[3:])")
    command = [sys.executable, "-I", "-S", "-c", code, PACKAGE_ROOT, docker_socket]
    try:
        done = subprocess.run([*command, *cgroup_directories], capture_output=True, check=True,
                              stdin=subprocess.DEVNULL, timeout=60)
        results: dict[str, int] = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return {}
    return results


def main(docker_socket: str, cgroup_directories: list[str]) -> None:
    """Try all, print the results as JSON. The whole program of the fresh process."""
    results = {name: in_child(attempt) for name, attempt in plan().items()}
    results |= {f"cgroup {d}": in_child(_cgroup(d)) for d in cgroup_directories}
    results["docker"] = in_child(lambda: _connect(docker_socket))
    print(json.dumps(results))


def plan() -> dict[str, Attempt]:
    """What is tried, by name. A user without root comes by the other namespaces through `user`."""
    root = os.geteuid() == 0
    first = 0 if root else CLONE_NEWUSER
    found: dict[str, Attempt] = {
        f"unshare {kind}": _unshare(flag | first) for kind, flag in KINDS.items()
    }
    found["userns mount"] = _in_userns(lambda: mount("tmpfs", "/tmp", "tmpfs"))
    found["overlay"] = _private_overlay(root, "")
    found["overlay userxattr"] = _private_overlay(False, ",userxattr")
    found["nft"] = _in_netns(root, _ask_nftables)
    for kind in LINK_KINDS:
        found[f"link {kind}"] = _in_netns(root, lambda kind=kind: _add_link(kind))  # type: ignore[misc]
    return found


def in_child(attempt: Attempt) -> int:
    """Fork, try, and tell the errno by the exit status; what the child made ends with it."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(ATTEMPT_TIMEOUT_S)
        result = 0
        try:
            attempt()
        except OSError as error:
            result = error.errno or errno.EIO
        except BaseException:
            result = errno.EIO
        os._exit(result)
    status = os.waitpid(pid, 0)[1]
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else errno.ETIMEDOUT


def _unshare(flags: int) -> Attempt:
    return lambda: unshare(flags)


def _in_userns(attempt: Attempt) -> Attempt:
    """As root of a user namespace of our own: what AppArmor takes away shows only in its use."""

    def go() -> None:
        uid, gid = os.geteuid(), os.getegid()
        unshare(CLONE_NEWUSER | CLONE_NEWNS)
        write_control("/proc/self/setgroups", "deny")
        write_control("/proc/self/uid_map", f"0 {uid} 1")
        write_control("/proc/self/gid_map", f"0 {gid} 1")
        attempt()

    return go


def _private_overlay(as_root: bool, options: str) -> Attempt:
    def go() -> None:
        # Nothing may spread to the host's mount table, also where systemd shares its root mount.
        mount(None, "/", flags=MS_PRIVATE | MS_REC)
        mount("tmpfs", "/tmp", "tmpfs")
        for name in ("lower", "upper", "work", "merged"):
            os.mkdir(f"/tmp/{name}")
        mount("overlay", "/tmp/merged", "overlay", 0,
              f"lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work{options}")
        os.close(os.open("/tmp/merged/written", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC))
        if options:
            os.setxattr("/tmp/upper", "user.overlay.opaque", b"y")

    def first() -> None:
        unshare(CLONE_NEWNS)
        go()

    return first if as_root else _in_userns(go)


def _in_netns(root: bool, attempt: Attempt) -> Attempt:
    def go() -> None:
        unshare(CLONE_NEWNET)
        attempt()

    return go if root else _in_userns(go)


def _cgroup(directory: str) -> Attempt:
    path = f"{directory}/container-lab-probe-{os.getpid()}"

    def go() -> None:
        os.mkdir(path)
        os.rmdir(path)

    return go


def _connect(path: str) -> None:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(2)
        sock.connect(path)


NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL = 0x1, 0x4, 0x400, 0x200
NLMSG_ERROR, RTM_NEWLINK, IFLA_LINKINFO, IFLA_INFO_KIND = 2, 16, 18, 1
NFT_MSG_GETGEN = 10 << 8 | 16  # subsystem NFNL_SUBSYS_NFTABLES, message 16


def _add_link(kind: str) -> None:
    """Make a link of a kind in this (empty, ending) network namespace, or learn why not.

    EOPNOTSUPP: the kernel has no such kind. macvlan without a parent is EINVAL when it has.
    """
    name = _attribute(IFLA_INFO_KIND, kind.encode())
    body = struct.pack("=BxHiII", 0, 0, 0, 0, 0) + _attribute(IFLA_LINKINFO, name)
    number = _ask(NETLINK_ROUTE, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)
    if number and not (kind == "macvlan" and number == errno.EINVAL):
        raise KernelError("make a link of kind", number, kind)


def _ask_nftables() -> None:
    number = _ask(NETLINK_NETFILTER, NFT_MSG_GETGEN, 0, struct.pack("=BBH", 0, 0, 0))
    if number:
        raise KernelError("ask nftables for its generation", number)


def _attribute(kind: int, value: bytes) -> bytes:
    padding = b"\0" * (-len(value) % 4)
    return struct.pack("=HH", 4 + len(value), kind) + value + padding


def _ask(family: int, message: int, flags: int, body: bytes) -> int:
    """Send one netlink request; the errno of its answer, 0 for an answer or an acknowledgement."""
    import socket

    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family) as sock:
        sock.settimeout(2)
        flags |= NLM_F_REQUEST | NLM_F_ACK
        sock.send(struct.pack("=IHHII", 16 + len(body), message, flags, 1, 0) + body)
        answer = sock.recv(8192)
    kind = struct.unpack_from("=H", answer, 4)[0]
    return -struct.unpack_from("=i", answer, 16)[0] if kind == NLMSG_ERROR else 0
