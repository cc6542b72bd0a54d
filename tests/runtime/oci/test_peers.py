"""The same bundle by ours, by runc and by crun: what the program inside sees has to be the same.

Each runs one script that prints what it finds, in sections; the sections are compared, less what
DIFFERENCES names with a reason.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.seccomp_profile import default_profile
from tests.runtime.oci.bundles import Bundle, peer

pytestmark = pytest.mark.kernel
PROBE = r"""
echo '## mounts'; awk '{ print $5, $6, $0 }' /proc/self/mountinfo
echo '## status'
grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Sig(Blk|Ign|Cgt))' /proc/$$/status
echo '## limits'; cat /proc/$$/limits
echo '## environment'; env | grep -v '^SHLVL\|^_=\|^OLDPWD' | sort
echo '## place'; pwd; hostname; umask; id; cat /proc/$$/oom_score_adj
echo '## devices'
ls -ln /dev | awk 'NR > 1 { print $1, $3, $4, $NF, ($1 ~ /^[cb]/) ? $5 $6 : "" }' | sort
echo '## descriptors'; ls -1 /proc/$$/fd
echo '## masked'
for path in $PROBED; do stat -c '%n %F %s' $path 2>/dev/null; ls $path 2>&1 | wc -l; done
echo '## written'; for path in /proc/sys/kernel/hostname /proc/sysrq-trigger /sys/kernel/profiling
do (echo > $path) 2>&1; done
echo '## links'; cat /sys/class/net/lo/flags; ls /sys/class/net
"""
# Why the table of a peer is another one: (peer, target) → reason. The rest has to be equal.
V1_ONLY = "a v1 hierarchy without a controller limits nothing, and is not shown inside"
DIFFERENCES = {
    ("runc", "/sys/fs/cgroup/systemd"): V1_ONLY, ("crun", "/sys/fs/cgroup/systemd"): V1_ONLY,
    ("runc", "/sys/fs/cgroup/unified"): "runc shows no v2 tree beside v1; ours has its pressures",
    ("crun", "/sys/fs/cgroup/unified"): "crun was started where the v2 tree is not mounted",
    ("runc", "/sys/fs/cgroup"): "runc leaves the tmpfs around the hierarchies writable",
    ("crun", "/sys/fs/cgroup"): "crun leaves the tmpfs around the hierarchies writable",
}
PEERS = ("runc", "crun")


def sections(output: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in output.splitlines():
        if line.startswith("## "):
            found[line[3:]] = []
        else:
            found[list(found)[-1]].append(line)
    return found


def mount_table(lines: list[str]) -> dict[str, tuple[str, set[str], set[str]]]:
    """target → (file system, the mount's options, the file system's own)."""
    table = {}
    for line in lines:
        target, options, *_ = line.split()
        kind, _, own = line.split(" - ")[1].split()[:3]
        ignored = {"relatime", "rw", "ro", "inode64"}
        table[target] = (kind, set(options.split(",")), set(own.split(",")) - ignored)
    return table


def probe(bundle: Bundle) -> str:
    bundle.process["env"].append("PROBED=" + " ".join(bundle.linux["maskedPaths"]))
    return PROBE


def both(bundle: Bundle, name: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    script = probe(bundle)
    code, out, err = bundle.run(script)
    assert code == 0, err
    their_code, theirs, error = peer(name, bundle, script)
    assert their_code == 0, error
    return sections(out), sections(theirs)


def compare(ours: dict[str, list[str]], theirs: dict[str, list[str]], *names: str) -> None:
    for name in names:
        assert ours[name] == theirs[name], name


@pytest.mark.parametrize("name", PEERS)
def test_the_default_container(bundle: Bundle, name: str) -> None:
    ours, theirs = both(bundle, name)
    compare(ours, theirs, "status", "limits", "environment", "place", "masked", "written", "links")
    assert ours["descriptors"] == ["0", "1", "2"]
    assert set(theirs["descriptors"]) <= {"0", "1", "2", "3"}  # crun 1.8 leaves one more


@pytest.mark.parametrize("name", PEERS)
def test_the_mount_table(bundle: Bundle, name: str) -> None:
    ours, theirs = (mount_table(found["mounts"]) for found in both(bundle, name))
    for peer_name, target in DIFFERENCES:
        if peer_name == name:
            ours.pop(target, None), theirs.pop(target, None)
    assert ours.keys() == theirs.keys()
    if name == "runc":
        assert {target: row for target, row in ours.items() if row != theirs[target]} == {}
        return
    # crun hides a file behind the host's null, and drops nosuid and the like on read-only paths.
    hidden = (*bundle.linux["maskedPaths"], *bundle.linux["readonlyPaths"])
    differ = {target for target, row in ours.items() if row != theirs[target]}
    assert differ <= set(hidden)
    assert all("ro" in ours[path][1] for path in bundle.linux["readonlyPaths"] if path in ours)


@pytest.mark.parametrize("name", PEERS)
def test_the_devices(bundle: Bundle, name: str) -> None:
    bundle.linux["devices"] = [
        {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640,
         "uid": 1000, "gid": 5}, {"path": "/dev/net/tun", "type": "c", "major": 10, "minor": 200}]
    ours, theirs = both(bundle, name)
    core = [line for line in theirs["devices"] if line.endswith("/proc/kcore ")]
    assert [line for line in theirs["devices"] if line not in core] == ours["devices"]


@pytest.mark.parametrize("name", PEERS)
def test_another_user_with_limits_and_a_directory(bundle: Bundle, name: str) -> None:
    bundle.process.update(
        user={"uid": 1000, "gid": 1000, "additionalGids": [5, 10], "umask": 0o27}, cwd="/home/lab",
        oomScoreAdj=300, env=["PATH=/bin", "GREETING=a b=c", "EMPTY="],
        rlimits=[{"type": "RLIMIT_NOFILE", "soft": 256, "hard": 512},
                 {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}])
    bundle.spec["hostname"] = "other"
    ours, theirs = both(bundle, name)
    compare(ours, theirs, "status", "limits", "environment", "place")


def ambient(spec: dict[str, Any]) -> None:
    held = ["CAP_NET_BIND_SERVICE", "CAP_KILL"]
    spec["process"]["user"] = {"uid": 1000, "gid": 1000}
    spec["process"]["capabilities"] = dict.fromkeys(
        ("bounding", "effective", "permitted", "inheritable", "ambient"), held)


def ambient_alone(spec: dict[str, Any]) -> None:
    """As `runc spec` writes it: ambient, but not inheritable, which no kernel grants."""
    held = ["CAP_NET_BIND_SERVICE", "CAP_KILL"]
    spec["process"]["capabilities"] = dict.fromkeys(
        ("bounding", "effective", "permitted", "ambient"), held)


def no_capabilities(spec: dict[str, Any]) -> None:
    del spec["process"]["capabilities"]


def seccomp(spec: dict[str, Any]) -> None:
    spec["linux"]["seccomp"] = default_profile(spec["process"]["capabilities"]["bounding"])


def seccomp_with_new_privileges(spec: dict[str, Any]) -> None:
    seccomp(spec)
    spec["process"]["noNewPrivileges"] = False


def read_only(spec: dict[str, Any]) -> None:
    spec["root"]["readonly"] = True


def the_hosts_network(spec: dict[str, Any]) -> None:
    spec["linux"]["namespaces"] = [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")]


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("change", [ambient, ambient_alone, no_capabilities, seccomp,
                                    seccomp_with_new_privileges, read_only, the_hosts_network])
def test_one_thing_changed(bundle: Bundle, name: str, change: Any) -> None:
    if change is no_capabilities and name == "crun":
        pytest.skip("crun 1.8 needs CAP_SYS_CHROOT for its own way to such a container")
    change(bundle.spec)
    ours, theirs = both(bundle, name)
    compare(ours, theirs, "status", "limits", "environment", "place")
    assert ours["mounts"][0].split()[1] == theirs["mounts"][0].split()[1]


@pytest.mark.parametrize("options", [
    ["bind"], ["bind", "ro"], ["rbind", "ro", "nosuid"], ["bind", "noexec", "nodev"],
    ["bind", "noatime"], ["rbind", "rslave"], ["bind", "ro", "rprivate"]])
def test_a_bind_mount(bundle: Bundle, tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "file").write_text("from the host\n")
    for source, destination in (("data", "/data"), ("file", "/etc/file")):
        bundle.spec["mounts"].append({"destination": destination, "type": "bind",
                                      "source": str(tmp_path / source), "options": options})
    ours, theirs = (mount_table(found["mounts"]) for found in both(bundle, "runc"))
    for target in ("/data", "/etc/file"):
        assert ours[target] == theirs[target]


def test_a_source_in_the_bundle(bundle: Bundle) -> None:
    (bundle.folder / "data").mkdir()
    (bundle.folder / "data/file").write_text("of the bundle\n")
    bundle.spec["mounts"].append({"destination": "/data", "type": "bind", "source": "data",
                                  "options": ["bind"]})
    assert bundle.run("cat /data/file") == peer("runc", bundle, "cat /data/file") == (
        0, "of the bundle\n", "")


@pytest.mark.parametrize("options", [
    ["rbind", "ro"], ["rbind", "rro"], ["rbind", "ro", "nosuid", "noexec"], ["rbind", "rnosuid"]])
def test_what_is_mounted_below_a_bind(bundle: Bundle, options: list[str]) -> None:
    """`ro` is the mount alone, `rro` is all below it as well: runtime-spec config.md."""
    bundle.spec["mounts"].append({"destination": "/data", "type": "bind", "source": "/dev",
                                  "options": options})
    ours, theirs = ({target: row[1] for target, row in mount_table(found["mounts"]).items()
                     if target.startswith("/data")} for found in both(bundle, "runc"))
    assert "/data/pts" in ours and ours == theirs


@pytest.mark.parametrize("propagation", ["private", "rprivate", "slave", "rslave", "shared",
                                         "rshared", "unbindable"])
def test_the_propagation_of_the_root(bundle: Bundle, propagation: str) -> None:
    bundle.linux["rootfsPropagation"] = propagation
    # runc 1.1 leaves the root private where shared was asked for, and cannot do unbindable.
    ours, theirs = both(bundle, "crun")
    fields = [re.findall(r"shared|master|unbindable", found["mounts"][0].split(" - ")[0])
              for found in (ours, theirs)]
    assert fields[0] == fields[1]


BROKEN = {
    "no such program": lambda b: b.process.update(args=["/no-such"]),
    "a directory": lambda b: b.process.update(args=["/etc"]),
    "not executable": lambda b: b.process.update(args=["/etc/passwd"]),
    "no such user namespace map": lambda b: b.linux["namespaces"].append({"type": "user"}),
    "a working directory that is a file": lambda b: b.process.update(cwd="/etc/passwd"),
    "a mount of no such kind": lambda b: b.spec["mounts"].append(
        {"destination": "/x", "type": "nosuchfs", "source": "none"}),
    "a bind of nothing": lambda b: b.spec["mounts"].append(
        {"destination": "/x", "type": "bind", "source": "/no/such", "options": ["bind"]}),
    "a host's sysctl": lambda b: b.linux.update(sysctl={"kernel.panic": "0"}),
    "a sysctl of the host's network": lambda b: (
        b.linux.update(sysctl={"net.ipv4.ip_forward": "0"}),
        b.linux["namespaces"].remove({"type": "network"})),
}


@pytest.mark.parametrize("what", list(BROKEN))
def test_what_runc_refuses_is_refused(bundle: Bundle, what: str) -> None:
    args = bundle.process["args"]
    BROKEN[what](bundle)
    wanted = bundle.process["args"]
    error = bundle.refused()
    assert str(error) and "\n" not in str(error)
    if wanted == args:
        code, _, _ = peer("runc", bundle, "true")
        assert code != 0
