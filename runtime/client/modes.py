"""Flags that choose among kinds: namespaces of the host, restart policy, log driver, runtime.

For most of them only some kinds are built. A kind that Docker has is then refused by name, one that
nobody has is refused in Docker's words, as a mistake of the command line (ClientError) or of its
daemon (Invalid). Runs in `run` and `create`.

    host_fields({"pid": "host"}) → {"PidMode": "host"}

Sources: docker/cli container/opts.go, moby container/hostconfig_unix.go, daemon/container.go.
"""

from __future__ import annotations

from runtime.client.options import ClientError
from runtime.errors import Invalid, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.client.options import Options

# flag → field, what is built, what Docker has besides, and its words for anything else.
NAMESPACES = {
    "pid": ("PidMode", ("host",), (), "--pid: invalid PID mode"),
    "ipc": ("IpcMode", ("host", "private"), ("shareable", "none"), ""),
    "uts": ("UTSMode", ("host",), (), "--uts: invalid UTS mode"),
    "cgroupns": ("CgroupnsMode", ("host", "private"), (), "--cgroupns: invalid CGROUP mode"),
    # The host's is what a container has anyway, as long as user namespaces are not built.
    "userns": ("UsernsMode", ("host",), (), "--userns: invalid USER mode"),
}
POLICIES = ("always", "on-failure", "unless-stopped")
LOG_DRIVERS = ("none", "local", "syslog", "journald", "gelf", "fluentd", "awslogs", "splunk",
               "etwlogs", "gcplogs")
LOG_OPTIONS = ("max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex",
               "tag", "mode", "max-buffer-size")


def host_fields(given: Options) -> dict[str, Any]:
    """The fields of HostConfig that these flags fill."""
    fields: dict[str, Any] = {}
    for flag, (field, built, later, message) in NAMESPACES.items():
        mode = given.get(flag, "")
        if not mode:
            continue
        if mode in later or mode.startswith("container:") and flag in ("pid", "ipc"):
            raise _later(f"--{flag} {mode}")
        if mode not in built:
            raise ClientError(message) if message else Invalid(f"invalid IPC mode: {mode}")
        fields[field] = mode
    if fields.get("UTSMode") == "host" and given.get("hostname"):
        raise Invalid("conflicting options: hostname and the UTS mode")
    if given.get("runtime"):
        fields["Runtime"] = given["runtime"]
    _restart(given.get("restart", ""))
    _others(given)
    return fields


def _later(what: str) -> Unsupported:
    return Unsupported(f"{what} is not built yet", exit_code=125)


def _restart(policy: str) -> None:
    """Only "no" is built; it is also what everyone gets."""
    name, colon, count = policy.partition(":")
    if colon and not count.lstrip("-").isdigit():
        raise ClientError("invalid restart policy format: maximum retry count must be an integer")
    if name in POLICIES:
        raise _later(f"--restart {policy}")
    if name not in ("", "no"):
        raise Invalid(f"invalid restart policy: unknown policy '{name}'; use one of 'no', "
                      "'always', 'on-failure', or 'unless-stopped'")


def _others(given: Options) -> None:
    isolation, driver = given.get("isolation", ""), given.get("log-driver", "")
    if isolation not in ("", "default"):
        raise Invalid(f"invalid isolation ({isolation}): linux only supports 'default'")
    if driver in LOG_DRIVERS:
        raise _later(f"--log-driver {driver}")
    if driver not in ("", "json-file"):
        raise Invalid(f"logger: no log driver named '{driver}' is registered")
    for option in given.get("log-opt", []):
        name = option.partition("=")[0]
        if name in LOG_OPTIONS:
            raise _later(f"--log-opt {name}")
        raise Invalid(f"unknown log opt '{name}' for json-file log driver")
