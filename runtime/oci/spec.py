"""config.json, judged before the kernel is asked for anything.

Runs in the shim. What is malformed is Invalid, what this runtime does not do is Unsupported, each
by its path: `$.process.args[0]: expected a string`. Nothing is accepted and then left out, for a
container that lacks what it was promised is worse than none; numbers that only the kernel can
judge are left to it. Sources: runtime-spec config.md, config-linux.md.
"""

from __future__ import annotations

from runtime.errors import Invalid, Unsupported
from runtime.kernel.capabilities import BITS
from runtime.kernel.devices import KINDS as DEVICE_KINDS
from runtime.kernel.limits import INFINITY, RLIMITS
from runtime.kernel.mounts import PROPAGATION
from runtime.oci.mounts import Options, is_bind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The specification's word for a namespace → the kernel's, as under /proc/PID/ns.
NAMESPACE_TYPES = {"mount": "mnt", "network": "net", "pid": "pid", "uts": "uts", "ipc": "ipc",
                   "user": "user", "cgroup": "cgroup", "time": "time"}
WORDS = {"str": "a string", "dict": "an object", "list": "an array", "int": "a number"}
REFUSED = {
    "$.linux": ("intelRdt", "mountLabel", "personality", "netDevices", "memoryPolicy"),
    "$.process": ("apparmorProfile", "selinuxLabel", "scheduler", "ioPriority",
                  "execCPUAffinity"),
    "$": ("solaris", "windows", "vm", "zos", "freebsd"),
}
# sysctls that are a namespace's own; every other one is the host's. runc's list.
SYSCTLS = {"ipc": ("kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
                   "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
                   "fs.mqueue."),
           "network": ("net.",), "uts": ("kernel.domainname", "kernel.hostname")}


def check(spec: dict[str, Any], host_mounts: bool = False) -> None:
    """Refuse what is malformed or not done here. Raises Invalid with the path, Unsupported.

    `host_mounts`: whoever starts it wants it in the host's mount namespace, and cleans up there.
    """
    expect(spec, "$", dict)
    linux = expect(spec.get("linux") or {}, "$.linux", dict)
    process = expect(spec.get("process"), "$.process", dict)
    root = expect(spec.get("root"), "$.root", dict)
    expect(root.get("path"), "$.root.path", str)
    for path, where in (("$", spec), ("$.process", process), ("$.linux", linux)):
        for key in REFUSED[path]:
            if where.get(key):
                raise Unsupported(f"{path}.{key}: not built")
    if any((spec.get("hooks") or {}).values()):
        raise Unsupported("$.hooks: hooks are not built yet")
    check_process(process)
    for index, entry in each(spec, "mounts", "$"):
        check_mount(entry, f"$.mounts[{index}]")
    check_linux(linux, spec, host_mounts)


def check_process(process: dict[str, Any]) -> None:
    """Who runs, what, where, and with which limits."""
    arguments = expect(process.get("args"), "$.process.args", list)
    if not arguments:
        raise Invalid("$.process.args: expected at least one argument")
    for key in ("args", "env"):
        for index, text in enumerate(expect(process.get(key) or [], f"$.process.{key}", list)):
            if "\0" in expect(text, f"$.process.{key}[{index}]", str):
                raise Invalid(f"$.process.{key}[{index}]: a NUL byte cannot be passed on")
    if not expect(process.get("cwd"), "$.process.cwd", str).startswith("/"):
        raise Invalid("$.process.cwd: expected an absolute path")
    user = expect(process.get("user") or {}, "$.process.user", dict)
    for key in ("uid", "gid", "umask"):
        if user.get(key) is not None and expect(user[key], f"$.process.user.{key}", int) < 0:
            raise Invalid(f"$.process.user.{key}: expected a number from 0")
    for key, names in expect(process.get("capabilities") or {}, "$.process.capabilities",
                             dict).items():
        for index, name in enumerate(expect(names or [], f"$.process.capabilities.{key}", list)):
            if name not in BITS:
                raise Invalid(f"$.process.capabilities.{key}[{index}]: "
                              f"unknown capability {name}")
    check_rlimits(process)


def check_rlimits(process: dict[str, Any]) -> None:
    """Known kinds, each once, none softer than hard."""
    seen = set()
    for index, entry in each(process, "rlimits", "$.process"):
        path = f"$.process.rlimits[{index}]"
        kind = entry.get("type")
        if kind not in RLIMITS:
            raise Invalid(f"{path}.type: unknown {kind!r}")
        if kind in seen:
            raise Invalid(f"{path}.type: {kind} is there twice")
        seen.add(kind)
        soft, hard = (expect(entry.get(key), f"{path}.{key}", int) & INFINITY
                      for key in ("soft", "hard"))
        if soft > hard:
            raise Invalid(f"{path}.soft: {soft} is above the hard limit {hard}")


def check_mount(entry: dict[str, Any], path: str) -> None:
    """One mount: where to, and options that its kind has."""
    if not expect(entry.get("destination"), f"{path}.destination", str).startswith("/"):
        raise Invalid(f"{path}.destination: expected an absolute path")
    for key in ("uidMappings", "gidMappings"):
        if entry.get(key):
            raise Unsupported(f"{path}.{key}: id-mapped mounts are not built")
    options = expect(entry.get("options") or [], f"{path}.options", list)
    for index, option in enumerate(options):
        expect(option, f"{path}.options[{index}]", str)
    if is_bind(entry):
        expect(entry.get("source"), f"{path}.source", str)
        unknown = Options(options).data
        if unknown:
            raise Unsupported(f"{path}.options: a bind mount has no option {unknown}")
    elif expect(entry.get("type"), f"{path}.type", str) == "cgroup2":
        # Mounted before the container has a cgroup namespace, it would be the host's whole tree.
        raise Unsupported(f"{path}.type: cgroup2 is not built",
                          'type "cgroup" shows the container its own group, on either generation')


def check_linux(linux: dict[str, Any], spec: dict[str, Any], host_mounts: bool) -> None:
    """Namespaces and what belongs to them, devices, paths and sysctls."""
    kinds: dict[str, str | None] = {}
    for index, entry in each(linux, "namespaces", "$.linux"):
        path, kind = f"$.linux.namespaces[{index}]", entry.get("type")
        if kind not in NAMESPACE_TYPES:
            raise Invalid(f"{path}.type: unknown {kind!r}")
        if kind in kinds:
            raise Invalid(f"{path}.type: {kind} is there twice")
        kinds[kind] = entry.get("path") or None
        if entry.get("path") and kind == "pid":
            raise Unsupported(f"{path}.path: joining a pid namespace is not built yet")
    # Without one of its own, the container's mounts would be the host's.
    if "mount" not in kinds and not host_mounts:
        raise Unsupported("$.linux.namespaces: a container without a mount namespace is not built")
    check_user_namespace(linux, kinds)
    for index, entry in each(linux, "devices", "$.linux"):
        path = f"$.linux.devices[{index}]"
        if entry.get("type") not in DEVICE_KINDS:
            raise Invalid(f"{path}.type: unknown {entry.get('type')!r}")
        if not expect(entry.get("path"), f"{path}.path", str).startswith("/"):
            raise Invalid(f"{path}.path: expected an absolute path")
    propagation = linux.get("rootfsPropagation")
    if propagation and propagation not in PROPAGATION:
        raise Invalid(f"$.linux.rootfsPropagation: unknown {propagation!r}")
    check_sysctls(linux, kinds)
    for key in ("hostname", "domainname"):
        if expect(spec.get(key) or "", f"$.{key}", str) and "uts" not in kinds:
            raise Invalid(f"$.{key}: the host's, for the container has no uts namespace of its own")


def check_user_namespace(linux: dict[str, Any], kinds: dict[str, str | None]) -> None:
    """Maps belong to a new user namespace, and offsets to a new time namespace."""
    new_user = "user" in kinds and kinds["user"] is None
    for key in ("uidMappings", "gidMappings"):
        if new_user and not linux.get(key):
            raise Invalid(f"$.linux.{key}: a new user namespace needs it")
        if linux.get(key) and not new_user:
            raise Invalid(f"$.linux.{key}: there is no new user namespace to map")
        for index, entry in each(linux, key, "$.linux"):
            for name in ("containerID", "hostID", "size"):
                expect(entry.get(name), f"$.linux.{key}[{index}].{name}", int)
    if linux.get("timeOffsets") and not ("time" in kinds and kinds["time"] is None):
        raise Invalid("$.linux.timeOffsets: there is no new time namespace to set")


def check_sysctls(linux: dict[str, Any], kinds: dict[str, str | None]) -> None:
    """Only what is a namespace's own: the rest would change the host."""
    for name, value in expect(linux.get("sysctl") or {}, "$.linux.sysctl", dict).items():
        expect(value, f"$.linux.sysctl.{name}", str)
        dotted = name.replace("/", ".") if "/" in name else name
        own = [kind for kind, names in SYSCTLS.items() for known in names
               if dotted == known or (known[-1] == "." and dotted.startswith(known))]
        if ".." in name or not own:
            raise Invalid(f"$.linux.sysctl: {name} belongs to no namespace, but to the host")
        if own[0] not in kinds:
            raise Invalid(f"$.linux.sysctl: {name} is the host's",
                          f"the container has no {own[0]} namespace of its own")


def each(where: dict[str, Any], key: str, path: str) -> list[tuple[int, dict[str, Any]]]:
    """The objects of an array with their index; none when there is no array."""
    found = expect(where.get(key) or [], f"{path}.{key}", list)
    return [(index, expect(entry, f"{path}.{key}[{index}]", dict))
            for index, entry in enumerate(found)]


def expect(value: Any, path: str, kind: type) -> Any:
    """The value, if it is of the kind; else Invalid: `$.process.args[0]: expected a string`."""
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Invalid(f"{path}: expected {WORDS[kind.__name__]}")
    return value
