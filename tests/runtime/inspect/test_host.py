"""The doctor on recorded hosts, in every state a student may meet, and on this one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.inspect import probes
from runtime.inspect.facts import MISSING, OK, PARTLY
from runtime.inspect.host import Report, doctor
from runtime.inspect.requirements import requirement
from runtime.inspect.source import Live, Recording, record
from runtime.inspect.surroundings import Surroundings

REPOSITORY = Path(__file__).resolve().parents[3]
EPERM, EACCES, ENODEV, EOPNOTSUPP = 1, 13, 19, 95
KINDS = ("mnt", "pid", "net", "uts", "ipc", "cgroup", "user", "time")
ALL_WELL = {f"unshare {kind}": 0 for kind in KINDS} | {
    "userns mount": 0, "overlay": 0, "overlay userxattr": 0, "nft": 0, "link veth": 0,
    "link bridge": 0, "link macvlan": 0, "docker": 0}
ROOT = Surroundings(
    uid=0, user="root", machine="x86_64", search=("/usr/bin", "/usr/sbin"), terminal=True,
    columns=80, lines=24, colours=256, utf8=True, python=(3, 11, 7),
    packages=("textual", "rich", "psutil", "pyroute2"), root_parent="/var/lib",
    root_writable=True, root_free_bytes=20 << 30)
ANN = replace(ROOT, uid=1000, user="ann", root_writable=False)

Examine = Callable[..., Report]


def examine(host: Recording, around: Surroundings = ROOT,
            tried: dict[str, int] | None = None) -> Report:
    """The doctor's report on a recorded host, as root unless told otherwise."""
    return doctor(host, "/var/lib/container-lab", ALL_WELL if tried is None else tried, around)


def changed(host: Recording, files: dict[str, Any]) -> Recording:
    return host.changed(files)


def test_a_v1_host_with_root_can_run_and_lacks_only_what_is_v2(v1_host: Recording) -> None:
    report = examine(v1_host)
    assert report.can_run and report.hindrances == ()
    assert report.item("cgroups").found == (
        "hybrid (controllers on cgroup v1): memory cpu pids cpuset io; writable")
    assert report.item("cgroups").state == OK
    assert report.requirement("cgroup:memory").met and report.requirement("cgroup:io").met
    unmet = report.requirement("cgroup2:memory")
    assert unmet.reason == "the memory controller is on cgroup v1 here"
    assert "cgroup_no_v1=all" in unmet.command and not unmet.met


def test_a_v2_host_meets_both_words(v2_host: Recording) -> None:
    report = examine(v2_host)
    assert report.item("cgroups").found.startswith("cgroup v2: memory cpu pids")
    for slug in ("cgroup:memory", "cgroup2:memory", "cgroup2:io", "cgroup:freezer"):
        assert report.requirement(slug).met, slug


def test_controllers_that_the_kernel_keeps_back(v2_host: Recording) -> None:
    less = changed(v2_host, {"/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io pids\n"})
    item = examine(less).item("cgroups")
    assert item.state == PARTLY and item.reason == "the kernel does not offer memory"
    assert "GRUB_CMDLINE_LINUX" in item.command and "cgroup_enable=memory" in item.command
    assert not examine(less).requirement("cgroup:memory").met


def test_a_read_only_cgroup_tree_as_inside_a_container(v2_host: Recording) -> None:
    table = v2_host.read("/proc/self/mountinfo").replace(
        "/ /sys/fs/cgroup rw,", "/ /sys/fs/cgroup ro,")
    item = examine(changed(v2_host, {"/proc/self/mountinfo": table})).item("cgroups")
    assert item.state == PARTLY and "mounted read-only" in item.reason


def test_no_cgroups_at_all(v2_host: Recording) -> None:
    table = "22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw\n"
    report = examine(changed(v2_host, {"/proc/self/mountinfo": table}))
    assert report.item("cgroups").state == MISSING and report.can_run
    assert report.item("cgroups").command == "sudo mount -t cgroup2 none /sys/fs/cgroup"


def test_a_user_without_root_is_told_what_works(v2_host: Recording) -> None:
    report = examine(v2_host, ANN)
    assert not report.can_run
    assert [item.name for item in report.hindrances] == ["state"]
    assert report.item("root").command == "sudo container-lab"
    assert "run rootless" in report.item("root").found
    # systemd delegated memory and pids to this session, and not cpu.
    assert report.requirement("cgroup:memory").met
    assert not report.requirement("cgroup:cpu").met
    assert report.unmet(["cgroup:memory"])[0].slug == "containers"


def test_root_without_its_capabilities_is_no_root(v2_host: Recording) -> None:
    status = "Uid:\t0\t0\t0\t0\nCapEff:\t00000000a80425fb\nSeccomp:\t2\n"
    report = examine(changed(v2_host, {"/proc/self/status": status}))
    assert report.item("root").state == MISSING and "SYS_ADMIN" in report.item("root").found


def test_apparmor_on_ubuntu_is_named_with_its_switch(v2_host: Recording) -> None:
    tried = ALL_WELL | {"userns mount": EACCES, "overlay": EACCES}
    report = examine(v2_host, ANN, tried)
    user = report.requirement("userns")
    assert not user.met and "AppArmor" in user.reason
    assert user.command == "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    assert report.item("overlay").state == MISSING
    assert report.item("mnt").state == MISSING


@pytest.mark.parametrize(("path", "value", "command"), [
    ("/proc/sys/user/max_user_namespaces", "0\n",
     "sudo sysctl -w user.max_user_namespaces=10000"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0\n",
     "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
])
def test_switches_that_forbid_user_namespaces(
        v2_host: Recording, path: str, value: str, command: str) -> None:
    tried = ALL_WELL | {"userns mount": EPERM, "unshare user": EPERM}
    answer = examine(changed(v2_host, {path: value}), ANN, tried).requirement("userns")
    assert not answer.met and answer.command == command


def test_a_kernel_without_a_kind_of_namespace(v2_host: Recording) -> None:
    old = changed(v2_host, {"/proc/self/ns/time": None})
    report = examine(old)
    assert report.item("time").state == MISSING and report.can_run
    assert not report.requirement("timens").met
    assert not examine(changed(v2_host, {"/proc/self/ns/pid": None})).can_run


def test_old_kernels(v2_host: Recording) -> None:
    states = {version: examine(changed(v2_host, {"/proc/sys/kernel/osrelease": version}))
              .item("kernel").state for version in ("4.18.0-1.el8\n", "5.4.0\n", "6.1.0\n")}
    assert list(states.values()) == [MISSING, PARTLY, OK]


def test_overlay_missing_and_the_command_that_brings_it(
        v1_host: Recording, v2_host: Recording) -> None:
    without = {"/proc/filesystems": "nodev\tproc\n"}
    tried = ALL_WELL | {"overlay": ENODEV}
    assert examine(changed(v2_host, without), tried=tried).item("overlay").command == (
        "sudo modprobe overlay")
    no_modules = examine(changed(v1_host, without), tried=tried)
    assert "built in" in no_modules.item("overlay").command and not no_modules.can_run


def test_links_that_the_kernel_lacks(v2_host: Recording) -> None:
    tried = ALL_WELL | {"link macvlan": EOPNOTSUPP, "nft": EOPNOTSUPP}
    report = examine(v2_host, tried=tried)
    assert not report.requirement("net:macvlan").met and not report.requirement("nft").met
    assert report.requirement("net:macvlan").command == "sudo modprobe macvlan"
    assert report.item("network").state == PARTLY and report.can_run


def test_swap_docker_and_a_block_device(v1_host: Recording, v2_host: Recording) -> None:
    assert examine(v2_host).requirement("swap").met
    assert not examine(v1_host).requirement("swap").met
    assert "mkswap" in examine(v1_host).requirement("swap").command
    assert examine(v2_host).requirement("docker").met
    assert not examine(v2_host, tried=ALL_WELL | {"docker": 111}).requirement("docker").met
    assert examine(v2_host).requirement("blockdev").met


def test_in_the_labs_own_shell_docker_is_us_and_does_not_count(v1_host: Recording) -> None:
    ours = changed(v1_host, {"/usr/bin/docker": {"link": "/opt/venv/bin/container-lab"}})
    assert examine(ours).item("Docker").found == "not installed"


def test_commands_are_those_of_the_distribution(v2_host: Recording) -> None:
    assert examine(v2_host).item("QEMU").command == "sudo apt install qemu-system-x86"
    fedora = changed(v2_host, {"/etc/os-release": 'ID=fedora\nPRETTY_NAME="Fedora 41"\n'})
    assert examine(fedora).item("QEMU").command == "sudo dnf install qemu-kvm"
    unknown = changed(v2_host, {"/etc/os-release": None})
    assert examine(unknown).item("QEMU").command == "install qemu-system-x86"
    assert examine(unknown).item("distribution").state == PARTLY


@pytest.mark.parametrize(("different", "name", "state"), [
    ({"terminal": False}, "terminal", PARTLY), ({"columns": 60}, "terminal", PARTLY),
    ({"utf8": False}, "terminal", PARTLY), ({"colours": 1 << 24}, "terminal", OK),
    ({"python": (3, 10, 1)}, "Python", MISSING), ({"packages": ("rich",)}, "Python", PARTLY),
    ({"root_free_bytes": 1 << 20}, "state", MISSING),
    ({"root_free_bytes": 500 << 20}, "state", PARTLY), ({"root_writable": False}, "state", MISSING),
])
def test_the_users_side(v2_host: Recording, different: dict[str, Any], name: str,
                        state: str) -> None:
    item = examine(v2_host, replace(ROOT, **different)).item(name)
    assert item.state == state and (state == OK or item.reason and item.command)


def test_a_state_directory_on_overlay_cannot_hold_upper_layers(v2_host: Recording) -> None:
    table = v2_host.read("/proc/self/mountinfo") + (
        "90 22 0:50 / /var/lib rw - overlay overlay rw,lowerdir=/a\n")
    item = examine(changed(v2_host, {"/proc/self/mountinfo": table})).item("state")
    assert item.state == PARTLY and "overlay directory as its upper layer" in item.reason


def test_rootless_says_what_is_lacking(v2_host: Recording) -> None:
    report = examine(v2_host, ANN)
    assert report.item("rootless").state == OK
    lacking = report.item("sub-ids")
    assert lacking.state == PARTLY and lacking.found == "no newuidmap"
    assert lacking.command == "sudo apt install uidmap"
    lacking = report.item("delegation")
    assert lacking.state == PARTLY and lacking.found == (
        "a group of your own, without cpu cpuset io")
    assert "Delegate=cpu cpuset io memory pids" in lacking.command
    none = changed(v2_host, {"/etc/subuid": "", "/usr/bin/newuidmap": "", "/usr/bin/newgidmap": ""})
    assert examine(none, ANN).item("sub-ids").command == (
        "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ann")


def test_three_ways_without_root(v1_host: Recording, v2_host: Recording) -> None:
    """Rootless where a user namespace with an overlay can be had; else sudo; else only reading."""
    home = replace(ANN, root_parent="/home/ann", root_writable=True)
    report = examine(v2_host, home)
    assert report.can_run and report.way.kind == "rootless"
    assert "see sub-ids and delegation" in report.way.sentence
    assert [each.slug for each in report.unmet([])] == ["root"]
    limits = examine(v1_host, home).item("delegation")
    assert limits.state == MISSING and "cgroup v2 only" in limits.found
    assert "systemd.unified_cgroup_hierarchy=1" in limits.command
    tried = ALL_WELL | {"userns mount": EACCES, "overlay userxattr": EACCES}
    sudo = examine(changed(v2_host, {"/usr/bin/sudo": ""}), home, tried)
    assert not sudo.can_run and sudo.way.kind == "sudo"
    assert "sudo container-lab" in sudo.way.sentence
    without = replace(home, search=("/nowhere",))
    assert examine(v2_host, without, tried).way.kind == "replay"
    assert examine(v2_host).way.kind == "root"


def test_every_answer_that_is_not_ok_gives_a_reason_and_a_command(host: Recording) -> None:
    worst = dict.fromkeys(ALL_WELL, EPERM)
    for report in (examine(host), examine(host, ANN), examine(host, ANN, worst),
                   examine(host, tried={})):
        for item in report.items:
            assert item.state == OK or item.reason and (
                item.command or item.name == "distribution"), item
        for answer in report.capabilities.values():
            assert answer.met or answer.reason, answer
            assert not answer.met or not answer.command


def test_an_empty_host_does_not_break_the_doctor() -> None:
    report = doctor(Recording({}), "/x", {}, ANN)
    assert not report.can_run
    assert json.loads(json.dumps(report.to_data()))["can_run"] is False


def test_a_word_that_no_doctor_knows_is_unmet(host: Recording) -> None:
    assert examine(host).requirement("quantum").reason == "this version does not know it"


# ------------------------------------------------------------------ on this host


LEAVES_NOTHING = """
import os, sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from runtime.inspect.host import doctor
from runtime.inspect.source import Live
def objects():
    groups = [n for _, folders, _ in os.walk("/sys/fs/cgroup") for n in folders
              if n.startswith("container-lab-probe")]
    return (Path("/proc/self/mountinfo").read_text(), Path("/proc/net/dev").read_text(), groups,
            sorted(os.listdir(os.environ["TMPDIR"])))
before = objects()
report = doctor(Live())
assert objects() == before, (objects(), before)
assert report.requirement("overlay").met
"""


@pytest.mark.kernel
def test_trying_leaves_no_mount_no_link_no_group(tmp_path: Path) -> None:
    """In a mount and a network namespace of its own, where nobody else changes anything.

    The mounts there are shared, as under systemd: what a probe forgot to make private would show.
    """
    script = 'mount -t tmpfs t "$TMPDIR" && mount --make-rshared / && exec "$@"'
    subprocess.run(["unshare", "--mount", "--net", "sh", "-c", script, "sh", sys.executable, "-c",
                    LEAVES_NOTHING, str(REPOSITORY)],
                   env={**os.environ, "TMPDIR": str(tmp_path)}, check=True)


@pytest.mark.kernel
def test_this_host_as_root() -> None:
    report = doctor(Live(), "/var/lib/container-lab")
    assert report.item("kernel").found.startswith(f"Linux {os.uname().release}")
    assert report.requirement("root").met
    with_lsns = {kind for kind in KINDS if os.path.exists(f"/proc/self/ns/{kind}")}
    assert {kind for kind in KINDS if report.item(kind).state == OK} <= with_lsns


@pytest.mark.kernel
def test_probes_agree_with_unshare() -> None:
    tried = probes.attempts([], "/nowhere/docker.sock")
    words = {"mnt": "mount", "pid": "pid", "net": "net", "uts": "uts", "ipc": "ipc",
             "cgroup": "cgroup", "user": "user", "time": "time"}
    for kind, word in words.items():
        theirs = subprocess.run(["unshare", f"--{word}", "true"], capture_output=True).returncode
        assert (tried[f"unshare {kind}"] == 0) == (theirs == 0), kind
    assert tried["docker"] == 2


def test_a_recording_of_this_host_gives_the_same_report(tmp_path: Path) -> None:
    recorder = record(Live())
    around = Surroundings.here(str(tmp_path))
    lived = doctor(recorder, str(tmp_path), ALL_WELL, around)
    recorder.save(tmp_path / "host.json")
    assert doctor(Recording(tmp_path / "host.json"), str(tmp_path), ALL_WELL, around) == lived


def test_a_lesson_may_ask_for_a_program_of_the_host(monkeypatch: pytest.MonkeyPatch,
                                                    tmp_path: Path) -> None:
    tool = tmp_path / "nsenter"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert requirement({}, "tool:nsenter").met
    lacks = requirement({}, "tool:zork")
    assert (lacks.met, lacks.reason) == (False, "there is no program zork on this host")
    assert lacks.command == "install util-linux"
    tool.unlink()
    hidden = requirement({}, "tool:pivot_root")
    assert not hidden.met and hidden.command


NOBODY = 65534
SYSTEM_PYTHON = "/usr/bin/python3"


@pytest.mark.kernel
@pytest.mark.skipif(not shutil.which(SYSTEM_PYTHON) or sys.version_info < (3, 11),
                    reason="a Python that another user may run is needed")
def test_this_host_without_root() -> None:
    code = ("import json, sys; sys.path.insert(0, sys.argv[1]); sys.dont_write_bytecode = True\n"
            "from runtime.inspect.host import doctor; from runtime.inspect.source import Live\n"
            "print(json.dumps(doctor(Live()).to_data()))")
    done = subprocess.run([SYSTEM_PYTHON, "-c", code, str(REPOSITORY)], capture_output=True,
                          text=True, user=NOBODY, group=NOBODY, extra_groups=[], cwd="/")
    if "SyntaxError" in done.stderr or "Permission denied" in done.stderr:
        pytest.skip("the repository cannot be read, or that Python is too old")
    assert done.stderr == ""
    data = json.loads(done.stdout)
    items = {item["name"]: item for item in data["items"]}
    assert not data["can_run"]
    assert f"(uid {NOBODY})" in items["root"]["found"] and data["way"]["kind"] != "root"
    assert items["state"]["state"] == MISSING
    assert items["cgroups"]["state"] == PARTLY
    assert items["cgroups"]["command"]
