"""From flags to the body of POST /containers/create, in Docker's own words.

The twin of docker/cli's container/opts.go. Runs in `run` and `create`.

    build({"memory": 50331648, "rm": True}, "lab/base", ["sh"])
    → {"Image": "lab/base", "Cmd": ["sh"],
       "HostConfig": {"Memory": 50331648, "AutoRemove": True, "NetworkMode": "none"}, …}

Only what was asked for is filled in; the engine knows the defaults. ClientError is a mistake the
docker command finds itself, other errors are its daemon's.
"""

from __future__ import annotations

import os

from runtime.client.options import ClientError
from runtime.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.client.options import Options

# Flags that are one field of the body, as they are.
CONFIG = {"hostname": "Hostname", "domainname": "Domainname", "user": "User",
          "workdir": "WorkingDir", "tty": "Tty", "interactive": "OpenStdin",
          "stop-signal": "StopSignal", "stop-timeout": "StopTimeout"}
HOST = {"memory": "Memory", "memory-reservation": "MemoryReservation",
        "memory-swap": "MemorySwap", "cpus": "NanoCpus", "cpu-shares": "CpuShares",
        "cpu-quota": "CpuQuota", "cpu-period": "CpuPeriod", "cpuset-cpus": "CpusetCpus",
        "pids-limit": "PidsLimit", "oom-score-adj": "OomScoreAdj", "shm-size": "ShmSize",
        "cap-add": "CapAdd", "cap-drop": "CapDrop", "group-add": "GroupAdd",
        "privileged": "Privileged", "read-only": "ReadonlyRootfs", "rm": "AutoRemove",
        "blkio-weight": "BlkioWeight", "cpuset-mems": "CpusetMems",
        "memory-swappiness": "MemorySwappiness", "oom-kill-disable": "OomKillDisable",
        "device-read-bps": "BlkioDeviceReadBps", "device-read-iops": "BlkioDeviceReadIOps",
        "device-write-bps": "BlkioDeviceWriteBps", "device-write-iops": "BlkioDeviceWriteIOps",
        "add-host": "ExtraHosts", "ulimit": "Ulimits", "cidfile": "ContainerIDFile"}
MODES = frozenset(("pid", "ipc", "uts", "cgroupns", "userns", "restart", "isolation", "log-driver",
                   "log-opt", "runtime"))


def build(given: Options, image: str, command: list[str]) -> dict[str, Any]:
    """The body for these flags."""
    body: dict[str, Any] = {"Image": image}
    for flag, field in CONFIG.items():
        if flag in given:
            body[field] = given[flag]
    if command:
        body["Cmd"] = command
    if "entrypoint" in given:
        # An empty one takes away the image's.
        body["Entrypoint"] = [given["entrypoint"]]
    _streams(given, body)
    variables = environment(given)
    if variables:
        body["Env"] = variables
    labels = _labels(given)
    if labels:
        body["Labels"] = labels
    body["HostConfig"] = _host(given)
    return body


def _streams(given: Options, body: dict[str, Any]) -> None:
    detached = given.get("detach", False)
    asked = given.get("attach", [])
    if asked and detached:
        raise ClientError("conflicting options: cannot specify both --attach and --detach")
    interactive = given.get("interactive", False)
    body["AttachStdin"] = not detached and (("stdin" in asked) if asked else interactive)
    body["AttachStdout"] = not detached and (not asked or "stdout" in asked)
    body["AttachStderr"] = not detached and (not asked or "stderr" in asked)
    body["StdinOnce"] = bool(interactive and body["AttachStdin"])


def _host(given: Options) -> dict[str, Any]:
    host = {field: given[flag] for flag, field in HOST.items() if flag in given}
    host["NetworkMode"] = _network(given.get("network", ["none"]))
    if MODES & given.keys():
        from runtime.client import modes

        host |= modes.host_fields(given)
    if "volume" in given or "mount" in given or "tmpfs" in given:
        from runtime.client import mounts

        binds = mounts.binds(given.get("volume", [])) + mounts.mounts(given.get("mount", []))
        if binds:
            host["Binds"] = binds
        if "tmpfs" in given:
            host["Tmpfs"] = mounts.tmpfs(given["tmpfs"])
    if "without" in given or "unsafe" in given:
        from runtime.client import without

        host |= without.host_fields(given)
    if "security-opt" in given:
        host["SecurityOpt"] = [_security(option) for option in given["security-opt"]]
    return host


def _network(names: list[str]) -> str:
    name = names[-1]
    if name in ("none", "host"):
        return name
    if name in ("bridge", "default") or name.startswith("container:"):
        raise Unsupported(f"--network {name} is not built yet", "none and host are", exit_code=125)
    # What the daemon says of any other: there is no such network, and nothing made one.
    from runtime.errors import NotFound

    raise NotFound(f"failed to set up container networking: network {name} not found")


def _security(option: str) -> str:
    name, found, value = option.partition("=")
    if not found:
        name, found, value = option.partition(":")
    if name == "no-new-privileges":
        return option
    if not found:
        raise ClientError(f'Invalid --security-opt: "{option}"')
    if name == "seccomp" and value not in ("unconfined", "builtin"):
        return f"seccomp={_profile(value)}"
    if (name, value) in (("seccomp", "unconfined"), ("seccomp", "builtin"),
                         ("apparmor", "unconfined"), ("label", "disable")):
        return f"{name}={value}"
    raise Unsupported(f"--security-opt {option} is not built yet", exit_code=125)


def _profile(path: str) -> str:
    """The seccomp profile of the file, compact: the daemon does not see the client's files."""
    from runtime import documents

    try:
        with open(path, encoding="utf-8") as file:
            return documents.encode(documents.parse(file.read()))
    except OSError as error:
        raise ClientError(f"opening seccomp profile ({path}) failed: {opening(path, error)}"
                          ) from None
    except ValueError as error:
        raise ClientError(f"compacting json for seccomp profile ({path}) failed: {error}") from None


def opening(path: str, error: OSError) -> str:
    """As Go words a file that cannot be opened: "open /x: no such file or directory"."""
    return f"open {path}: {os.strerror(error.errno or 0).lower()}"


def environment(given: Options) -> list[str]:
    """NAME=value of --env-file and then -e; a bare NAME is taken from here, if it is set."""
    told = [line for path in given.get("env-file", []) for line in _lines(path)]
    variables = []
    for variable in told + given.get("env", []):
        if "=" in variable:
            variables.append(variable)
        elif variable in os.environ:
            variables.append(f"{variable}={os.environ[variable]}")
    return variables


def _lines(path: str) -> list[str]:
    """The lines of a file that say something: no comments, no empty ones."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise ClientError(opening(path, error)) from None
    told = [line.lstrip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    for line in told:
        name = line.partition("=")[0]
        if not name:
            raise ClientError(f"no variable name on line '{line}'")
        if " " in name.rstrip(" ") or name != name.strip():
            raise ClientError(f"variable '{name}' contains whitespaces")
    return told


def _labels(given: Options) -> dict[str, str]:
    told = [line for path in given.get("label-file", []) for line in _lines(path)]
    labels = {}
    for label in told + given.get("label", []):
        name, _, value = label.partition("=")
        labels[name] = value
    return labels
