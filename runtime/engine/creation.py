"""create: from a request in Docker's words to a directory that can be started.

Runs in the engine. What it leaves under containers/<id>/ is an OCI bundle with the container's own
top layer beside it; nothing runs, no kernel object exists yet. A failure leaves nothing.
Source: Docker Engine API, POST /containers/create; moby daemon/create.go, container.go.
"""

from __future__ import annotations

import os
import time

from runtime import documents
from runtime.engine import events, names, resources, signals, spec, store
from runtime.errors import Invalid, KernelError, NotFound, Unsupported
from runtime.shim import removal
from runtime.shim.logs import rfc3339

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.engine.engine import Engine
    from runtime.image.store import Image

# Config keys taken from the image where the request has none.
FROM_IMAGE = ("Entrypoint", "WorkingDir", "User", "StopSignal", "Volumes", "ExposedPorts",
              "Healthcheck", "OnBuild", "Shell")
# HostConfig's fields that change a container and are not built. The command line refuses their
# flags one by one; a body may come from elsewhere.
LATER = ("CgroupParent", "CpuRealtimePeriod", "CpuRealtimeRuntime", "DeviceCgroupRules",
         "DeviceRequests", "Devices", "Dns", "DnsOptions", "DnsSearch", "Init", "KernelMemory",
         "Links", "Mounts", "PortBindings", "PublishAllPorts", "StorageOpt", "Sysctls",
         "VolumesFrom")


def create(engine: Engine, name: str | None, body: dict[str, Any]) -> str:
    """Make the container. Returns its id."""
    places = engine.places
    may_run()
    reference = body.get("Image") or ""
    if not reference:
        raise Invalid("Config cannot be empty in order to create a container")
    image = engine.images.resolve(reference)
    places.make()
    ident = os.urandom(32).hex()
    config = describe_wish(ident, image, body)
    check(config)
    directory = places.container(ident)
    bare = ""
    try:
        os.mkdir(directory, 0o710)
        bare = names.claim(places, name, ident)
        config["Name"] = f"/{bare}"
        fill(directory, config, image, f"{places.group}/{bare}")
    except BaseException as error:
        if bare:
            names.release(places, bare, ident)
        removal.remove_tree(directory)
        if isinstance(error, OSError) and not isinstance(error, KernelError):
            raise KernelError("create the container in", error.errno or 0, directory,
                              "nothing was left behind") from None
        raise
    events.tell(places.root, "create", config)
    return ident


def may_run() -> None:
    """Raises Denied, first of all, where a user without root can run nothing."""
    if os.geteuid() != 0:
        rootless().check_host()


def rootless() -> Any:
    """The module that knows of users without root; root does not need it."""
    from runtime.engine import rootless as module

    return module


def describe_wish(ident: str, image: Image, body: dict[str, Any]) -> dict[str, Any]:
    """container.json: the request with the image's defaults filled in. Raises Invalid."""
    config = {key: value for key, value in body.items() if key not in ("HostConfig",
                                                                       "NetworkingConfig")}
    given = image.config.get("Config") or {}
    for key in FROM_IMAGE:
        if not config.get(key) and given.get(key):
            config[key] = given[key]
    # An entrypoint of the request's own does without the image's command.
    if not config.get("Cmd") and body.get("Entrypoint") is None:
        config["Cmd"] = given.get("Cmd")
    if config.get("Entrypoint") in ([""], []):
        config["Entrypoint"] = None
    config["Env"] = spec.merge_environment(given.get("Env") or [], body.get("Env") or [])
    config["Labels"] = {**(given.get("Labels") or {}), **(body.get("Labels") or {})}
    host = dict(body.get("HostConfig") or {})
    if not config.get("Hostname"):
        config["Hostname"] = os.uname().nodename if has_hosts_name(host) else ident[:12]
    command = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    if not command:
        raise Invalid("no command specified")
    return {"Id": ident, "Created": rfc3339(time.time_ns()), "Path": command[0],
            "Args": command[1:], "Image": image.id, "Config": config, "HostConfig": host,
            "Layers": image.layers}


def has_hosts_name(host: dict[str, Any]) -> bool:
    """Is the container in the host's UTS namespace, or (as Docker has it) in its network?"""
    if "host" in (host.get("UTSMode"), host.get("NetworkMode")):
        return True
    return bool(host.get("ContainerLab")) and "uts" in ablation().wished(host)


def ablation() -> Any:
    """The module that knows of parts left out; an ordinary container does not need it."""
    from runtime.engine import ablation as module

    return module


def check(config: dict[str, Any]) -> None:
    """Refuse what cannot be, in Docker's words, before anything is made."""
    host, wanted = config["HostConfig"], config["Config"]
    resources.check(host)
    if wanted.get("WorkingDir") and not wanted["WorkingDir"].startswith("/"):
        raise Invalid(f"the working directory '{wanted['WorkingDir']}' is invalid, "
                      "it needs to be an absolute path")
    if host.get("AutoRemove") and (host.get("RestartPolicy") or {}).get("Name") not in (
            None, "", "no"):
        raise Invalid("can't create 'AutoRemove' container with restart policy")
    seen = set()
    for text in host.get("Binds") or []:
        source, destination, _ = spec.parse_bind(text)
        if not source.startswith("/"):
            raise Unsupported(f"a volume by name ({text}) is not built yet",
                              "a path of the host is")
        if not destination.startswith("/"):
            raise Invalid(f"invalid volume specification: '{text}'")
        destination = os.path.normpath(destination)
        if destination in seen:
            raise Invalid(f"Duplicate mount point: {destination}")
        seen.add(destination)
    if wanted.get("StopSignal"):
        signals.number(wanted["StopSignal"])
    if host.get("Runtime"):
        from runtime.engine import runtimes

        runtimes.program(host)
    if host.get("ContainerLab"):
        ablation().check(wanted, host)
    check_built(host)
    if os.geteuid() != 0:
        rootless().check(host)


def check_built(host: dict[str, Any]) -> None:
    """Refuse by name what would be promised and not kept. Raises Unsupported."""
    for field in LATER:
        if host.get(field):
            raise Unsupported(f"HostConfig.{field} is not built yet")
    for field, value, built in (
            ("NetworkMode", host.get("NetworkMode"), ("none", "host")),
            ("RestartPolicy", (host.get("RestartPolicy") or {}).get("Name"), ("no",)),
            ("LogConfig", (host.get("LogConfig") or {}).get("Type"), ("json-file",)),
            ("UsernsMode", host.get("UsernsMode"), ("host",))):
        # A mode "container:x" is spec.py's to refuse, in the words of the flag.
        if value and value not in built and not value.startswith("container:"):
            raise Unsupported(f"HostConfig.{field} {value} is not built yet")


def fill(directory: str, config: dict[str, Any], image: Image, group: str) -> None:
    """Write the directory: the bundle, the top layer, our three files, and last container.json.

    container.json comes last, for it is what makes a directory a container: killed before it, the
    next `clean` finds a directory without one. Only what outlives a power cut is flushed to disk,
    and a container that is removed at its end does not.
    """
    for name in ("rootfs", "upper", "work"):
        os.mkdir(f"{directory}/{name}")
    # The mode of the container's own "/", whatever the umask: not only root goes through it.
    os.chmod(f"{directory}/upper", 0o755)
    own_files(directory, config)
    for text in config["HostConfig"].get("Binds") or []:
        make_source(spec.parse_bind(text)[0])
    bundle = spec.make(config, directory, image.layers)
    bundle["linux"]["cgroupsPath"] = group
    if os.geteuid() != 0:
        rootless().fit(bundle, config["HostConfig"])
    if config["HostConfig"].get("Runtime"):
        # Nothing in it is younger, and crun 1.8 takes no other.
        bundle["ociVersion"] = "1.0.2"
    documents.write(f"{directory}/config.json", bundle)
    documents.write(f"{directory}/state.json", store.first_state())
    documents.write(f"{directory}/container.json", config,
                    durable=not config["HostConfig"].get("AutoRemove"))


def make_source(path: str) -> None:
    """-v of a host path that is not there: Docker makes a directory."""
    try:
        if not os.path.lexists(path):
            os.makedirs(path)
    except OSError as error:
        raise NotFound(f"error while creating mount source path '{path}': mkdir {path}: "
                       f"{os.strerror(error.errno or 0).lower()}") from None


def own_files(directory: str, config: dict[str, Any]) -> None:
    """/etc/hostname, /etc/hosts and /etc/resolv.conf, which are bound over the image's."""
    wanted, host = config["Config"], config["HostConfig"]
    name = wanted["Hostname"]
    write(f"{directory}/hostname", f"{name}\n")
    hosts = ("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
             "fe00::0\tip6-localnet\nff00::0\tip6-mcastprefix\nff02::1\tip6-allnodes\n"
             "ff02::2\tip6-allrouters\n")
    for entry in host.get("ExtraHosts") or []:
        known, _, address = entry.partition(":")
        hosts += f"{address}\t{known}\n"
    write(f"{directory}/hosts", hosts)
    resolv = ""
    if host.get("NetworkMode") == "host":
        try:
            with open("/etc/resolv.conf", encoding="utf-8") as file:
                resolv = file.read()
        except OSError:
            resolv = ""
    write(f"{directory}/resolv.conf", resolv)


def write(path: str, text: str) -> None:
    """A small new file, readable by all whatever the umask."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        os.write(fd, text.encode())
        os.fchmod(fd, 0o644)
    finally:
        os.close(fd)

