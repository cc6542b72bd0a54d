"""config.json judged: each mistake by its path, each thing not built by its name."""

from __future__ import annotations

import copy
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.seccomp_profile import default_profile
from runtime.errors import Invalid, LabError, Unsupported
from runtime.kernel import scheduling
from runtime.oci import plan, properties, seccomp, seccomp_compiler, spec
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
    ("process.user", {"uid": -1}, "$.process.user.uid: expected a number from 0 to 4294967294"),
    ("process.user", {"gid": True}, "$.process.user.gid: expected a number"),
    ("process.capabilities", {"bounding": [3]},
     "$.process.capabilities.bounding[0]: expected a string"),
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
    ("mounts", {}, "$.mounts: expected an array"),
    ("mounts", [], None),  # type: ignore[list-item]
    ("mounts", None, None),  # type: ignore[list-item]
    ("mounts", ["/proc"], "$.mounts[0]: expected an object"),
    ("mounts", [{"type": "proc"}], "$.mounts[0].destination: expected a string"),
    ("mounts", [{"destination": "", "type": "proc"}],
     "$.mounts[0].destination: expected a string that is not empty"),
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
     "$.linux.uidMappings: there is no user namespace to map"),
    ("linux.timeOffsets", {"boottime": {"secs": 1}},
     "$.linux.timeOffsets: there is no new time namespace to set"),
    ("linux.devices", [{"path": "/dev/x", "type": "z"}], "$.linux.devices[0].type: unknown 'z'"),
    ("linux.devices", [{"path": "x", "type": "c"}],
     "$.linux.devices[0].path: expected an absolute path"),
    ("linux.rootfsPropagation", "odd", "$.linux.rootfsPropagation: unknown 'odd'"),
    ("linux.sysctl", {"kernel.panic": "0"},
     "$.linux.sysctl: 'kernel.panic' belongs to no namespace, but to the host"),
    ("linux.sysctl", {"net/../kernel/panic": "0"},
     "$.linux.sysctl: 'net/../kernel/panic' belongs to no namespace, but to the host"),
    ("linux.sysctl", {"kernel.shmmax2": "0"},
     "$.linux.sysctl: 'kernel.shmmax2' belongs to no namespace, but to the host"),
    ("linux.sysctl", {"net.ipv4.ip_forward": 1},
     "$.linux.sysctl.net.ipv4.ip_forward: expected a string"),
]
PROCESS_MISTAKES: list[tuple[str, Any, str]] = [
    ("process.terminal", 1, "$.process.terminal: expected true or false"),
    ("process.consoleSize", {"height": 24}, "$.process.consoleSize.width: expected a number"),
    ("process.consoleSize", {"height": 24, "width": 65536},
     "$.process.consoleSize.width: expected a number from 0 to 65535"),
    ("process.user", {"uid": 4294967295},
     "$.process.user.uid: expected a number from 0 to 4294967294"),
    ("process.user", {"uid": 1.0}, "$.process.user.uid: expected a whole number"),
    ("process.user", {"additionalGids": [0, "wheel"]},
     "$.process.user.additionalGids[1]: expected a number"),
    ("process.user", {"umask": 8888}, "$.process.user.umask: expected a number from 0 to 4095"),
    ("process.env", ["PATH"], "$.process.env[0]: expected NAME=value"),
    ("process.env", ["A=b", "=b"], "$.process.env[1]: expected NAME=value"),
    ("process.env", ["A=\ud800"], "$.process.env[0]: half a character (a lone surrogate)"),
    ("process.env", ["A=\udcff"], None),  # type: ignore[list-item]  # a byte that is no UTF-8
    ("process.oomScoreAdj", 1001,
     "$.process.oomScoreAdj: expected a number from -1000 to 1000"),
    ("process.noNewPrivileges", "yes", "$.process.noNewPrivileges: expected true or false"),
    ("process.capabilities", ["CAP_KILL"], "$.process.capabilities: expected an object"),
    ("process.scheduler", {}, "$.process.scheduler.policy: expected a string"),
    ("process.scheduler", {"policy": "FIFO"}, "$.process.scheduler.policy: unknown 'FIFO'"),
    ("process.scheduler", {"policy": "SCHED_OTHER", "nice": 20},
     "$.process.scheduler.nice: expected a number from -20 to 19"),
    ("process.scheduler", {"policy": "SCHED_OTHER", "priority": 1},
     "$.process.scheduler.priority: only SCHED_FIFO and SCHED_RR have one"),
    ("process.scheduler", {"policy": "SCHED_FIFO", "period": 1},
     "$.process.scheduler.period: only SCHED_DEADLINE has one"),
    ("process.scheduler", {"policy": "SCHED_FIFO", "flags": ["SCHED_FLAG_X"]},
     "$.process.scheduler.flags[0]: unknown 'SCHED_FLAG_X'"),
    ("process.ioPriority", {"class": "IOPRIO_CLASS_BE"},
     "$.process.ioPriority.priority: expected a number"),
    ("process.ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": 8},
     "$.process.ioPriority.priority: expected a number from 0 to 7"),
    ("process.execCPUAffinity", {"initial": "0-x"},
     "$.process.execCPUAffinity.initial: expected CPUs, as in 0-3,7"),
    ("process.execCPUAffinity", {"final": "3-1"},
     "$.process.execCPUAffinity.final: expected CPUs, as in 0-3,7"),
    ("process.rlimits", [{"type": "RLIMIT_CPU", "soft": 1 << 64, "hard": 1}],
     "$.process.rlimits[0].soft: expected a number from -1 to 18446744073709551615"),
]
LINUX_MISTAKES: list[tuple[str, Any, str]] = [
    ("ociVersion", MISSING, "$.ociVersion: expected a string"),
    ("ociVersion", "2.0.0", "$.ociVersion: '2.0.0' is a version to come"),
    ("ociVersion", "one", "$.ociVersion: 'one' is no version, as 1.2.0 is one"),
    ("ociVersion", "1.0.2-dev", None),  # type: ignore[list-item]
    ("ociVersion", "1.1.0+dev", None),  # type: ignore[list-item]
    ("annotations", {"a": 1}, "$.annotations.a: expected a string"),
    ("annotations", {"a\nb": 1}, "$.annotations.'a\\nb': expected a string"),
    ("root.readonly", "no", "$.root.readonly: expected true or false"),
    ("hostname", "x" * 65, "$.hostname: longer than the 64 bytes the kernel takes"),
    ("hooks", {"prestart": [{}]}, "$.hooks.prestart[0].path: expected a string"),
    ("hooks", {"poststop": [{"path": "sh"}]},
     "$.hooks.poststop[0].path: expected an absolute path"),
    ("hooks", {"prestart": [{"path": "/x", "timeout": 0}]},
     "$.hooks.prestart[0].timeout: expected a number from 1 to 2147483647"),
    ("hooks", {"createRuntime": [{"path": "/x", "args": "x"}]},
     "$.hooks.createRuntime[0].args: expected an array"),
    ("linux.namespaces", [{"type": "mount", "path": "ns"}],
     "$.linux.namespaces[0].path: expected an absolute path"),
    ("linux.devices", [{"path": "/dev/x", "type": "c"}],
     "$.linux.devices[0].major: expected a number"),
    ("linux.devices", [{"path": "/dev/x", "type": "c", "major": 4096, "minor": 0}],
     "$.linux.devices[0].major: expected a number from 0 to 4095"),
    ("linux.timeOffsets", {"realtime": 3}, "$.linux.timeOffsets: there is no new time namespace "
     "to set"),
    ("linux.maskedPaths", ["proc"], "$.linux.maskedPaths[0]: expected an absolute path"),
    ("linux.resources", {"memory": {"limit": "1g"}},
     "$.linux.resources.memory.limit: expected a number"),
    ("linux.resources", {"memory": {"disableOOMKiller": 1}},
     "$.linux.resources.memory.disableOOMKiller: expected true or false"),
    ("linux.resources", {"unified": {"memory.max": 5}},
     "$.linux.resources.unified.memory.max: expected a string"),
    ("linux.resources", {"devices": [{"allow": True, "type": "d"}]},
     "$.linux.resources.devices[0].type: unknown 'd'"),
    ("linux.sysctl", {"kernel.hostname": "x"},
     '$.linux.sysctl: "kernel.hostname" is not allowed as it conflicts with the OCI "hostname" '
     'field'),
    ("linux.personality", {"domain": "BSD"}, "$.linux.personality.domain: unknown 'BSD'"),
    ("linux.seccomp", {"defaultAction": "SCMP_ACT_MAYBE"},
     "$.linux.seccomp.defaultAction: unknown 'SCMP_ACT_MAYBE'"),
    ("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1},
     "$.linux.seccomp.defaultErrnoRet: SCMP_ACT_ALLOW has no number to answer with"),
    ("linux.seccomp", {"defaultAction": "SCMP_ACT_NOTIFY"},
     "$.linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be used as default action"),
    ("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_Z80"]},
     "$.linux.seccomp.architectures[0]: unknown 'SCMP_ARCH_Z80'"),
    ("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW", "listenerMetadata": "x"},
     "$.linux.seccomp.listenerMetadata: there is no listenerPath to send it to"),
]
RULE_MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"names": []}, "names: expected at least one name"),
    ({"action": None}, "action: expected a string"),
    ({"errnoRet": 1, "action": "SCMP_ACT_ALLOW"},
     "errnoRet: SCMP_ACT_ALLOW has no number to answer with"),
    ({"errnoRet": 65536}, "errnoRet: expected a number from 0 to 65535"),
    ({"errnoRet": 4096}, "errnoRet: expected a number from 0 to 4095"),
    ({"names": ["read", "write"], "action": "SCMP_ACT_NOTIFY"},
     "names: SCMP_ACT_NOTIFY cannot be used for the write syscall"),
    ({"args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]},
     "args[0].index: expected a number from 0 to 5"),
    ({"args": [{"index": 0, "value": -1, "op": "SCMP_CMP_EQ"}]},
     "args[0].value: expected a number from 0 to 18446744073709551615"),
    ({"args": [{"index": 0, "value": 0, "op": "=="}]}, "args[0].op: unknown '=='"),
]
NOT_BUILT: list[tuple[str, Any, str]] = [
    ("linux.intelRdt", {"closID": "x"}, "$.linux.intelRdt: "),
    ("linux.netDevices", {"eth0": {}}, "$.linux.netDevices: "),
    ("linux.memoryPolicy", {"mode": "x"}, "$.linux.memoryPolicy: "),
    ("linux.mountLabel", "x", "$.linux.mountLabel: "),
    ("linux.personality", {"domain": "LINUX", "flags": ["X"]}, "$.linux.personality.flags[0]: "),
    ("process.apparmorProfile", "docker-default", "$.process.apparmorProfile: "),
    ("process.selinuxLabel", "x", "$.process.selinuxLabel: "),
    ("process.scheduler", {"policy": "SCHED_ISO"}, "$.process.scheduler.policy: "),
    ("process.scheduler", {"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_UTIL_CLAMP_MIN"]},
     "$.process.scheduler.flags[0]: "),
    ("windows", {"layerFolders": []}, "$.windows: "),
    ("linux.namespaces", [{"type": "pid"}], "$.linux.namespaces: "),
    ("mounts", [{"destination": "/x", "source": "/", "options": ["bind", "size=1"]}],
     "$.mounts[0].options: "),
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


def test_every_kind_of_thing_passes() -> None:
    made = config()
    made["x-ours"] = {"kept": [1]}
    made["annotations"] = {"": ""}
    made["hooks"] = {"prestart": [{"path": "/bin/true", "args": ["true"], "timeout": 3}],
                     "poststop": None}
    made["process"].update(
        consoleSize={"height": 24, "width": 80}, scheduler={"policy": "SCHED_RR", "priority": 5},
        ioPriority={"class": "IOPRIO_CLASS_IDLE", "priority": 7}, apparmorProfile="unconfined",
        execCPUAffinity={"initial": "0-1,3", "final": ""})
    made["linux"].update(
        personality={"domain": "LINUX32"}, resources={"rdma": {"mlx5_1": {"hcaHandles": 3}}},
        seccomp={"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x", "listenerMetadata": "",
                 "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"], "syscalls": [
                     {"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]})
    spec.check(made)


def test_the_words_are_those_of_the_code_that_acts_on_them() -> None:
    assert set(properties.ACTIONS) == set(seccomp_compiler.ACTIONS)
    flags = properties.SECCOMP["flags"]
    assert set(flags[0]) == set(seccomp.FLAGS)  # type: ignore[index]
    assert set(properties.POLICIES) - {"SCHED_ISO"} == set(scheduling.POLICIES)
    assert set(scheduling.SCHED_FLAGS) < set(properties.SCHEDULER_FLAGS)
    assert set(seccomp_compiler.LISTED) < set(properties.ARCHITECTURES)


@pytest.mark.parametrize(("change", "message"), RULE_MISTAKES)
def test_a_mistake_in_a_filter(change: dict[str, Any], message: str) -> None:
    rule = {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", **change}
    with pytest.raises(Invalid) as caught:
        spec.check(changed("linux.seccomp", {"defaultAction": "SCMP_ACT_ALLOW",
                                             "syscalls": [rule]}))
    assert caught.value.message == f"$.linux.seccomp.syscalls[0].{message}"


@pytest.mark.parametrize(("path", "value", "message"),
                         MISTAKES + PROCESS_MISTAKES + LINUX_MISTAKES)
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


@pytest.mark.parametrize(("text", "wanted"), [
    ("", []), ("0", [0]), ("0-3,7", [0, 1, 2, 3, 7]), ("2, 4", [2, 4]), (",1,", [1])])
def test_a_list_of_cpus(text: str, wanted: list[int]) -> None:
    assert spec.cpus(text, "$") == wanted


def test_a_null_is_taken_away() -> None:
    made = changed("process.user", {"uid": None, "gid": 5})
    made["linux"]["seccomp"], made["x-ours"] = None, None
    spec.check(made)
    assert made["process"]["user"] == {"gid": 5} and "seccomp" not in made["linux"]
    assert "x-ours" in made, "what is not the specification's is left alone"


def test_it_is_fast() -> None:
    """On the way of every start: some 0.2 ms for Docker's config.json; the rest is head room."""
    made = config()
    made["linux"]["seccomp"] = default_profile(made["process"]["capabilities"]["bounding"])
    spec.check(made)
    assert min(timeit.repeat(lambda: spec.check(made), number=1, repeat=50)) < 0.002


def test_a_process_by_itself_as_exec_is_given_it() -> None:
    spec.check_process({"args": ["sh"], "cwd": "/"})
    with pytest.raises(Invalid, match=r"^\$\.process\.cwd: expected a string$"):
        spec.check_process({"args": ["sh"]})
