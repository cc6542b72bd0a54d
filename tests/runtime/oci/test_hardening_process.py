"""The known escapes of this class of program that go through the process itself: who it is, what it
holds open, where it stands. Each is tried as it was done, and has to end inside.

The caller of the runtime is the careless one here: it has groups, inheritable capabilities, open
descriptors and a working directory that are the host's, and none of them may arrive.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.kernel import capabilities
from tests.runtime.oci.bundles import Bundle, Started, group_name
from tests.runtime.oci.commandline import OURS, Runtime, runtime, written

pytestmark = pytest.mark.kernel
CARELESS = ("setpriv", "--groups", "4,6,27", "--inh-caps", "+kill,+net_raw,+sys_admin",
            "--ambient-caps", "+kill,+net_raw,+sys_admin")
SETS = ("Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def rights(text: str) -> dict[str, str]:
    return {line.split(":")[0]: line.split(":")[1].strip() for line in text.splitlines()
            if line.split(":")[0] in SETS}


def rights_of(started: Started) -> list[dict[str, str]]:
    """Of the first process, and of one that came by exec."""
    first = rights(Path(f"/proc/{started.pid}/status").read_text())
    code, out = started.exec("cat /proc/self/status")
    assert code == 0
    return [first, rights(out)]


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("uid", [0, 1000])
def test_nothing_of_the_callers_rights_arrives(bundle: Bundle, uid: int, sealed: bool) -> None:
    """CVE-2022-29162: what is inheritable is given to a program with file capabilities."""
    bundle.process.update(user={"uid": uid, "gid": uid}, noNewPrivileges=sealed)
    bundle.process["capabilities"] = dict.fromkeys(
        ("bounding", "effective", "permitted"), ["CAP_CHOWN"])
    for found in rights_of(bundle.start(prefix=CARELESS)):
        assert found["Groups"] == ""
        assert int(found["CapInh"], 16) == int(found["CapAmb"], 16) == 0
        assert int(found["CapBnd"], 16) == 1 << capabilities.BITS["CAP_CHOWN"]
        assert int(found["CapEff"], 16) == (0 if uid else 1 << capabilities.BITS["CAP_CHOWN"])


def test_groups_asked_for_are_all_there_are(bundle: Bundle) -> None:
    bundle.process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [7, 1000, 5]}
    for found in rights_of(bundle.start(prefix=CARELESS)):
        assert found["Groups"].split() == ["5", "7", "1000"]


def test_groups_of_a_user_namespace_are_those_asked_for(mapped: Bundle) -> None:
    mapped.process["user"] = {"uid": 0, "gid": 0, "additionalGids": [7]}
    started = mapped.start(prefix=CARELESS)
    status = rights(Path(f"/proc/{started.pid}/status").read_text())
    assert status["Groups"].split() == ["100007"]


def test_a_false_proc_does_not_decide_what_is_dropped(bundle: Bundle) -> None:
    """An image without a procfs of its own, whose /proc/self/status says that nothing is held."""
    bundle.spec["mounts"] = [entry for entry in bundle.spec["mounts"]
                             if not entry["destination"].startswith(("/proc", "/sys"))]
    bundle.linux.update(maskedPaths=[], readonlyPaths=[])
    (bundle.rootfs / "proc/self").mkdir(parents=True)
    (bundle.rootfs / "proc/self/status").write_text("CapBnd:\t0000000000000000\n")
    started = bundle.start()
    bound = rights(Path(f"/proc/{started.pid}/status").read_text())["CapBnd"]
    asked = capabilities.mask_of(bundle.process["capabilities"]["bounding"])
    assert int(bound, 16) & ~asked == 0


@pytest.fixture
def hosts_folder() -> Iterator[int]:
    """A directory of the host's that the caller has open, and lets everybody inherit."""
    fd = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


@pytest.mark.parametrize("cwd", ["/proc/self/fd/{fd}", "/proc/self/fd/{fd}/../..", "/link",
                                 "/link/etc", "/proc/1/fd/{fd}", "/proc/thread-self/fd/{fd}"])
def test_a_leaked_directory_is_no_place_to_work_in(
        bundle: Bundle, hosts_folder: int, cwd: str) -> None:
    """CVE-2024-21626, at a start and at an exec, by name and by a link of the image."""
    (bundle.rootfs / "link").symlink_to(f"/proc/self/fd/{hosts_folder}")
    bundle.process["cwd"] = cwd.format(fd=hosts_folder)
    error = str(bundle.refused(leak=(hosts_folder,)))
    assert "inside the root" in error or "chdir" in error, error
    bundle.group, bundle.process["cwd"] = group_name(), "/"
    started = bundle.start(leak=(hosts_folder,))
    started.ask(exec={**bundle.process, "args": ["/bin/ls"], "cwd": cwd.format(fd=hosts_folder)})
    assert "error" in started.hear()


def test_every_number_of_a_leaked_directory(bundle: Bundle, hosts_folder: int) -> None:
    """The attacker does not know the number, and tries them all."""
    script = ("for fd in $(seq 3 40); do for path in /proc/self/fd/$fd /proc/1/fd/$fd; do "
              "cat $path/../../../../etc/hostname 2>/dev/null && echo out by $path; done; done; "
              "readlink /proc/self/cwd; readlink /proc/1/cwd; ls /proc/self/fd")
    (bundle.rootfs / "bin/seq").symlink_to("busybox")
    started = bundle.start(leak=(hosts_folder,))
    code, out = started.exec(script)
    assert (code, out.split()) == (0, ["/", "/", "0", "1", "2", "3"])  # 3 is ls's own


def test_the_callers_directory_is_not_ours(bundle: Bundle, tmp_path: Path) -> None:
    """A relative path of the image's is seen from the container, also before there is a cwd."""
    (tmp_path / "secret").write_text("the host's\n")
    (bundle.rootfs / "secret").write_text("the container's\n")
    bundle.script("pwd; cat secret; cat ../secret; ls -d /proc/self/cwd/..")
    bundle.write()
    started = bundle.start(prefix=("env", "-C", str(Path.cwd()), f"OLDPWD={tmp_path}"))
    assert started.wait() == 0
    assert bundle.read("init.out") == "/\nthe container's\nthe container's\n/proc/self/cwd/..\n"


def test_a_socket_of_the_callers_is_not_passed_on(bundle: Bundle) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        started = bundle.start(leak=(theirs.fileno(),))
        assert sorted(os.listdir(f"/proc/{started.pid}/fd")) == ["0", "1", "2"]


def test_the_callers_environment_stays_outside(
        bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "/tmp/x.so")
    monkeypatch.setenv("SECRET_TOKEN", "s3cr3t")
    bundle.process["args"] = ["/bin/sleep", "1000"]
    started = bundle.start()
    environ = Path(f"/proc/{started.pid}/environ").read_bytes()
    assert {entry.split(b"=")[0] for entry in environ.split(b"\0") if entry} == {b"PATH", b"HOME"}
    code, out = started.exec("env")
    assert code == 0 and "SECRET" not in out and "PRELOAD" not in out


@pytest.fixture
def ours() -> Iterator[Runtime]:
    yield from runtime(OURS)


def test_who_comes_while_it_waits_cannot_open_what_it_runs(bundle: Bundle, ours: Runtime) -> None:
    """CVE-2019-5736, CVE-2016-9962: between create and start init is the host's Python still."""
    bundle.process["capabilities"] = dict.fromkeys(
        ("bounding", "effective", "permitted"), ["CAP_DAC_OVERRIDE", "CAP_CHOWN"])
    folder = written(bundle, "/bin/sh", "-c", "exec sleep 1000")
    said = ours("create", "--bundle", folder, "waiting")
    assert said.code == 0, said.err
    script = ("readlink /proc/1/exe || echo no exe; ls /proc/1/root/ >/dev/null || echo no root; "
              "for fd in /proc/1/fd/*; do readlink $fd; cat $fd 2>/dev/null; done; "
              "echo done")
    said = ours("exec", "--cap", "CAP_DAC_OVERRIDE", "waiting", "/bin/sh", "-c", script)
    assert said.out == "no exe\nno root\ndone\n", said
    assert ours("start", "waiting").code == 0
    said = ours("exec", "waiting", "/bin/sh", "-c", "readlink /proc/1/exe")
    assert said.out == "/bin/busybox\n"


def test_who_shares_the_processes_cannot_trace_one_that_arrives(bundle: Bundle) -> None:
    """A second container of a pod: until execve it is not to be opened by those in the first."""
    first = bundle.start()
    first.ready()
    (bundle.folder / "init.out").unlink()
    bundle.group = group_name()
    for entry in bundle.linux["namespaces"]:
        if entry["type"] == "pid":
            entry["path"] = f"/proc/{first.pid}/ns/pid"
    second = bundle.start(stop_at_created=True)
    inside = Path(f"/proc/{second.pid}/status").read_text().partition("NSpid:")[2].split()[1]
    code, out = first.exec(f"readlink /proc/{inside}/exe || echo closed")
    assert (code, out) == (0, "closed\n")
    second.ask(start=1)
    second.run()
    assert first.exec(f"readlink /proc/{inside}/exe") == (0, "/bin/busybox\n")
    second.close()  # before the first, whose end waits for all in its PID namespace


def test_a_closed_init_can_still_do_all_it_has_to(mapped: Bundle, ours: Runtime) -> None:
    """Not to be opened by others, in a user namespace: its own /proc/self is not its own either."""
    mapped.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    mapped.linux["devices"] = [{"path": "/dev/net/tun", "type": "c", "major": 10, "minor": 200}]
    (mapped.folder / "data").mkdir()
    mapped.spec["mounts"].append({"destination": "/data", "source": str(mapped.folder / "data"),
                                  "options": ["bind", "ro"]})
    folder = written(mapped, "/bin/sh", "-c", "cat /proc/sys/net/ipv4/ip_forward; "
                                              "ls -d /dev/net/tun /data; exec sleep 1000")
    said = ours("create", "--bundle", folder, "closed")
    assert said.code == 0, said.err
    assert ours("start", "closed").code == 0
    said = ours("exec", "closed", "/bin/cat", "/proc/sys/net/ipv4/ip_forward")
    assert (said.code, said.out) == (0, "1\n"), said.err
