"""From Docker's words to the specification's: the config.json of a container's bundle.

Runs in the engine at create. Input: container.json's Config and HostConfig and the image's layers;
output: an OCI runtime-spec document and the mounts that make its root. It asks the kernel for
nothing. Sources: moby daemon/oci_linux.go; runtime-spec config.md, config-linux.md.
"""

from __future__ import annotations

import os

from runtime import documents
from runtime.engine import defaults, resources, users
from runtime.errors import Invalid, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAMESPACES = {"PidMode": "pid", "IpcMode": "ipc", "UTSMode": "uts", "NetworkMode": "network",
              "CgroupnsMode": "cgroup"}
# Private is what every mount of a container's namespace is. For the rest its root would have to
# hear of the host's mounts (rootfsPropagation).
MODES = ("ro", "rw", "private", "rprivate")
LATER_MODES = ("shared", "rshared", "slave", "rslave", "z", "Z", "nocopy")


def make(config: dict[str, Any], directory: str, layers: list[str]) -> dict[str, Any]:
    """The whole config.json. Raises Invalid, Unsupported."""
    wanted, host = config["Config"], config["HostConfig"]
    privileged = bool(host.get("Privileged"))
    capabilities = choose_capabilities(host)
    spec: dict[str, Any] = {
        "ociVersion": "1.2.0",
        "process": process(config, wanted, users.reader(layers), capabilities),
        "root": {"path": "rootfs", "readonly": bool(host.get("ReadonlyRootfs"))},
        "mounts": [*defaults.mounts(host.get("ShmSize") or defaults.SHM_SIZE_BYTES, privileged),
                   *files_of_ours(directory), *tmpfs(host), *binds(host)],
        "linux": {
            "namespaces": namespaces(host),
            "resources": resources.linux_resources(host),
            "cgroupsPath": "",
            "devices": host_devices() if privileged else [],
            "maskedPaths": [] if privileged else defaults.MASKED_PATHS,
            "readonlyPaths": [] if privileged else defaults.READONLY_PATHS,
        },
    }
    if host.get("UTSMode") != "host":
        spec["hostname"] = wanted["Hostname"]
        if wanted.get("Domainname"):
            spec["domainname"] = wanted["Domainname"]
    profile = seccomp_profile(host, capabilities)
    if profile:
        spec["linux"]["seccomp"] = profile
    if host.get("ContainerLab"):
        from runtime.engine import ablation

        ablation.leave_out(spec, host)
    return spec


def process(config: dict[str, Any], wanted: dict[str, Any], read: users.Read,
            capabilities: list[str]) -> dict[str, Any]:
    """config.json's process: what runs, as whom, with which rights."""
    host = config["HostConfig"]
    user = users.resolve(wanted.get("User") or "", host.get("GroupAdd") or [], read)
    rights: dict[str, Any] = {"bounding": capabilities, "effective": capabilities,
                              "permitted": capabilities}
    made: dict[str, Any] = {
        "terminal": bool(wanted.get("Tty")),
        "user": user,
        "args": [config["Path"], *config["Args"]],
        "env": environment(wanted),
        "cwd": wanted.get("WorkingDir") or "/",
        "capabilities": rights,
        "noNewPrivileges": no_new_privileges(host),
        "oomScoreAdj": host.get("OomScoreAdj") or 0,
    }
    size = host.get("ConsoleSize") or [0, 0]
    if made["terminal"] and all(size):
        made["consoleSize"] = {"height": size[0], "width": size[1]}
    if host.get("Ulimits"):
        made["rlimits"] = [{"type": f"RLIMIT_{each['Name'].upper()}",
                            "soft": unlimited(each["Soft"]), "hard": unlimited(each["Hard"])}
                           for each in host["Ulimits"]]
    return made


def unlimited(value: int) -> int:
    """Docker's −1 as the specification's RLIM_INFINITY."""
    return value if value >= 0 else (1 << 64) - 1


def environment(wanted: dict[str, Any]) -> list[str]:
    """Docker's own variables, overridden by the image's and the user's."""
    own = [defaults.PATH, f"HOSTNAME={wanted['Hostname']}"]
    if wanted.get("Tty"):
        own.append("TERM=xterm")
    return merge_environment(own, wanted.get("Env") or [])


def merge_environment(old: list[str], new: list[str]) -> list[str]:
    """old with new's variables put in place or added; NAME without = takes one away."""
    values = dict(entry.partition("=")[::2] for entry in old)
    for entry in new:
        name, found, value = entry.partition("=")
        if found:
            values[name] = value
        else:
            values.pop(name, None)
    return [f"{name}={value}" for name, value in values.items()]


def choose_capabilities(host: dict[str, Any]) -> list[str]:
    """The default fourteen, less --cap-drop, plus --cap-add. Raises Invalid as Docker."""
    if host.get("Privileged"):
        return list(defaults.ALL_CAPABILITIES)
    add, drop = (capability_names(host, field) for field in ("CapAdd", "CapDrop"))
    chosen = [] if "ALL" in drop else list(defaults.CAPABILITIES)
    if "ALL" in add:
        chosen = list(defaults.ALL_CAPABILITIES)
    chosen = [name for name in chosen if name not in drop]
    return chosen + [name for name in add if name != "ALL" and name not in chosen]


def capability_names(host: dict[str, Any], field: str) -> list[str]:
    """CapAdd or CapDrop with the kernel's names. Raises Invalid in Docker's words."""
    names = []
    for each in host.get(field) or []:
        name = each.upper()
        if name != "ALL" and not name.startswith("CAP_"):
            name = f"CAP_{name}"
        if name != "ALL" and name not in defaults.ALL_CAPABILITIES:
            raise Invalid(f'invalid {field}: unknown capability: "{name}"')
        names.append(name)
    return names


def no_new_privileges(host: dict[str, Any]) -> bool:
    """--security-opt no-new-privileges, with or without a value."""
    for option in host.get("SecurityOpt") or []:
        name, _, value = option.replace(":", "=", 1).partition("=")
        if name == "no-new-privileges":
            if value not in ("", "true", "false"):
                raise Invalid(f'invalid --security-opt 2: "{option}"')
            return bool(value != "false")
    return False


def seccomp_profile(host: dict[str, Any], capabilities: list[str]) -> dict[str, Any] | None:
    """linux.seccomp: Docker's default for these capabilities, the given one, or none.

    --privileged is without the default one; one that was asked for stands (moby#47500).
    """
    for option in host.get("SecurityOpt") or []:
        name, _, value = option.partition("=")
        if name == "seccomp" and value == "unconfined":
            return None
        if name == "seccomp" and value != "builtin":
            profile: dict[str, Any] = documents.parse(value)
            if "architectures" not in profile and "archMap" in profile:
                raise Unsupported("a seccomp profile with archMap is not built yet",
                                  "config.json's form of it, with architectures, works")
            return profile
    if host.get("Privileged"):
        return None
    from runtime.engine.seccomp_profile import default_profile

    return default_profile(capabilities)


def namespaces(host: dict[str, Any]) -> list[dict[str, Any]]:
    """New ones of six kinds; a mode of "host" leaves one out, but never the mount namespace."""
    made: list[dict[str, Any]] = [{"type": "mount"}]
    for field, kind in NAMESPACES.items():
        mode = host.get(field) or ""
        if mode.startswith("container:"):
            raise Unsupported(f"--{kind} {mode} is not built yet", exit_code=125)
        if mode != "host":
            made.append({"type": kind})
    return made


def files_of_ours(directory: str) -> list[dict[str, Any]]:
    """The three files that Docker writes for a container and binds over the image's.

    Docker adds rprivate; the whole namespace is that already, and each costs a system call.
    """
    return [{"destination": f"/etc/{name}", "type": "bind", "source": f"{directory}/{name}",
             "options": ["rbind"]} for name in ("resolv.conf", "hostname", "hosts")]


def tmpfs(host: dict[str, Any]) -> list[dict[str, Any]]:
    """--tmpfs: {"/run": "size=64m"}."""
    return [{"destination": path, "type": "tmpfs", "source": "tmpfs",
             "options": ["noexec", "nosuid", "nodev", *(options.split(",") if options else [])]}
            for path, options in (host.get("Tmpfs") or {}).items()]


def parse_bind(text: str) -> tuple[str, str, list[str]]:
    """(source, destination, options) of "/host:/inside[:ro]". Raises Invalid as Docker."""
    source, _, rest = text.partition(":")
    destination, _, options = rest.partition(":")
    return source, destination, options.split(",") if options else []


def binds(host: dict[str, Any]) -> list[dict[str, Any]]:
    """-v of host directories and files. Docker's ro goes for what is mounted below as well: rro."""
    made = []
    for text in host.get("Binds") or []:
        source, destination, options = parse_bind(text)
        for mode in options:
            if mode in LATER_MODES:
                raise Unsupported(f"-v with the mode {mode} is not built yet", exit_code=125)
            if mode not in MODES:
                raise Invalid(f"invalid mode: {','.join(options)}")
        made.append({"destination": destination, "type": "bind", "source": source,
                     "options": ["rbind", "rro" if "ro" in options else "rw"]})
    return made


def host_devices() -> list[dict[str, Any]]:
    """--privileged: every device node of the host's /dev."""
    made = []
    for entry in os.scandir("/dev"):
        mode = entry.stat(follow_symlinks=False)
        kind = {0o020000: "c", 0o060000: "b"}.get(mode.st_mode & 0o170000)
        if kind and entry.name != "console":
            made.append({"path": entry.path, "type": kind, "major": os.major(mode.st_rdev),
                         "minor": os.minor(mode.st_rdev), "fileMode": mode.st_mode & 0o777})
    return made


def root_mounts(directory: str, layers: list[str], disposable: bool,
                rootless: bool = False) -> list[dict[str, Any]]:
    """The overlay that is the container's root: the image's layers below, its own on top.

    overlayfs looks from left to right, so the topmost layer comes first. `disposable` (--rm) is
    mounted volatile: without it the last unmount syncs the whole file system that holds the upper
    directory, which is most of the time a short container takes. A volatile upper must not be used
    again, and here never is. `rootless`: root of a user namespace may not set trusted.* attributes,
    so overlayfs keeps its notes in user.* ones.
    """
    for layer in layers:
        if ":" in layer or "," in layer:
            raise Unsupported(f"mount the layer {layer}: mount(2) cannot take : or , in its path",
                              "choose another --root")
    options = [f"lowerdir={':'.join(reversed(layers))}", f"upperdir={directory}/upper",
               f"workdir={directory}/work"]
    if disposable:
        options.append("volatile")
    if rootless:
        options.append("userxattr")
    if len(",".join(options)) > 4000:
        raise Unsupported(f"mount {len(layers)} layers: their paths are longer than a page")
    return [{"type": "overlay", "source": "overlay", "options": options}]
