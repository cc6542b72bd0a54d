"""A trace of another runtime as operations: runc 1.1.5, recorded with strace -f -y, and by hand."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from runtime.errors import Invalid
from runtime.inspect import operations, strace
from runtime.inspect.strace_calls import plain, split

RUNC = Path(__file__).parent / "recordings" / "runc.strace"


def made(*lines: str) -> list[tuple[str, dict[str, object]]]:
    return [(row["name"], row["arguments"]) for row in strace.operations("\n".join(lines))]


def test_runc_does_what_a_runtime_does() -> None:
    film = strace.operations(RUNC.read_text())
    names = Counter(row["name"] for row in film)
    assert names["pivot_root"] == names["set_filter"] == names["capset"] == 1
    assert names["sethostname"] == names["set_link_up"] == 1
    assert names["drop_bounding"] == 2, "runc drops them twice; each is one operation"
    assert [row["n"] for row in film] == list(range(1, len(film) + 1))
    order = list(dict.fromkeys(row["phase"] for row in film if row["phase"] in (
        "isolate", "root", "drop", "exec")))
    assert order == ["isolate", "root", "drop", "exec"]
    assert film[-1]["name"] == "execve" and film[-1]["arguments"]["arguments"] == ["true"]


def test_the_rootfs_is_the_container_s_root() -> None:
    mounts = {row["arguments"]["target"]: row["arguments"] for row in strace.operations(
        RUNC.read_text()) if row["name"] == "mount"}
    assert mounts["/proc"]["kind"] == "proc", "runc mounts on /proc/self/fd/N: the open tells where"
    assert mounts["/dev/pts"]["options"] == "newinstance,ptmxmode=0666,mode=0620,gid=5"
    assert mounts["/proc/keys"]["source"] == "/dev/null"


def test_what_runc_keeps_is_what_docker_keeps() -> None:
    film = strace.operations(RUNC.read_text())
    capset = next(row for row in film if row["name"] == "capset")
    assert capset["arguments"]["effective"] == "a80425fb"
    dropped = [row["arguments"]["keep"] for row in film if row["name"] == "drop_bounding"]
    assert dropped == ["a80425fb"] * 2


@pytest.mark.parametrize(("line", "name", "arguments"), [
    ('7 mount("tmpfs", "/dev", "tmpfs", MS_NOSUID, "mode=755") = 0', "mount",
     {"source": "tmpfs", "target": "/dev", "kind": "tmpfs", "flags": "MS_NOSUID",
      "options": "mode=755"}),
    ('7 write(6</proc/7/oom_score_adj>, "0\\0", 2) = 2', "write_control",
     {"path": "/proc/7/oom_score_adj", "text": "0"}),
    ('7 12:03:07.114 umask(022) = 000', "umask", {"mask": 0o22}),
    ('[pid     7] setuid(1000) = 0', "setresuid", {"real": 1000, "effective": 1000, "saved": 1000}),
    ('setsid() = 7', "setsid", {}),
    ('7 mknodat(AT_FDCWD, "/dev/null", S_IFCHR|0666, makedev(0x1, 0x3)) = 0', "mknod",
     {"path": "/dev/null", "kind": "c", "major": 1, "minor": 3, "mode": "0666"}),
    ('7 prlimit64(0, RLIMIT_NOFILE, {rlim_cur=64, rlim_max=128}, NULL) = 0', "setrlimit",
     {"kind": "RLIMIT_NOFILE", "soft": "64", "hard": "128"}),
    ('7 clone3({flags=CLONE_NEWNS|CLONE_NEWPID|CLONE_PIDFD, exit_signal=SIGCHLD}, 88) = 8',
     "clone3", {"flags": "CLONE_NEWNS|CLONE_NEWPID"}),
    ('7 umount2(".", MNT_DETACH) = 0 <0.000041>', "umount2",
     {"target": ".", "flags": "MNT_DETACH"}),
])
def test_one_line(line: str, name: str, arguments: dict[str, object]) -> None:
    assert made(line) == [(name, arguments)]


@pytest.mark.parametrize("line", [
    '7 mount("x", "/y", NULL, 0, NULL) = -1 EPERM (Operation not permitted)',
    '7 getpid() = 7', '7 prctl(PR_GET_NAME, "true") = 0', '7 write(1</dev/pts/0>, "hi", 2) = 2',
    '7 clone(child_stack=NULL, flags=CLONE_VM|SIGCHLD) = 8', '7 --- SIGCHLD {si_signo=SIGCHLD} ---',
    '7 prlimit64(0, RLIMIT_STACK, NULL, {rlim_cur=8192, rlim_max=99}) = 0',
    '7 +++ exited with 0 +++',
])
def test_what_changes_nothing_is_left_out(line: str) -> None:
    assert made("7 setsid() = 7", line) == [("setsid", {})]


def test_a_call_in_two_halves() -> None:
    assert made('7 sethostname("tea", 3 <unfinished ...>', "8 getpid() = 8",
                "7 <... sethostname resumed>) = 0") == [("sethostname", {"name": "tea"})]


def test_without_y_the_opens_are_followed() -> None:
    found = made('7 openat(AT_FDCWD, "/proc/self/uid_map", O_WRONLY) = 5',
                 "7 clone(child_stack=NULL, flags=CLONE_FILES|SIGCHLD) = 8",
                 '8 write(5, "0 0 1", 5) = 5')
    assert found == [("write_control", {"path": "/proc/self/uid_map", "text": "0 0 1"})]


def test_how_long_it_took_with_T() -> None:
    row = strace.operations('7 umount2(".", MNT_DETACH) = 0 <0.000041>')[0]
    assert row["ns"] == 41000 and operations.time_word(row) == "41 µs"
    assert strace.operations("7 setsid() = 7")[0]["ns"] is None


@pytest.mark.parametrize("text", ["", "hello\n", '{"n": 1}'])
def test_what_is_no_trace(text: str) -> None:
    with pytest.raises(Invalid, match="no system call in it"):
        strace.operations(text)


def test_arguments_are_split_where_they_end() -> None:
    assert split('3</a,b>, "x, \\"y", {a=1, b=[2, 3]}, 1<<CAP_KILL|1<<CAP_CHOWN') == [
        "3</a,b>", '"x, \\"y"', "{a=1, b=[2, 3]}", "1 of CAP_KILL|1 of CAP_CHOWN"]
    assert split("") == [] and plain("NULL") == "" and plain('"a\\0"') == "a"
    assert plain('"long"...') == "long"


@pytest.mark.kernel
@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace here")
def test_a_trace_made_now(tmp_path: Path) -> None:
    log = tmp_path / "log"
    subprocess.run(["strace", "-f", "-y", "-T", "-o", str(log), "unshare", "--uts", "sh", "-c",
                    "hostname tea; cd /tmp; exec true"], check=True)
    film = strace.operations(log.read_text())
    names = [row["name"] for row in film]
    assert names.index("unshare") < names.index("sethostname") < names.index("chdir")
    unshare = next(row for row in film if row["name"] == "unshare")
    assert unshare["arguments"] == {"flags": "CLONE_NEWUTS"} and unshare["ns"] > 0
