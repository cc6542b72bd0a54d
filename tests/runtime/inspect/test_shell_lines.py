"""The shell's spelling of an operation: words that the tools themselves take."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest

from runtime.inspect.shell_lines import shell_line


def line(name: str, /, **arguments: Any) -> str:
    return shell_line({"name": name, "arguments": arguments})


@pytest.mark.parametrize(("found", "wanted"), [
    (line("mount", kind="proc", source="proc", target="/proc",
          flags="MS_NOSUID|MS_NODEV|MS_NOEXEC"), "mount -t proc -o nosuid,nodev,noexec proc /proc"),
    (line("mount", kind="tmpfs", source="tmpfs", target="/dev", flags="0", options="mode=755"),
     "mount -t tmpfs -o mode=755 tmpfs /dev"),
    (line("mount", source="/a b", target="/c", flags="MS_BIND|MS_REC"), "mount --rbind '/a b' /c"),
    (line("mount", target="/", flags="MS_REC|MS_PRIVATE"), "mount --make-rprivate /"),
    (line("mount", target="/c", flags="MS_REMOUNT|MS_BIND|MS_RDONLY"),
     "mount -o remount,bind,ro /c"),
    (line("mount", source="/r", target="/", flags="MS_MOVE"), "mount --move /r /"),
    (line("mount_setattr", target="/proc/sys", set_attributes="MOUNT_ATTR_RDONLY"),
     "mount -o remount,bind,ro /proc/sys"),
    (line("mount_setattr", target="/proc/sys", set_attributes=15),
     "mount -o remount,bind,ro,nosuid,nodev,noexec /proc/sys"),
    (line("umount2", target=".", flags=2), "umount -l ."),
    (line("pivot_root", new_root=".", put_old="."), "pivot_root . ."),
    (line("clone3", flags="CLONE_NEWNS|CLONE_NEWPID"), "unshare --fork --mount --pid"),
    (line("unshare", flags="CLONE_NEWCGROUP"), "unshare --cgroup"),
    (line("write_control", path="/sys/fs/cgroup/x", text="1\n"), "echo 1 > /sys/fs/cgroup/x"),
    (line("mknod", path="/dev/null", kind="c", major=1, minor=3, mode="0666"),
     "mknod -m 0666 /dev/null c 1 3"),
    (line("drop_bounding", keep="21", have="ff"), "setpriv --bounding-set=-all,+chown,+kill …"),
    (line("capset", effective="0", permitted="0", inheritable="0"), "capsh --caps=="),
    (line("setgroups", groups=[]), "setpriv --clear-groups …"),
    (line("setrlimit", kind="RLIMIT_NOFILE", soft=64, hard=128),
     "prlimit --pid $$ --nofile=64:128"),
    (line("execve", path="/bin/sh", arguments=["sh", "-c", "exit 3"]), "exec sh -c 'exit 3'"),
    # What is not known, or lacks what the line needs, is written as strace would.
    (line("reboot", how="now"), 'reboot("now")'),
    (line("mknod", path="/dev/null"), 'mknod("/dev/null")'),
])
def test_as_one_types_it(found: str, wanted: str) -> None:
    assert found == wanted


def able(*command: str) -> subprocess.CompletedProcess[str]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.kernel
def test_the_tools_take_them_and_do_the_same() -> None:
    """The lines of the drop, typed: what they leave is what the operation would."""
    drop = line("drop_bounding", keep="a80425fb", have="1ffffffffff").replace("…", "")
    done = able("sh", "-c", f"{drop} grep CapBnd /proc/self/status")
    assert done.stdout.split()[-1] == "00000000a80425fb", done.stderr
    done = able("sh", "-c", "setpriv --regid 5 --clear-groups id -g")
    assert done.stdout.strip() == "5", done.stderr
    namespaces = line("clone3", flags="CLONE_NEWNS|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWPID")
    done = able("sh", "-c", f"{namespaces} sh -c 'echo $$; hostname tea; mount --make-rprivate /; "
                            f"{line('mount', kind='proc', source='proc', target='/proc')}; "
                            "ls -d /proc/[0-9]* | wc -l'")
    pid, count = done.stdout.split()
    assert pid == "1" and int(count) < 6, done.stderr
