"""config.json as one table: every property of the specification, and what it has to be.

Read by spec.py, in the shim, before anything is made. It says what a value is by itself; what two
of them mean together is said in spec.py. How to read it:

    str, bool                a string, true or false
    Number(low, high)        a whole number within these
    ("c", "b")               one of these words
    [str]                    an array of strings
    {"path": ABSOLUTE}       an object; NEEDED names the properties it cannot be without
    Map(str)                 an object whose names are anybody's: sysctls, annotations
    a function               what else a string has to be: judge(value, path)

A property that is not here is kept and left alone, as the specification wants it; null is the same
as absent, as in Go, which all the writers of config.json are written in.
Sources: runtime-spec 1.2 config.md and config-linux.md, in their order.
"""

from __future__ import annotations

from runtime.errors import Invalid
from runtime.kernel.devices import KINDS as DEVICE_KINDS
from runtime.kernel.limits import RLIMITS
from runtime.kernel.mounts import PROPAGATION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION = "1.2.0"  # of the specification that is done here
NEEDED = 0  # no name in JSON is a number


class Number:
    """A whole number from low to high."""

    __slots__ = ("low", "high")

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high


class Map:
    """An object with names of its own, whose values are all of one kind."""

    __slots__ = ("inner",)

    def __init__(self, inner: Any) -> None:
        self.inner = inner


def absolute(value: str, path: str) -> None:
    """It begins at the root."""
    if not value.startswith("/"):
        raise Invalid(f"{path}: expected an absolute path")


def filled(value: str, path: str) -> None:
    """It is not empty."""
    if not value:
        raise Invalid(f"{path}: expected a string that is not empty")


def version(value: str, path: str) -> None:
    """A version of the specification that we know: 1.x.y, and what led to it."""
    numbers = value.split("-")[0].split("+")[0].split(".")
    if len(numbers) != 3 or not all(each.isdecimal() for each in numbers):
        raise Invalid(f"{path}: {value!r} is no version, as 1.2.0 is one")
    if int(numbers[0]) > 1:
        raise Invalid(f"{path}: {value!r} is a version to come", f"{VERSION} is what is done here")


U16, U32, U64 = Number(0, 0xFFFF), Number(0, 0xFFFFFFFF), Number(0, (1 << 64) - 1)
I64 = Number(-(1 << 63), (1 << 63) - 1)
# The last 32-bit number means "leave it as it is" to setresuid(2): the program would stay root.
ID = Number(0, 0xFFFFFFFE)
# Go writes RLIM_INFINITY as 2⁶⁴−1, and people as −1.
LIMIT = Number(-1, (1 << 64) - 1)
MAPPING = [{NEEDED: ("containerID", "hostID", "size"),
            "containerID": ID, "hostID": ID, "size": U32}]
OFFSET = {"secs": I64, "nanosecs": Number(0, 999_999_999)}
CAPABILITIES = [str]  # any name: one that nobody knows is a warning, not a refusal

POLICIES = ("SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_ISO", "SCHED_IDLE",
            "SCHED_DEADLINE")
SCHEDULER_FLAGS = ("SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN",
                   "SCHED_FLAG_KEEP_POLICY", "SCHED_FLAG_KEEP_PARAMS",
                   "SCHED_FLAG_UTIL_CLAMP_MIN", "SCHED_FLAG_UTIL_CLAMP_MAX")

PROCESS = {
    NEEDED: ("cwd", "args"),
    "terminal": bool,
    "consoleSize": {NEEDED: ("height", "width"), "height": U16, "width": U16},
    "user": {"uid": ID, "gid": ID, "umask": Number(0, 0o7777), "additionalGids": [ID],
             "username": str},
    "args": [str],
    "cwd": absolute,
    "env": [str],
    "rlimits": [{NEEDED: ("type", "soft", "hard"),
                 "type": tuple(RLIMITS), "soft": LIMIT, "hard": LIMIT}],
    "apparmorProfile": str,
    "capabilities": {"bounding": CAPABILITIES, "effective": CAPABILITIES,
                     "permitted": CAPABILITIES, "inheritable": CAPABILITIES,
                     "ambient": CAPABILITIES},
    "noNewPrivileges": bool,
    "oomScoreAdj": Number(-1000, 1000),
    "scheduler": {NEEDED: ("policy",), "policy": POLICIES, "nice": Number(-20, 19),
                  "priority": Number(0, 99), "flags": [SCHEDULER_FLAGS],
                  "runtime": U64, "deadline": U64, "period": U64},
    "selinuxLabel": str,
    "ioPriority": {NEEDED: ("class", "priority"),
                   "class": ("IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"),
                   "priority": Number(0, 7)},
    "execCPUAffinity": {"initial": str, "final": str},
}

MOUNT = {
    NEEDED: ("destination",),
    "destination": filled, "type": str, "source": str, "options": [str],
    "uidMappings": MAPPING, "gidMappings": MAPPING,
}

HOOKS = [{NEEDED: ("path",), "path": absolute, "args": [str], "env": [str],
          "timeout": Number(1, (1 << 31) - 1)}]

MAJOR, MINOR = Number(0, 0xFFF), Number(0, 0xFFFFF)
WEIGHTS = [{NEEDED: ("major", "minor"), "major": MAJOR, "minor": MINOR,
            "weight": U16, "leafWeight": U16}]
RATES = [{NEEDED: ("major", "minor", "rate"), "major": MAJOR, "minor": MINOR, "rate": U64}]
RESOURCES = {
    "devices": [{"allow": bool, "type": ("a", "c", "b", "u", "p", ""), "access": str,
                 "major": Number(-1, 0xFFFFFFFF), "minor": Number(-1, 0xFFFFFFFF)}],
    "memory": {"limit": I64, "reservation": I64, "swap": I64, "kernel": I64, "kernelTCP": I64,
               "swappiness": U64, "disableOOMKiller": bool, "useHierarchy": bool,
               "checkBeforeUpdate": bool},
    "cpu": {"shares": U64, "quota": I64, "burst": U64, "period": U64, "realtimeRuntime": I64,
            "realtimePeriod": U64, "cpus": str, "mems": str, "idle": I64},
    "pids": {"limit": I64},
    "blockIO": {"weight": U16, "leafWeight": U16, "weightDevice": WEIGHTS,
                "throttleReadBpsDevice": RATES, "throttleWriteBpsDevice": RATES,
                "throttleReadIOPSDevice": RATES, "throttleWriteIOPSDevice": RATES},
    "hugepageLimits": [{NEEDED: ("pageSize", "limit"), "pageSize": filled, "limit": U64}],
    "network": {"classID": U32,
                "priorities": [{NEEDED: ("name", "priority"), "name": filled, "priority": U32}]},
    "rdma": Map({"hcaHandles": U32, "hcaObjects": U32}),
    "unified": Map(str),
}

ACTIONS = ("SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP",
           "SCMP_ACT_ERRNO", "SCMP_ACT_TRACE", "SCMP_ACT_ALLOW", "SCMP_ACT_LOG",
           "SCMP_ACT_NOTIFY")
ARCHITECTURES = tuple(f"SCMP_ARCH_{name}" for name in (
    "X86", "X86_64", "X32", "ARM", "AARCH64", "MIPS", "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64",
    "MIPSEL64N32", "PPC", "PPC64", "PPC64LE", "S390", "S390X", "PARISC", "PARISC64", "RISCV64",
    "LOONGARCH64", "M68K", "SH", "SHEB"))
SECCOMP = {
    NEEDED: ("defaultAction",),
    "defaultAction": ACTIONS, "defaultErrnoRet": U16,
    "architectures": [ARCHITECTURES],
    "flags": [("SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG",
               "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV")],
    "listenerPath": str, "listenerMetadata": str,
    "syscalls": [{NEEDED: ("names", "action"), "names": [str], "action": ACTIONS, "errnoRet": U16,
                  "args": [{NEEDED: ("index", "value", "op"), "index": Number(0, 5),
                            "value": U64, "valueTwo": U64,
                            "op": tuple(f"SCMP_CMP_{word}" for word in (
                                "NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"))}]}],
}

LINUX = {
    "namespaces": [{NEEDED: ("type",), "path": str, "type": (
        "pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time")}],
    "uidMappings": MAPPING, "gidMappings": MAPPING,
    "timeOffsets": {"monotonic": OFFSET, "boottime": OFFSET},
    "devices": [{NEEDED: ("path", "type"), "path": absolute, "type": tuple(DEVICE_KINDS),
                 "major": MAJOR, "minor": MINOR,
                 "fileMode": U16, "uid": ID, "gid": ID}],
    "cgroupsPath": str,
    "resources": RESOURCES,
    "sysctl": Map(str),
    "seccomp": SECCOMP,
    "rootfsPropagation": (*PROPAGATION, ""),
    "maskedPaths": [absolute], "readonlyPaths": [absolute],
    "mountLabel": str,
    "personality": {NEEDED: ("domain",), "domain": ("LINUX", "LINUX32"), "flags": [str]},
}

CONFIG = {
    NEEDED: ("ociVersion", "root", "process"),
    "ociVersion": version,
    "root": {NEEDED: ("path",), "path": filled, "readonly": bool},
    "mounts": [MOUNT],
    "process": PROCESS,
    "hostname": str, "domainname": str,
    "hooks": dict.fromkeys(("prestart", "createRuntime", "createContainer", "startContainer",
                            "poststart", "poststop"), HOOKS),
    "annotations": Map(str),
    "linux": LINUX,
}
