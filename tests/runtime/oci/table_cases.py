"""The rows of the table: one change of config.json each, and why a peer sees something else.

A case is (name, change, explained): `change(bundle)` edits the bundle, `explained` maps a section
of what is observed to {peer: reason}; with "*" the peer may refuse the bundle or differ anywhere.
What is not explained has to be the same in every section, under ours, runc 1.1.5 and crun 1.8.1.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from runtime.engine import defaults
from runtime.engine.seccomp_profile import default_profile
from tests.runtime.oci.bundles import Bundle

Change = Callable[[Bundle], Any]
ROOT_DEVICE = os.stat("/").st_dev
DISK = {"major": os.major(ROOT_DEVICE), "minor": os.minor(ROOT_DEVICE)}
MAPS = [{"containerID": 0, "hostID": 100000, "size": 65536}]
OLD_RUNC = "runc 1.1.5 does not know it yet"
SEALED = {"crun": "crun 1.8.1 binds the host's devices with nosuid and noexec"}
OLD_CRUN = "crun 1.8.1 does not know it yet"


class Case(NamedTuple):
    name: str
    change: Change
    explained: dict[str, dict[str, str]] = {}


def process(**values: Any) -> Change:
    return lambda bundle: bundle.process.update(values)


def user(**values: Any) -> Change:
    return lambda bundle: bundle.process["user"].update(values)


def linux(**values: Any) -> Change:
    return lambda bundle: bundle.linux.update(values)


def resources(**values: Any) -> Change:
    return lambda bundle: bundle.linux["resources"].update(values)


def without(*kinds: str) -> Change:
    def change(bundle: Bundle) -> None:
        bundle.linux["namespaces"] = [each for each in bundle.linux["namespaces"]
                                      if each["type"] not in kinds]
        if "uts" in kinds:
            del bundle.spec["hostname"]
    return change


def capabilities(held: list[str], *sets: str) -> Change:
    return lambda bundle: bundle.process.update(capabilities=dict.fromkeys(sets, held))


def mount(destination: str, kind: str, *options: str, source: str = "") -> Change:
    def change(bundle: Bundle) -> None:
        bundle.spec["mounts"].append({"destination": destination, "type": kind,
                                      "source": source or kind, "options": list(options)})
    return change


def bind(*options: str, source: str = "/dev", destination: str = "/data") -> Change:
    return mount(destination, "bind", *options, source=source)


def bind_of_bundle(*options: str, file: bool = False) -> Change:
    """A bind of a directory or file of the bundle."""
    def change(bundle: Bundle) -> None:
        if file:
            (bundle.folder / "source").write_text("of the host\n")
        else:
            (bundle.folder / "source").mkdir()
        bind(*options, source=str(bundle.folder / "source"))(bundle)
    return change


def options_of(destination: str, *options: str) -> Change:
    def change(bundle: Bundle) -> None:
        entry = next(each for each in bundle.spec["mounts"] if each["destination"] == destination)
        entry["options"] = list(options)
    return change


def both(*changes: Change) -> Change:
    def change(bundle: Bundle) -> None:
        for each in changes:
            each(bundle)
    return change


def folder(path: str, mode: int = 0o755, *files: str) -> Change:
    """A directory of the image, with files in it."""
    def change(bundle: Bundle) -> None:
        made = bundle.rootfs / path.lstrip("/")
        made.mkdir(parents=True, exist_ok=True)
        for name in files:
            (made / name).write_text(f"{name}\n")
        made.chmod(mode)
    return change


def user_namespace(bundle: Bundle) -> None:
    bundle.linux["namespaces"].append({"type": "user"})
    bundle.linux.update(uidMappings=MAPS, gidMappings=MAPS)
    for path in (bundle.rootfs, *bundle.rootfs.rglob("*")):
        os.lchown(path, 100000, 100000)


def own(command: str) -> Change:
    """What to look at besides."""
    return lambda bundle: bundle.process["env"].append(f"OWN={command}")


HELD = ["CAP_NET_BIND_SERVICE", "CAP_KILL"]
ALL_SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")
LIMITS = [{"type": "RLIMIT_NOFILE", "soft": 256, "hard": 512},
          {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
          {"type": "RLIMIT_STACK", "soft": 1 << 20, "hard": 1 << 24}]
FUSE = {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640,
        "uid": 1000, "gid": 5}

PROCESS = [
    Case("the default", lambda bundle: None),
    Case("another user", user(uid=1000, gid=1000)),
    Case("more groups", user(uid=1000, gid=1000, additionalGids=[5, 10, 2147483647])),
    Case("a user without a name", user(uid=4242, gid=17), {
        "environment": {"crun": "crun 1.8.1 sets a HOME only for who has one in /etc/passwd"}}),
    Case("a umask", user(umask=0o27)),
    Case("a directory to go to", process(cwd="/etc")),
    Case("a directory to make", process(cwd="/new/one")),
    Case("variables", process(env=["PATH=/bin", "GREETING=a b=c", "EMPTY=", "Q='\""])),
    Case("a HOME of its own", process(env=["PATH=/bin", "HOME=/tmp"])),
    Case("a variable twice", process(env=["PATH=/bin", "A=1", "A=2"])),
    Case("an OOM score", process(oomScoreAdj=300)),
    Case("new privileges", process(noNewPrivileges=False)),
    Case("no capabilities", process(capabilities={})),
    Case("two capabilities", capabilities(HELD, "bounding", "effective", "permitted")),
    Case("ambient capabilities", both(user(uid=1000, gid=1000), capabilities(HELD, *ALL_SETS))),
    Case("inheritable capabilities", capabilities(HELD, *ALL_SETS[:4])),
    Case("all of Docker's capabilities, as a user", both(
        user(uid=1000, gid=1000), capabilities(list(defaults.CAPABILITIES), *ALL_SETS))),
    Case("limits", process(rlimits=LIMITS)),
    Case("a filter", lambda bundle: bundle.linux.update(
        seccomp=default_profile(bundle.process["capabilities"]["bounding"]))),
    Case("a filter and new privileges", both(process(noNewPrivileges=False), linux(
        seccomp={"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["chmod", "fchmodat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}),
        own("chmod 700 /tmp"))),
]
NAMESPACES = [
    Case("the host's network", without("network")),
    Case("the host's ipc", without("ipc")),
    Case("the host's names", without("uts")),
    Case("the host's groups", without("cgroup")),
    Case("the host's processes", without("pid")),
    Case("no names of its own, no ipc, no network", without("uts", "ipc", "network")),
    Case("a user namespace", user_namespace, {"mounts": SEALED}),
    # Its stdin is a pipe: runc 1.1.5 makes the user the owner of it, even if it were the host's
    # /dev/null, which is bound inside.
    Case("a user namespace and another user", both(user_namespace, user(uid=1000, gid=1000)),
         {"mounts": SEALED}),
    Case("another name", lambda bundle: bundle.spec.update(hostname="a.longer-name")),
    Case("a domain name", lambda bundle: bundle.spec.update(domainname="lab.example"),
         {"place": {"runc": OLD_RUNC}}),
    Case("a network to join", lambda bundle: joined(bundle, "network", "net")),
    Case("names to join", lambda bundle: joined(bundle, "uts", "uts")),
]


def joined(bundle: Bundle, kind: str, name: str) -> None:
    """The host's own, by path: joined, not left out."""
    without(kind)(bundle)
    bundle.linux["namespaces"].append({"type": kind, "path": f"/proc/self/ns/{name}"})


LIMITED = [
    Case("memory", resources(memory={"limit": 64 << 20})),
    Case("memory and swap", resources(memory={"limit": 64 << 20, "swap": 96 << 20})),
    Case("memory, swap without end", resources(memory={"limit": 64 << 20, "swap": -1})),
    Case("a reservation", resources(memory={"limit": 64 << 20, "reservation": 32 << 20})),
    Case("swappiness", resources(memory={"swappiness": 10})),
    Case("no OOM killer", resources(memory={"limit": 64 << 20, "disableOOMKiller": True})),
    Case("shares", resources(cpu={"shares": 512})),
    Case("a quota", resources(cpu={"quota": 50000, "period": 200000})),
    Case("a quota alone", resources(cpu={"quota": 50000})),
    Case("CPUs", resources(cpu={"cpus": "0", "mems": "0"})),
    Case("processes", resources(pids={"limit": 64})),
    Case("processes without end", resources(pids={"limit": -1}), {
        "*": {"crun": "crun 1.8.1 writes the number -1, which the file does not take"}}),
    Case("a disk throttled", resources(blockIO={
        "throttleReadBpsDevice": [{**DISK, "rate": 1 << 20}],
        "throttleWriteIOPSDevice": [{**DISK, "rate": 100}]})),
    Case("a burst", resources(cpu={"quota": 50000, "burst": 20000}),
         {"limits_of_group": {"runc": OLD_RUNC, "crun": OLD_CRUN}}),
    Case("an idle group", resources(cpu={"idle": 1}),
         {"limits_of_group": {"runc": OLD_RUNC}}),
    Case("a device more", resources(devices=[
        *defaults.DEVICE_RULES, {"allow": True, "type": "c", "major": 10, "minor": 229,
                                 "access": "rwm"}])),
    Case("no devices but the default ones", resources(
        devices=[{"allow": False, "access": "rwm"}]), {"limits_of_group": {
            "runc": "runc 1.1.5 adds /dev/net/tun", "crun": "crun 1.8.1 adds /dev/console"}}),
]
