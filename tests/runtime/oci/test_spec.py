"""config.json judged: each mistake by its path, each thing not built by its name."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import Invalid, LabError, Unsupported
from runtime.oci import plan, spec
from tests.runtime.oci.bundles import config

MISSING = object()
MISTAKES: list[tuple[str, Any, str]] = [
    ("process", MISSING, "$.process: expected an object"),
    ("process", [], "$.process: expected an object"),
    ("process.args", MISSING, "$.process.args: expected an array"),
    ("process.args", [], "$.process.args: expected at least one argument"),
    ("process.args", ["sh", 3], "$.process.args[1]: expected a string"),
    ("process.args", ["a\0b"], "$.process.args[0]: a NUL byte cannot be passed on"),
    ("process.env", "PATH=/", "$.process.env: expected an array"),
    ("process.cwd", "tmp", "$.process.cwd: expected an absolute path"),
    ("process.cwd", MISSING, "$.process.cwd: expected a string"),
    ("process.user", {"uid": "root"}, "$.process.user.uid: expected a number"),
    ("process.user", {"uid": -1}, "$.process.user.uid: expected a number from 0"),
    ("process.user", {"gid": True}, "$.process.user.gid: expected a number"),
    ("process.capabilities", {"bounding": ["CAP_FLY"]},
     "$.process.capabilities.bounding[0]: unknown capability CAP_FLY"),
    ("process.rlimits", [{"type": "RLIMIT_X", "soft": 1, "hard": 1}],
     "$.process.rlimits[0].type: unknown 'RLIMIT_X'"),
    ("process.rlimits", [{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}],
     "$.process.rlimits[0].soft: 2 is above the hard limit 1"),
    ("process.rlimits", [{"type": "RLIMIT_CPU", "soft": 1, "hard": 1}] * 2,
     "$.process.rlimits[1].type: RLIMIT_CPU is there twice"),
    ("process.rlimits", [{"type": "RLIMIT_CPU", "hard": 1}],
     "$.process.rlimits[0].soft: expected a number"),
    ("root", MISSING, "$.root: expected an object"),
    ("root.path", 3, "$.root.path: expected a string"),
    ("mounts", {}, None),  # type: ignore[list-item]
    ("mounts", ["/proc"], "$.mounts[0]: expected an object"),
    ("mounts", [{"type": "proc"}], "$.mounts[0].destination: expected a string"),
    ("mounts", [{"destination": "x", "type": "proc"}],
     "$.mounts[0].destination: expected an absolute path"),
    ("mounts", [{"destination": "/x"}], "$.mounts[0].type: expected a string"),
    ("mounts", [{"destination": "/x", "type": "bind"}], "$.mounts[0].source: expected a string"),
    ("mounts", [{"destination": "/x", "type": "tmpfs", "options": [3]}],
     "$.mounts[0].options[0]: expected a string"),
    ("linux", "no", "$.linux: expected an object"),
    ("linux.namespaces", [{"type": "mount"}, {"type": "moon"}],
     "$.linux.namespaces[1].type: unknown 'moon'"),
    ("linux.namespaces", [{"type": "mount"}],
     "$.hostname: the host's, for the container has no uts namespace of its own"),
    ("domainname", 3, "$.domainname: expected a string"),
    ("linux.namespaces", [{"type": "mount"}, {"type": "mount"}],
     "$.linux.namespaces[1].type: mount is there twice"),
    ("linux.namespaces", [{"type": "mount"}, {"type": "user"}],
     "$.linux.uidMappings: a new user namespace needs it"),
    ("linux.uidMappings", [{"containerID": 0, "hostID": 0, "size": 1}],
     "$.linux.uidMappings: there is no new user namespace to map"),
    ("linux.timeOffsets", {"boottime": {"secs": 1}},
     "$.linux.timeOffsets: there is no new time namespace to set"),
    ("linux.devices", [{"path": "/dev/x", "type": "z"}], "$.linux.devices[0].type: unknown 'z'"),
    ("linux.devices", [{"path": "x", "type": "c"}],
     "$.linux.devices[0].path: expected an absolute path"),
    ("linux.rootfsPropagation", "odd", "$.linux.rootfsPropagation: unknown 'odd'"),
    ("linux.sysctl", {"kernel.panic": "0"},
     "$.linux.sysctl: kernel.panic belongs to no namespace, but to the host"),
    ("linux.sysctl", {"net/../kernel/panic": "0"},
     "$.linux.sysctl: net/../kernel/panic belongs to no namespace, but to the host"),
    ("linux.sysctl", {"kernel.shmmax2": "0"},
     "$.linux.sysctl: kernel.shmmax2 belongs to no namespace, but to the host"),
    ("linux.sysctl", {"net.ipv4.ip_forward": 1},
     "$.linux.sysctl.net.ipv4.ip_forward: expected a string"),
]
NOT_BUILT: list[tuple[str, Any, str]] = [
    ("hooks", {"prestart": [{"path": "/bin/true"}]}, "$.hooks"),
    ("linux.intelRdt", {"closID": "x"}, "$.linux.intelRdt"),
    ("linux.mountLabel", "x", "$.linux.mountLabel"),
    ("linux.personality", {"domain": "LINUX32"}, "$.linux.personality"),
    ("process.apparmorProfile", "docker-default", "$.process.apparmorProfile"),
    ("process.selinuxLabel", "x", "$.process.selinuxLabel"),
    ("process.scheduler", {"policy": "SCHED_FIFO"}, "$.process.scheduler"),
    ("process.ioPriority", {"class": "IOPRIO_CLASS_IDLE"}, "$.process.ioPriority"),
    ("windows", {"layerFolders": []}, "$.windows"),
    ("linux.namespaces", [{"type": "pid", "path": "/proc/1/ns/pid"}],
     "$.linux.namespaces[0].path"),
    ("linux.namespaces", [{"type": "pid"}], "$.linux.namespaces"),
    ("mounts", [{"destination": "/x", "type": "cgroup2", "source": "cgroup2"}],
     "$.mounts[0].type: cgroup2"),
    ("mounts", [{"destination": "/x", "type": "bind", "source": "/",
                 "options": ["bind", "idmap"]}], "$.mounts[0].options"),
    ("mounts", [{"destination": "/x", "type": "bind", "source": "/", "uidMappings": [{}]}],
     "$.mounts[0].uidMappings"),
]


def changed(path: str, value: Any) -> dict[str, Any]:
    """A good config.json with one thing put in its place, or taken away."""
    made = copy.deepcopy(config())
    where, keys = made, path.split(".")
    for key in keys[:-1]:
        where = where[key]
    if value is MISSING:
        del where[keys[-1]]
    else:
        where[keys[-1]] = value
    return made


def test_a_good_one_passes() -> None:
    spec.check(config())


@pytest.mark.parametrize(("path", "value", "message"), MISTAKES)
def test_a_mistake_by_its_path(path: str, value: Any, message: str | None) -> None:
    if message is None:
        spec.check(changed(path, value))  # an empty one is none
        return
    with pytest.raises(Invalid) as caught:
        spec.check(changed(path, value))
    assert caught.value.message == message


@pytest.mark.parametrize(("path", "value", "name"), NOT_BUILT)
def test_what_is_not_built_by_its_path(path: str, value: Any, name: str) -> None:
    with pytest.raises(Unsupported) as caught:
        spec.check(changed(path, value))
    assert caught.value.message.startswith(name)


@pytest.mark.parametrize(("kind", "name"), [("network", "net.ipv4.ip_forward"),
                                            ("ipc", "kernel.shmmax"), ("ipc", "fs.mqueue.msg_max"),
                                            ("uts", "kernel.domainname")])
def test_a_sysctl_needs_its_namespace(kind: str, name: str) -> None:
    made = changed("linux.sysctl", {name: "1"})
    spec.check(made)
    spec.check(changed("linux.sysctl", {name.replace(".", "/"): "1"}))
    made["linux"]["namespaces"] = [each for each in made["linux"]["namespaces"]
                                   if each["type"] != kind]
    with pytest.raises(Invalid, match=f"no {kind} namespace of its own"):
        spec.check(made)


@pytest.mark.parametrize("write", [
    lambda path: path.write_text('{"process": {"args"'), lambda path: path.write_bytes(b"\xff\xfe"),
    lambda path: path.write_text(""), lambda path: path.write_text("[]"),
    lambda path: path.mkdir()])
def test_a_bundle_that_cannot_be_read_is_one_line(
        tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "config.json")
    with pytest.raises((LabError, IsADirectoryError)) as caught:
        plan.load(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_bundle_without_config(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="it has no config.json"):
        plan.load(str(tmp_path))
