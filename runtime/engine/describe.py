"""inspect: all that is known of a container, in Docker's document.

Runs in the engine. container.json holds what was asked for; the fields nobody asked for get here
the values Docker shows for them. Source: Docker Engine API, GET /containers/{id}/json.
"""

from __future__ import annotations

from runtime.engine import defaults, resources, spec, store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.engine.engine import Engine
    from runtime.engine.containers import Container

# Docker's zero values; a request's own stand over them.
HOST: dict[str, Any] = {
    "Binds": None, "ContainerIDFile": "", "LogConfig": {"Type": "json-file", "Config": {}},
    "NetworkMode": "none", "PortBindings": {},
    "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "AutoRemove": False,
    "VolumeDriver": "", "VolumesFrom": None, "ConsoleSize": [0, 0], "CapAdd": None,
    "CapDrop": None, "CgroupnsMode": "private", "Dns": [], "DnsOptions": [], "DnsSearch": [],
    "ExtraHosts": None, "GroupAdd": None, "IpcMode": "private", "Cgroup": "", "Links": None,
    "OomScoreAdj": 0, "PidMode": "", "Privileged": False, "PublishAllPorts": False,
    "ReadonlyRootfs": False, "SecurityOpt": None, "UTSMode": "", "UsernsMode": "",
    "ShmSize": defaults.SHM_SIZE_BYTES, "Runtime": "container-lab", "Isolation": "",
    "CpuShares": 0, "Memory": 0, "NanoCpus": 0, "CgroupParent": "", "BlkioWeight": 0,
    "BlkioWeightDevice": [], "BlkioDeviceReadBps": [], "BlkioDeviceWriteBps": [],
    "BlkioDeviceReadIOps": [], "BlkioDeviceWriteIOps": [], "CpuPeriod": 0, "CpuQuota": 0,
    "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0, "CpusetCpus": "", "CpusetMems": "",
    "Devices": [], "DeviceCgroupRules": None, "DeviceRequests": None, "MemoryReservation": 0,
    "MemorySwap": 0, "MemorySwappiness": None, "OomKillDisable": False, "PidsLimit": None,
    "Ulimits": [], "CpuCount": 0, "CpuPercent": 0, "IOMaximumIOps": 0, "IOMaximumBandwidth": 0,
}
CONFIG: dict[str, Any] = {
    "Hostname": "", "Domainname": "", "User": "", "AttachStdin": False, "AttachStdout": False,
    "AttachStderr": False, "Tty": False, "OpenStdin": False, "StdinOnce": False, "Env": None,
    "Cmd": None, "Image": "", "Volumes": None, "WorkingDir": "", "Entrypoint": None,
    "OnBuild": None, "Labels": {},
}
ADDRESSES: dict[str, Any] = {
    "EndpointID": "", "Gateway": "", "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0,
    "IPAddress": "", "IPPrefixLen": 0, "IPv6Gateway": "", "MacAddress": "",
}


def container(engine: Engine, it: Container) -> dict[str, Any]:
    """The document."""
    config, state = it.config, it.state
    return {
        "Id": it.id, "Created": config["Created"], "Path": config["Path"], "Args": config["Args"],
        "State": described_state(state), "Image": config["Image"],
        "ResolvConfPath": f"{it.directory}/resolv.conf", "HostnamePath": f"{it.directory}/hostname",
        "HostsPath": f"{it.directory}/hosts",
        "LogPath": it.log_path if state["StartedAt"] != store.ZERO_TIME else "",
        "Name": config["Name"], "RestartCount": 0, "Driver": "overlay2", "Platform": "linux",
        "MountLabel": "", "ProcessLabel": "", "AppArmorProfile": "", "ExecIDs": None,
        "HostConfig": host_config(config["HostConfig"]),
        "GraphDriver": {"Name": "overlay2", "Data": {
            "ID": it.id, "LowerDir": ":".join(reversed(config["Layers"])),
            "MergedDir": f"{it.directory}/rootfs", "UpperDir": f"{it.directory}/upper",
            "WorkDir": f"{it.directory}/work"}},
        "Mounts": mounts(config["HostConfig"]), "Config": {**CONFIG, **config["Config"]},
        "NetworkSettings": network_settings(config["HostConfig"].get("NetworkMode") or "none"),
    }


def described_state(state: dict[str, Any]) -> dict[str, Any]:
    """Docker's State: its eleven fields, whatever else we keep."""
    status = state["Status"]
    return {
        "Status": status, "Running": status in store.LIVE, "Paused": status == "paused",
        "Restarting": False, "OOMKilled": state["OOMKilled"], "Dead": status == "dead",
        "Pid": state["Pid"], "ExitCode": state["ExitCode"], "Error": state["Error"],
        "StartedAt": state["StartedAt"] or store.ZERO_TIME,
        "FinishedAt": state["FinishedAt"] or store.ZERO_TIME,
    }


def host_config(host: dict[str, Any]) -> dict[str, Any]:
    """Docker's HostConfig, whole."""
    privileged = bool(host.get("Privileged"))
    given = {key: value for key, value in host.items()
             if not (value in (None, "", []) and HOST.get(key))}
    made = {**HOST, **given, "MemorySwap": resources.swap_limit(host),
            "MaskedPaths": None if privileged else defaults.MASKED_PATHS,
            "ReadonlyPaths": None if privileged else defaults.READONLY_PATHS}
    if "masks" in ((host.get("ContainerLab") or {}).get("Without") or []):
        made["MaskedPaths"] = made["ReadonlyPaths"] = []
    for field in ("CapAdd", "CapDrop"):
        if made[field]:
            made[field] = sorted(spec.capability_names(host, field))
    return made


def mounts(host: dict[str, Any]) -> list[dict[str, Any]]:
    """Docker's Mounts: what the user mounted, not what every container has."""
    made = []
    for text in host.get("Binds") or []:
        source, destination, options = spec.parse_bind(text)
        propagation = [each for each in options if each.endswith(("private", "shared", "slave"))]
        mode = [each for each in options if each not in propagation]
        made.append({"Type": "bind", "Source": source, "Destination": destination,
                     "Mode": ",".join(mode), "RW": "ro" not in options,
                     "Propagation": propagation[0] if propagation else "rprivate"})
    return made


def network_settings(mode: str) -> dict[str, Any]:
    """Docker's NetworkSettings of a container with no address."""
    endpoint = {"IPAMConfig": None, "Links": None, "Aliases": None, "MacAddress": "",
                "DriverOpts": None, "GwPriority": 0, "NetworkID": "", "DNSNames": None,
                **ADDRESSES}
    return {"Bridge": "", "SandboxID": "", "SandboxKey": "", "Ports": {}, "HairpinMode": False,
            "LinkLocalIPv6Address": "", "LinkLocalIPv6PrefixLen": 0,
            "SecondaryIPAddresses": None, "SecondaryIPv6Addresses": None, **ADDRESSES,
            "Networks": {mode: endpoint}}
