"""Containers without a part: exactly that part is missing, and nothing else is another."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.engine import ablation, ledger, spec
from runtime.engine.engine import Engine
from runtime.errors import Denied, Invalid, Unsupported

HERE = Path(__file__).resolve().parents[3]
SAFE = ("net", "uts", "cgroup", "seccomp")
PARTS = (*SAFE, *ablation.DANGERS)


def asked(*parts: str, unsafe: bool = False) -> dict:
    return {"ContainerLab": {"Without": list(parts), **({"Unsafe": True} if unsafe else {})}}


def made(host: dict) -> dict:
    config = {"Path": "sh", "Args": [], "HostConfig": host,
              "Config": {"Hostname": "tea", "Image": "lab/base"}}
    return spec.make(config, "/lab/containers/4f", ["/nowhere/low"])


def test_every_part_is_safe_to_leave_out_refused_or_said_to_be_dangerous():
    assert {*PARTS, "user", "time"} == set(ablation.PARTS)


@pytest.mark.parametrize("part", ablation.DANGERS)
def test_what_could_harm_the_host_is_refused_with_what_could_happen(part):
    wanted = {"Hostname": os.uname().nodename}
    with pytest.raises(Denied, match="could harm this host") as refused:
        ablation.check(wanted, asked(part))
    assert ablation.DANGERS[part] in str(refused.value) and "--unsafe" in str(refused.value)
    ablation.check(wanted, asked(part, unsafe=True))


@pytest.mark.parametrize("part", SAFE)
def test_the_others_need_no_unsafe(part):
    ablation.check({"Hostname": os.uname().nodename}, asked(part))


@pytest.mark.parametrize("part, why", [
    ("user", "root inside is root of the host already"),
    ("time", "the host's clocks since boot already"),
])
def test_what_a_container_has_not_cannot_be_left_out(part, why):
    with pytest.raises(Invalid, match="nothing to leave out") as refused:
        made(asked(part))
    assert why in str(refused.value)


@pytest.mark.parametrize("host, part", [
    ({"PidMode": "host"}, "pid"), ({"Privileged": True}, "caps"), ({"Privileged": True}, "masks"),
    ({"Privileged": True}, "seccomp"), ({"SecurityOpt": ["seccomp=unconfined"]}, "seccomp"),
])
def test_nor_what_another_flag_has_left_out(host, part):
    with pytest.raises(Invalid, match="nothing to leave out"):
        made({**host, **asked(part)})


@pytest.mark.parametrize("own", [["pid"], {"Without": "pid"}, {"Without": ["legs"]}, {"With": 1}])
def test_a_body_that_makes_no_sense_is_refused(own):
    with pytest.raises(Invalid):
        ablation.wished({"ContainerLab": own})


def test_a_name_of_ones_own_and_the_hosts_contradict():
    with pytest.raises(Invalid, match="hostname and --without uts"):
        ablation.check({"Hostname": "tea"}, asked("uts"))


def test_another_runtime_cannot_do_without_mount_or_pivot():
    for part in ablation.RUNTIME:
        with pytest.raises(Unsupported, match="only our own runtime"):
            ablation.check({"Hostname": "x"}, {"Runtime": "runc", **asked(part, unsafe=True)})
    ablation.check({"Hostname": "x"}, {"Runtime": "runc", **asked("pid", unsafe=True)})


@pytest.mark.parametrize("part, what", [("net", "/sys"), ("ipc", "/dev/mqueue")])
def test_an_ordinary_user_is_told_what_he_may_not_mount(monkeypatch, part, what):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Unsupported, match=f"may not mount a {what} of the host's"):
        ablation.check({"Hostname": "x"}, asked(part, unsafe=True))


def differing(host: dict) -> set[str]:
    """The parts of config.json that are another than an ordinary container's."""
    ours, plain = made(host), made({})
    keys = {key for key in {*ours, *plain} if ours.get(key) != plain.get(key)}
    for key in ("linux", "process"):
        if key in keys:
            keys.remove(key)
            keys |= {name for name in {*ours[key], *plain[key]}
                     if ours[key].get(name) != plain[key].get(name)}
    return keys


@pytest.mark.parametrize("part, keys", [
    ("pid", {"namespaces"}), ("mount", {"namespaces"}), ("net", {"namespaces"}),
    ("ipc", {"namespaces"}), ("cgroup", {"namespaces"}), ("uts", {"namespaces", "hostname"}),
    ("seccomp", {"seccomp"}), ("caps", {"capabilities"}),
    ("masks", {"maskedPaths", "readonlyPaths"}), ("pivot", set()),
])
def test_nothing_else_of_config_json_is_touched(part, keys):
    assert differing(asked(part, unsafe=True)) == keys


# ------------------------------------------------------------------ on the kernel

def said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def spaces(pid: str) -> dict[str, str]:
    """By lsns: {"mnt": "4026532214", …}. It gives up when any process ends while it looks."""
    for _ in range(50):
        done = subprocess.run(["lsns", "--raw", "--noheadings", "-o", "TYPE,NS", "-p", pid],
                              capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return dict(row.split() for row in done.stdout.splitlines())
    raise AssertionError(done.stderr)


def observed(container) -> dict[str, object]:
    """Everything of a container that an outsider's tools can tell, without what differs anyhow."""
    pid, ours = str(container.pid), spaces(str(os.getpid()))
    found: dict[str, object] = {f"ns {kind}": "host" if inode == ours[kind] else "own"
                                for kind, inode in spaces(pid).items()}
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        status = dict(line.rstrip("\n").partition(":\t")[::2] for line in file)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp",
                 "Seccomp_filters", "Uid", "Gid", "Groups", "Umask"):
        found[name] = status.get(name)
    found["pids"] = len(status["NSpid"].split())
    link = os.readlink(f"/proc/{pid}/root")
    found["root"] = link.replace(container.id, "ID")
    table = said("findmnt", "-N", pid, "-r", "-n", "-o", "TARGET,FSTYPE,VFS-OPTIONS").splitlines()
    found["mounts"] = sorted(table)
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        found["host's table"] = sum(container.id in line.split()[4] for line in file)
    found["dev"] = sorted(os.listdir(f"/proc/{pid}/root/dev"))
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        found["limits"] = file.read()
    with open(f"/proc/{pid}/oom_score_adj", encoding="ascii") as file:
        found["oom score"] = file.read()
    return found


CAPABILITIES = {"CapPrm", "CapEff", "CapBnd"}
EXPECTED = {
    "pid": {"ns pid", "pids"}, "mount": {"ns mnt", "root", "host's table"}, "net": {"ns net"},
    "ipc": {"ns ipc"}, "uts": {"ns uts"}, "cgroup": {"ns cgroup"},
    "seccomp": {"Seccomp", "Seccomp_filters"}, "caps": CAPABILITIES, "masks": {"mounts"},
    "pivot": {"root"},
}


@pytest.mark.kernel
@pytest.mark.parametrize("part", PARTS)
def test_exactly_that_part_is_missing(engine, started, part):
    full = engine.find(started("sleep", "60"))
    lacking = engine.find(started("sleep", "60", host=asked(part, unsafe=True)))
    one, other = observed(full), observed(lacking)
    assert {key for key in one if one[key] != other[key]} == EXPECTED[part]
    if part in ablation.NAMESPACES:
        kind = {"mount": "mnt"}.get(part, part)
        assert (one[f"ns {kind}"], other[f"ns {kind}"]) == ("own", "host")
    if part in ablation.RUNTIME:
        assert one["root"] == "/" and str(other["root"]).endswith("/ID/rootfs")
    if part == "seccomp":
        assert (one["Seccomp"], other["Seccomp"]) == ("2", "0")
    if part == "caps":
        with open("/proc/self/status", encoding="ascii") as file:
            ours = next(line.split()[1] for line in file if line.startswith("CapBnd"))
        assert other["CapBnd"] == ours, "all that this host can give"


@pytest.mark.kernel
def test_without_masks_those_rows_are_missing_and_no_others(engine, started):
    tables = [set(observed(engine.find(started("sleep", "60", host=host)))["mounts"])
              for host in ({}, asked("masks", unsafe=True))]
    gone = {row.split()[0] for row in tables[0] - tables[1]}
    assert not tables[1] - tables[0] and "/proc/sys" in gone
    assert all(path.startswith(("/proc/", "/sys/")) for path in gone)


@pytest.mark.kernel
@pytest.mark.skipif(shutil.which("runc") is None, reason="no runc here")
@pytest.mark.parametrize("part", [part for part in PARTS if part not in ablation.RUNTIME])
def test_runc_does_without_the_part_as_well(engine, started, part):
    """What config.json says holds for any runtime: the same part, and nothing else."""
    one, other = (observed(engine.find(started("sleep", "60", host={"Runtime": "runc", **more})))
                  for more in ({}, asked(part, unsafe=True)))
    assert {key for key in one if one[key] != other[key]} == EXPECTED[part]


@pytest.mark.kernel
def test_several_at_once(engine, started):
    lacking = observed(engine.find(started("sleep", "60", host=asked("net", "uts", "seccomp"))))
    assert [lacking[key] for key in ("ns net", "ns uts", "ns pid", "Seccomp")] == [
        "host", "host", "own", "0"]


@pytest.mark.kernel
def test_its_name_is_the_hosts_without_uts(run):
    done = run("sh", "-c", "hostname; cat /etc/hostname; echo $HOSTNAME", host=asked("uts"))
    assert done.out.decode().split() == [os.uname().nodename] * 3


@pytest.mark.kernel
def test_inspect_shows_what_was_left_out(engine, make):
    ident = make("true", host=asked("masks", "net", unsafe=True))
    host = engine.inspect(ident)["HostConfig"]
    assert host["ContainerLab"] == {"Without": ["masks", "net"], "Unsafe": True}
    assert host["MaskedPaths"] == host["ReadonlyPaths"] == []
    assert "ContainerLab" not in engine.inspect(make("true"))["HostConfig"]


@pytest.mark.kernel
@pytest.mark.parametrize("part", ablation.RUNTIME)
def test_an_exec_is_in_the_containers_root_as_well(engine, started, inside, part):
    container = started("sleep", "60", host=asked(part, unsafe=True))
    inside(container, "touch", "/only-inside")
    assert os.path.exists(f"/proc/{engine.find(container).pid}/root/only-inside")
    assert inside(container, "ls", "/").out == inside(container, "ls", "/proc/1/../..").out
    assert b"only-inside" in inside(container, "ls", "/").out
    assert not os.path.exists("/only-inside")


@pytest.mark.kernel
@pytest.mark.parametrize("part", [None, "pivot"])
def test_an_exec_is_where_the_container_began_not_where_its_program_went(started, inside, part):
    container = started("sh", "-c", "mkdir /deep && cp -r /bin /deep && exec chroot /deep sleep 60",
                        host=asked(part, unsafe=True) if part else {})
    deadline = 200
    while b"sleep" not in inside(container, "cat", "/proc/1/cmdline").out and deadline:
        deadline -= 1
    assert b"deep" in inside(container, "ls", "/").out


def rows(text: str) -> list[str]:
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return [line for line in file if text in line]


def table() -> list[str]:
    """The host's own mounts, without those of tests that run beside this one."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return [line for line in file if "/tmp/cl-" not in line]


@pytest.mark.kernel
def test_without_mount_the_hosts_table_is_as_before_when_it_ends(engine, started):
    before = table()
    container = started("sleep", "60", host=asked("mount", unsafe=True))
    assert len(rows(container)) > 5
    assert ledger.standing(engine.root, "mount") == [f"{engine.find(container).directory}/rootfs"]
    engine.kill(container)
    engine.wait(container)
    assert table() == before, "propagation as well"
    assert ledger.standing(engine.root, "mount") == []
    engine.start(container)
    assert rows(container), "and once more"
    engine.remove(container, force=True)
    assert not rows(container)


SHARED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from runtime.engine.engine import Engine
engine = Engine(sys.argv[2])
before = open("/proc/self/mountinfo").read()
assert " shared:" in before, before
ident = engine.create(None, {"Image": "lab/base", "Cmd": ["sleep", "60"], "HostConfig": {
    "NetworkMode": "none", "ContainerLab": {"Without": ["mount"], "Unsafe": True}}})
engine.start(ident)
lines = [line for line in open("/proc/self/mountinfo") if ident in line.split()[4]]
spread = [line for line in open("/proc/1/mountinfo") if ident in line.split()[4]]
engine.kill(ident)
engine.wait(ident)
assert open("/proc/self/mountinfo").read() == before
print(len(lines), sum(" shared:" in line for line in lines), len(spread))
"""


@pytest.mark.kernel
def test_where_the_host_shares_its_mounts_as_systemd_does_nothing_spreads(root):
    """In a copy of the host's mount table whose every mount is shared: the "host" of this test."""
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "shared", sys.executable, "-c", SHARED,
         str(HERE), root], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows_, shared, spread = map(int, done.stdout.split())
    assert rows_ > 5 and shared == 0 and spread == 0


@pytest.mark.kernel
def test_without_mount_a_start_that_fails_leaves_no_mount(engine, make):
    container = make("no-such-program", host=asked("mount", unsafe=True))
    with pytest.raises(Exception, match="not found"):
        engine.start(container)
    assert not rows(container) and not ledger.standing(engine.root, "mount")


@pytest.mark.kernel
@pytest.mark.parametrize("end", ["clean", "look"])
def test_without_mount_a_killed_shim_leaves_nothing_after_the_next_command(
        engine, started, root, eventually, end):
    container = started("sleep", "60", host=asked("mount", unsafe=True))
    state = engine.find(container).state
    os.kill(state["ShimPid"], signal.SIGKILL)
    eventually(lambda: not os.path.exists(f"/proc/{state['ShimPid']}/fd/0"))
    assert rows(container), "nobody has looked yet"
    if end == "clean":
        assert any("unmounted" in line for line in Engine(root).clean())
    else:
        eventually(lambda: engine.find(container).status == "exited")
    assert not rows(container)
