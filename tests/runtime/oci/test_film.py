"""Is the film complete? The same start under strace: what the kernel saw is what was recorded.

Every call of CALLS between clone3 and execve has to be an operation, with exact counts. Left out,
with the reason: open, close, read, fstat, dup and their like change nothing outside the process;
the reset of signals and the closing of descriptors is seen by nobody else; writes to the start's
own socket are how it is told, not what it does.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from runtime.engine.seccomp_profile import default_profile
from tests.runtime.oci.bundles import Bundle

pytestmark = [pytest.mark.kernel,
              pytest.mark.skipif(shutil.which("strace") is None, reason="no strace here")]
# system call → the operation's name for it; where one operation is several calls, COUNTED says how.
CALLS = {
    "mount": "mount", "umount2": "umount2", "pivot_root": "pivot_root", "unshare": "unshare",
    "setns": "setns", "clone3": "clone3", "mknodat": "mknod", "mknod": "mknod",
    "symlink": "symlink", "symlinkat": "symlink", "sethostname": "sethostname",
    "setdomainname": "setdomainname", "capset": "capset", "seccomp": "set_filter",
    "mount_setattr": "mount_setattr", "open_tree": "open_tree", "move_mount": "move_mount",
    "fsmount": "fsmount", "chdir": "chdir", "fchdir": "fchdir", "setsid": "setsid",
    "setgroups": "setgroups", "setresgid": "setresgid", "setresuid": "setresuid",
    "keyctl": "join_session_keyring", "umask": "umask",
    "close_range": "close_range_on_exec", "fchownat": "chown", "chown": "chown",
    "fchmodat": "chmod", "chmod": "chmod", "execve": "execve", "chroot": "chroot",
    "sched_setattr": "sched_setattr", "ioprio_set": "ioprio_set", "personality": "personality",
}
MKDIR = ("mkdir", "mkdirat")
PRCTL = {"PR_CAPBSET_DROP": "drop_bounding", "PR_SET_NO_NEW_PRIVS": "set_no_new_privs",
         "PR_SET_KEEPCAPS": "keep_capabilities", "PR_CAP_AMBIENT": "set_ambient",
         "PR_SET_DUMPABLE": "set_dumpable", "PR_SET_NAME": "set_name",
         "PR_SET_CHILD_SUBREAPER": "set_child_subreaper"}
# After pivot_root the host's files have no path any more but below their own mount.
CONTROL = re.compile(r"write\(\d+<(/proc/|/sys/|[^>]*/tasks>)")
ONCE = {"drop_bounding", "set_ambient"}  # one operation, a prctl a bit


def traced(bundle: Bundle) -> tuple[list[str], list[dict[str, object]]]:
    """(strace's lines of shim and init from the first clone3 to execve, the operations)."""
    log = bundle.folder / "strace.log"
    started = bundle.start(prefix=("strace", "-f", "-y", "-s", "200", "-o", str(log)))
    started.close()
    lines = log.read_text().splitlines()
    return lines, started.operations


def of_init(lines: list[str], pid: int) -> list[str]:
    """What init did: its lines, unfinished ones joined, up to and with the execve that worked."""
    own = [line.split(None, 1)[1] for line in lines if line.startswith(f"{pid} ")]
    made = []
    for line in own:
        if "resumed>" in line:
            continue
        made.append(line)
        if line.startswith("execve("):
            return made
    raise AssertionError("no execve")


def counted(lines: list[str]) -> Counter[str]:
    """Operations as strace saw them."""
    found: Counter[str] = Counter()
    for line in lines:
        name = line.partition("(")[0]
        if name == "prctl":
            kind = re.match(r"prctl\((\w+)", line)
            known = PRCTL.get(kind[1] if kind else "")
            if known:
                found[known] = 1 if known in ONCE else found[known] + 1
        elif name in ("clone", "clone3") and "CLONE_VFORK" in line:
            # The C library tries clone3 first, which Docker's filter says is not there.
            found["run_program"] += " = -1 " not in line
        elif name == "close_range" and "CLOSE_RANGE_CLOEXEC" not in line:
            continue
        elif name in MKDIR:
            found["mkdir"] += 1
        elif name in CALLS:
            found[CALLS[name]] += 1
        elif name == "write" and CONTROL.match(line):
            found["write_control"] += 1
        elif name == "ioctl" and "SIOCSIFFLAGS" in line:
            found["set_link_up"] += 1
        elif name in ("prlimit64", "setrlimit") and re.search(r"\{rlim_cur=", line):
            if not re.match(r"prlimit64\(0, \w+, NULL", line):
                found["setrlimit"] += 1
        elif name == "openat" and "O_CREAT" in line:
            found["make_file"] += 1
    return found


def told(operations: list[dict[str, object]], by: str) -> Counter[str]:
    """The same, as recorded."""
    names = {"mkdir_at": "mkdir", "make_file_at": "make_file", "chown_at": "chown",
             "write_open_control": "write_control"}
    return Counter(names.get(str(each["name"]), str(each["name"])) for each in operations
                   if each["by"] == by)


def docker_like(bundle: Bundle) -> None:
    held = bundle.process["capabilities"]["bounding"]
    bundle.linux["seccomp"] = default_profile(held)


def everything(bundle: Bundle) -> None:
    docker_like(bundle)
    bundle.process.update(
        user={"uid": 1000, "gid": 1000, "additionalGids": [5]}, cwd="/home/lab", oomScoreAdj=100,
        rlimits=[{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 128}], noNewPrivileges=False)
    bundle.process["capabilities"].update(ambient=["CAP_KILL"], inheritable=["CAP_KILL"])
    (bundle.folder / "file").write_text("")
    bundle.spec["mounts"] += [
        {"destination": "/made/up", "type": "tmpfs", "source": "tmpfs"},
        {"destination": "/etc/file", "type": "bind", "source": str(bundle.folder / "file"),
         "options": ["rbind", "ro", "rslave"]}]
    bundle.spec["domainname"] = "lab"
    bundle.spec["root"]["readonly"] = True
    bundle.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    bundle.linux["devices"] = [{"path": "/dev/net/tun", "type": "c", "major": 10, "minor": 200,
                                "uid": 1000}]


def whole_process(bundle: Bundle) -> None:
    """What few ask for: a schedule, a personality, hooks, limits that come last, names to join."""
    docker_like(bundle)
    bundle.process.update(
        scheduler={"policy": "SCHED_BATCH"}, oomScoreAdj=5,
        ioPriority={"class": "IOPRIO_CLASS_IDLE", "priority": 7},
        rlimits=[{"type": "RLIMIT_AS", "soft": 1 << 32, "hard": 1 << 32},
                 {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}])
    bundle.linux["personality"] = {"domain": "LINUX"}
    bundle.spec["hooks"] = {kind: [{"path": "/bin/true"}] for kind in (
        "createRuntime", "createContainer", "startContainer")}
    for entry in bundle.linux["namespaces"]:
        if entry["type"] in ("network", "ipc"):
            entry["path"] = f"/proc/{os.getpid()}/ns/{entry['type'][:3]}"


@pytest.mark.parametrize("change", [docker_like, everything, lambda bundle: None, whole_process])
def test_init_tells_everything(bundle: Bundle, change: object) -> None:
    change(bundle)  # type: ignore[operator]
    lines, operations = traced(bundle)
    init = bundle.started[0].pid
    assert counted(of_init(lines, init)) == told(operations, "init")


def test_the_shims_side_tells_everything(bundle: Bundle) -> None:
    bundle.linux["resources"].update(memory={"limit": 64 << 20}, pids={"limit": 50})
    lines, operations = traced(bundle)
    shim = int(lines[0].split()[0])
    own = [line.split(None, 1)[1] for line in lines if line.startswith(f"{shim} ")]
    first = next(i for i, line in enumerate(own) if re.match(r"mkdir\(\"/sys/fs/cgroup", line))
    clone = next(i for i, line in enumerate(own) if line.startswith("clone3("))
    assert counted(own[first:clone + 1]) == told(operations, "shim")


def test_the_parts_are_in_the_order_of_time(bundle: Bundle) -> None:
    started = bundle.start()
    made = started.operations
    assert [each["n"] for each in made] == list(range(1, len(made) + 1))
    times = [each["start_ns"] for each in made]
    assert times == sorted(times)
    phases = list(dict.fromkeys(each["phase"] for each in made if each["by"] == "init"))
    assert phases == ["isolate", "root", "limit", "drop", "exec"]
    assert all(each["errno"] == 0 and each["ns"] is not None for each in made[:-2])
    assert made[-1]["name"] == "execve" and made[-1]["arguments"]["path"] == "/bin/sh"


def test_every_symbol_exists(bundle: Bundle) -> None:
    started = bundle.start()
    for each in started.operations:
        path, _, name = each["symbol"].partition(":")
        source = (Path(__file__).parents[3] / path).read_text()
        assert re.search(rf"def {name.rpartition('.')[2]}\(", source), each["symbol"]


def test_exec_closes_the_door_before_it_enters(bundle: Bundle) -> None:
    log = bundle.folder / "strace.log"
    started = bundle.start(prefix=("strace", "-f", "-o", str(log)))
    assert started.exec("true")[0] == 0
    started.close()
    lines = [line.split(None, 1)[1] for line in log.read_text().splitlines()]
    dumpable = next(i for i, line in enumerate(lines) if "SUID_DUMP_DISABLE" in line)
    entered = next(i for i, line in enumerate(lines) if line.startswith("setns("))
    assert dumpable < entered
