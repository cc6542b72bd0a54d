"""The docker line that would make a container as it was asked for, from its container.json.

Shown by the pane under the hood and in the free lab; a pure function. What has no flag here yet is
left out, what is the default is not said.
  docker_line({"Name": "/ink", "Config": {"Image": "lab/base", "Cmd": ["hog", "200M"]},
               "HostConfig": {"Memory": 50331648}})
  == "docker run --name ink --memory 48m lab/base hog 200M"
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any


def docker_line(asked: Mapping[str, Any]) -> str:
    """`docker run …` of a container.json."""
    config: Mapping[str, Any] = asked.get("Config") or {}
    host: Mapping[str, Any] = asked.get("HostConfig") or {}
    words = ["docker", "run"]
    if not config.get("AttachStdout", True):
        words.append("-d")
    words += ["-it"] if config.get("Tty") and config.get("OpenStdin") else []
    words += ["--rm"] if host.get("AutoRemove") else []
    words += ["--name", str(asked.get("Name", "")).lstrip("/")]
    words += _limits(host)
    # Without a word about it a container here has no network, so "none" goes without saying.
    words += ["--network", "host"] if host.get("NetworkMode") == "host" else []
    for bind in host.get("Binds") or []:
        words += ["-v", str(bind)]
    words += ["--user", str(config["User"])] if config.get("User") else []
    own = host.get("ContainerLab") or {}
    words += ["--without", ",".join(own["Without"])] if own.get("Without") else []
    words += ["--unsafe"] if own.get("Unsafe") else []
    words.append(str(config.get("Image", "")))
    words += [str(word) for word in config.get("Cmd") or []]
    return " ".join(shlex.quote(word) for word in words)


def _limits(host: Mapping[str, Any]) -> list[str]:
    words: list[str] = []
    if host.get("Memory"):
        words += ["--memory", megabytes(host["Memory"])]
    if host.get("MemoryReservation"):
        words += ["--memory-reservation", megabytes(host["MemoryReservation"])]
    if host.get("NanoCpus"):
        words += ["--cpus", f"{host['NanoCpus'] / 1e9:g}"]
    if host.get("CpuShares"):
        words += ["--cpu-shares", str(host["CpuShares"])]
    if (host.get("PidsLimit") or 0) > 0:
        words += ["--pids-limit", str(host["PidsLimit"])]
    return words


def megabytes(count: int) -> str:
    """A size as one writes it after --memory: 48m, 2g, or plain bytes."""
    for letter, unit in (("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)):
        if count >= unit and count % unit == 0:
            return f"{count // unit}{letter}"
    return str(count)
