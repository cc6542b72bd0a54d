"""config.json, judged before the kernel is asked for anything.

Runs in the shim. First every value by itself, against the table of properties.py, then what they
mean together. What is malformed is Invalid, what this runtime does not do is Unsupported, each by
its path: `$.process.args[0]: expected a string`. Nothing is accepted and then left out, for a
container that lacks what it was promised is worse than none; what only the kernel can judge is left
to it. Sources: runtime-spec config.md, config-linux.md; runc's configs/validate for what it adds.
"""

from __future__ import annotations

import os

from runtime.errors import Invalid, Unsupported
from runtime.kernel.devices import KINDS as DEVICE_KINDS
from runtime.kernel.limits import INFINITY
from runtime.kernel.mounts import MS_REMOUNT
from runtime.oci.mounts import Options, is_bind
from runtime.oci.properties import CONFIG, NEEDED, PROCESS, Map, Number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The specification's word for a namespace → the kernel's, as under /proc/PID/ns.
NAMESPACE_TYPES = {"mount": "mnt", "network": "net", "pid": "pid", "uts": "uts", "ipc": "ipc",
                   "user": "user", "cgroup": "cgroup", "time": "time"}
WORDS = {str: "a string", bool: "true or false", dict: "an object", list: "an array",
         int: "a number"}
REFUSED = {
    "$.linux": {"intelRdt": "cache and bandwidth by resctrl are not built",
                "netDevices": "moving a network device is not built: of version 1.3",
                "memoryPolicy": "NUMA policies are not built: of version 1.3"},
    "$": dict.fromkeys(("solaris", "windows", "vm", "zos", "freebsd"), "this is Linux"),
}
MAX_ERRNO = 4095  # linux/err.h: what is above would be a pointer
SELINUX, APPARMOR = "/sys/fs/selinux/enforce", "/sys/module/apparmor/parameters/enabled"
# sysctls that are a namespace's own; every other one is the host's. runc's list.
SYSCTLS = {"ipc": ("kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
                   "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
                   "fs.mqueue."),
           "network": ("net.",), "uts": ("kernel.domainname", "kernel.hostname")}


def check(spec: dict[str, Any], host_mounts: bool = False) -> None:
    """Refuse what is malformed or not done here. Raises Invalid with the path, Unsupported.

    `host_mounts`: whoever starts it wants it in the host's mount namespace, and cleans up there.
    """
    judge(spec, CONFIG, "$")
    linux = spec.get("linux") or {}
    for path, where in (("$", spec), ("$.linux", linux)):
        for key, why in REFUSED[path].items():
            if where.get(key):
                raise Unsupported(f"{path}.{key}: {why}")
    check_meaning(spec["process"], "$.process")
    for index, entry in enumerate(spec.get("mounts") or []):
        check_mount(entry, f"$.mounts[{index}]", linux)
    check_linux(linux, spec, host_mounts)


def judge(value: Any, rule: Any, path: str) -> None:
    """Is the value what the table says? Raises Invalid with the path of what is not.

    A null is taken away: it is the same as absent, and who reads on need not ask twice.
    """
    kind = type(rule)
    if kind is dict:
        empty = None
        for key, item in expect(value, path, dict).items():
            inner = rule.get(key)
            if item is None and inner is not None:
                empty = [key] if empty is None else [*empty, key]
            elif inner is not None:
                judge(item, inner, f"{path}.{key}")
        for key in empty or ():
            del value[key]
        for key in rule.get(NEEDED, ()):
            if value.get(key) is None:
                judge(None, rule[key], f"{path}.{key}")
    elif kind is list:
        inner = rule[0]
        for index, item in enumerate(expect(value, path, list)):
            # Most of a config.json are strings in arrays, and most of those are good.
            if inner is not str or type(item) is not str or "\0" in item or not item.isascii():
                judge(item, inner, f"{path}[{index}]")
    elif kind is type:
        expect(value, path, rule)
        if rule is str:
            check_text(value, path)
    elif kind is Number:
        if not rule.low <= expect(value, path, int) <= rule.high:
            raise Invalid(f"{path}: expected a number from {rule.low} to {rule.high}")
    elif kind is tuple:
        if expect(value, path, str) not in rule:
            raise Invalid(f"{path}: unknown {value!r}")
    elif kind is Map:
        for key, item in expect(value, path, dict).items():
            check_text(key, path)
            judge(item, rule.inner, f"{path}.{key if key.isprintable() else repr(key)}")
    else:
        check_text(expect(value, path, str), path)
        rule(value, path)


def expect(value: Any, path: str, kind: type) -> Any:
    """The value, if it is of the kind; else Invalid: `$.process.args[0]: expected a string`."""
    if type(value) is not kind:
        whole = "whole " if kind is int and type(value) is float else ""
        raise Invalid(f"{path}: expected {WORDS[kind].replace('a n', f'a {whole}n')}")
    return value


def check_text(text: str, path: str) -> None:
    """Can it be handed to the kernel as a C string?"""
    if "\0" in text:
        raise Invalid(f"{path}: a NUL byte cannot be passed on")
    if not text.isascii():
        try:
            os.fsencode(text)
        except UnicodeEncodeError:
            raise Invalid(f"{path}: half a character (a lone surrogate)") from None


def check_process(process: dict[str, Any], path: str = "$.process") -> None:
    """A process by itself: what `exec` is given. Raises Invalid, Unsupported."""
    judge(process, PROCESS, path)
    check_meaning(process, path)


def check_meaning(process: dict[str, Any], path: str) -> None:
    """Who runs, what, where, and with which limits."""
    if not process["args"]:
        raise Invalid(f"{path}.args: expected at least one argument")
    for index, entry in enumerate(process.get("env") or []):
        if entry.find("=") < 1:
            raise Invalid(f"{path}.env[{index}]: expected NAME=value")
    seen = set()
    for index, entry in enumerate(process.get("rlimits") or []):
        kind, soft, hard = entry["type"], entry["soft"] & INFINITY, entry["hard"] & INFINITY
        if kind in seen:
            raise Invalid(f"{path}.rlimits[{index}].type: {kind} is there twice")
        seen.add(kind)
        if soft > hard:
            raise Invalid(f"{path}.rlimits[{index}].soft: {soft} is above the hard limit {hard}")
    if process.get("scheduler"):
        check_scheduler(process["scheduler"], f"{path}.scheduler")
    for key in ("initial", "final"):
        cpus((process.get("execCPUAffinity") or {}).get(key) or "", f"{path}.execCPUAffinity.{key}")
    check_labels(process, path)


def check_scheduler(asked: dict[str, Any], path: str) -> None:
    """What goes with which policy, as runc says it."""
    policy = asked["policy"]
    if policy == "SCHED_ISO":
        raise Unsupported(f"{path}.policy: SCHED_ISO was never a policy of Linux itself")
    if asked.get("priority") and policy not in ("SCHED_FIFO", "SCHED_RR"):
        raise Invalid(f"{path}.priority: only SCHED_FIFO and SCHED_RR have one")
    for key in ("runtime", "deadline", "period"):
        if asked.get(key) and policy != "SCHED_DEADLINE":
            raise Invalid(f"{path}.{key}: only SCHED_DEADLINE has one")
    for index, flag in enumerate(asked.get("flags") or []):
        if "UTIL_CLAMP" in flag:
            raise Unsupported(f"{path}.flags[{index}]: config.json has no number for the clamp")


def cpus(text: str, path: str) -> list[int]:
    """"0-3,7" as [0, 1, 2, 3, 7]; "" as none. Raises Invalid."""
    found: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.strip().partition("-")
        last = last or first
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last) < 8192):
            raise Invalid(f"{path}: expected CPUs, as in 0-3,7")
        found += range(int(first), int(last) + 1)
    return found


def check_labels(process: dict[str, Any], path: str) -> None:
    """A profile that this kernel cannot hold the program to is no profile."""
    if process.get("selinuxLabel") and not os.path.exists(SELINUX):
        raise Unsupported(f"{path}.selinuxLabel: selinux label is specified in config, but selinux "
                          "is disabled or not supported")
    if process.get("apparmorProfile") not in (None, "", "unconfined") \
            and not os.path.exists(APPARMOR):
        raise Unsupported(f"{path}.apparmorProfile: config provided but apparmor not supported")


def check_mount(entry: dict[str, Any], path: str, linux: dict[str, Any]) -> None:
    """One mount: options that its kind has. Relative destinations mean from the root."""
    options = Options(entry.get("options") or [])
    if is_bind(entry):
        judge(entry.get("source"), str, f"{path}.source")
        if options.data:
            raise Unsupported(f"{path}.options: invalid mount: bind mounts cannot have any "
                              f"filesystem-specific options applied: {options.data}")
    elif not options.flags & MS_REMOUNT:
        judge(entry.get("type"), str, f"{path}.type")
    if options.copy_up and entry.get("type") != "tmpfs":
        raise Invalid(f"{path}.options: tmpcopyup is an option of tmpfs")
    if options.idmap or entry.get("uidMappings") or entry.get("gidMappings"):
        from runtime.oci.sources import check_maps

        check_maps(entry, path, linux)


def check_linux(linux: dict[str, Any], spec: dict[str, Any], host_mounts: bool) -> None:
    """Namespaces and what belongs to them, devices, paths, sysctls and the filter."""
    kinds: dict[str, str | None] = {}
    for index, entry in enumerate(linux.get("namespaces") or []):
        path, kind = f"$.linux.namespaces[{index}]", entry["type"]
        if kind in kinds:
            raise Invalid(f"{path}.type: {kind} is there twice")
        kinds[kind] = entry.get("path") or None
        if not (kinds[kind] or "/").startswith("/"):
            raise Invalid(f"{path}.path: expected an absolute path")
    # Without one of its own, the container's mounts would be the host's.
    if "mount" not in kinds and not host_mounts:
        raise Unsupported("$.linux.namespaces: a container without a mount namespace is not built")
    check_user_namespace(linux, kinds)
    for index, entry in enumerate(linux.get("devices") or []):
        for key in ("major", "minor"):
            if DEVICE_KINDS[entry["type"]] != DEVICE_KINDS["p"] and entry.get(key) is None:
                raise Invalid(f"$.linux.devices[{index}].{key}: expected a number")
    if linux.get("mountLabel") and not os.path.exists(SELINUX):
        raise Unsupported("$.linux.mountLabel: selinux label is specified in config, but selinux "
                          "is disabled or not supported")
    for index, flag in enumerate((linux.get("personality") or {}).get("flags") or []):
        raise Unsupported(f"$.linux.personality.flags[{index}]: {flag!r}: the specification has "
                          "none yet")
    check_sysctls(linux, kinds)
    for key in ("hostname", "domainname"):
        if spec.get(key) and "uts" not in kinds:
            raise Invalid(f"$.{key}: the host's, for the container has no uts namespace of its own")
        if len(os.fsencode(spec.get(key) or "")) > 64:
            raise Invalid(f"$.{key}: longer than the 64 bytes the kernel takes")
    if linux.get("seccomp"):
        check_seccomp(linux["seccomp"])


def check_user_namespace(linux: dict[str, Any], kinds: dict[str, str | None]) -> None:
    """Maps belong to a user namespace, and offsets to a new time namespace."""
    for key in ("uidMappings", "gidMappings"):
        if "user" in kinds and kinds["user"] is None and not linux.get(key):
            raise Invalid(f"$.linux.{key}: a new user namespace needs it")
        if linux.get(key) and "user" not in kinds:
            raise Invalid(f"$.linux.{key}: there is no user namespace to map")
    if linux.get("timeOffsets") and not ("time" in kinds and kinds["time"] is None):
        raise Invalid("$.linux.timeOffsets: there is no new time namespace to set")
    for clock in linux.get("timeOffsets") or {}:
        if clock not in ("monotonic", "boottime"):
            raise Invalid(f"$.linux.timeOffsets: unknown clock {clock!r}")


def check_sysctls(linux: dict[str, Any], kinds: dict[str, str | None]) -> None:
    """Only what is a namespace's own: the rest would change the host."""
    for name in linux.get("sysctl") or {}:
        dotted = name.replace("/", ".") if "/" in name else name
        own = [kind for kind, names in SYSCTLS.items() for known in names
               if dotted == known or (known[-1] == "." and dotted.startswith(known))]
        if ".." in name or not own:
            raise Invalid(f"$.linux.sysctl: {name!r} belongs to no namespace, but to the host")
        if own[0] not in kinds:
            raise Invalid(f"$.linux.sysctl: {name!r} is the host's",
                          f"the container has no {own[0]} namespace of its own")
        if dotted == "kernel.hostname":
            raise Invalid(f'$.linux.sysctl: "{name}" is not allowed as it conflicts with the OCI '
                          '"hostname" field')


def check_seccomp(profile: dict[str, Any]) -> None:
    """Which answers may carry a number, and which calls an agent may be asked about."""
    rules = [(profile["defaultAction"], profile.get("defaultErrnoRet"), "$.linux.seccomp."
              "defaultErrnoRet")]
    asks = False
    for index, entry in enumerate(profile.get("syscalls") or []):
        path = f"$.linux.seccomp.syscalls[{index}]"
        if not entry["names"]:
            raise Invalid(f"{path}.names: expected at least one name")
        rules.append((entry["action"], entry.get("errnoRet"), f"{path}.errnoRet"))
        if entry["action"] == "SCMP_ACT_NOTIFY":
            asks = True
            if "write" in entry["names"]:
                raise Invalid(f"{path}.names: SCMP_ACT_NOTIFY cannot be used for the write syscall")
    for action, number, path in rules:
        if number is not None and action not in ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"):
            raise Invalid(f"{path}: {action} has no number to answer with")
        if action == "SCMP_ACT_ERRNO" and (number or 0) > MAX_ERRNO:
            raise Invalid(f"{path}: expected a number from 0 to {MAX_ERRNO}")
    if profile["defaultAction"] == "SCMP_ACT_NOTIFY":
        raise Invalid("$.linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be used as default "
                      "action")
    listener = profile.get("listenerPath")
    if asks and not listener:
        raise Invalid("$.linux.seccomp.listenerPath: SCMP_ACT_NOTIFY needs an agent that listens")
    if profile.get("listenerMetadata") and not listener:
        raise Invalid("$.linux.seccomp.listenerMetadata: there is no listenerPath to send it to")
