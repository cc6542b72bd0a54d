"""The known escapes of this class of program, each really tried.

The images here are an attacker's, and beside the start runs whoever shares a volume with it: a
process that exchanges a file or directory for a link, thousands of times a second. What it is after
is the host's side of each test, a directory or file of the test's own. Each test has been seen to
fail on a runtime without the guard (the comment says which).
"""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.errors import Denied, LabError
from tests.runtime.oci.bundles import ROOT, Bundle

pytestmark = pytest.mark.kernel
STARTS = 12
RENAME_EXCHANGE, AT_FDCWD = 2, -100
LIBC = ctypes.CDLL(None, use_errno=True)


@contextmanager
def exchanging(one: Path, other: Path) -> Iterator[None]:
    """Another process exchanges the two names, as fast as it can."""
    names = os.fsencode(one), os.fsencode(other)
    child = os.fork()
    if child == 0:
        while True:
            LIBC.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE)
    try:
        yield
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def starts(bundle: Bundle, times: int = STARTS) -> Iterator[int]:
    """Start over and over: the pids of those that were not refused, one at a time."""
    for _ in range(times):
        try:
            started = bundle.start()
        except LabError:
            bundle.started.pop().close()
            continue
        yield started.pid
        bundle.started.pop().close()


def table(pid: int) -> list[tuple[str, str, str]]:
    """(root within its file system, target, type) of what is mounted inside."""
    rows = []
    for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        rows.append((*before.split()[3:5], after.split()[0]))
    return rows


@pytest.fixture
def volume(bundle: Bundle, tmp_path: Path) -> Path:
    """A directory that the container shares with the attacker, at /volume."""
    shared = tmp_path / "volume"
    shared.mkdir()
    bundle.spec["mounts"].append({"destination": "/volume", "type": "bind", "source": str(shared),
                                  "options": ["rbind", "rprivate"]})
    return shared


def own_dev(bundle: Bundle, tmp_path: Path) -> Path:
    """The image's own /dev instead of a tmpfs, with its devpts: the attacker may reach into it."""
    bundle.spec["mounts"] = [entry for entry in bundle.spec["mounts"]
                             if entry["destination"] in ("/proc", "/sys", "/dev/pts")]
    dev = bundle.rootfs / "dev"
    (dev / "pts").mkdir(parents=True)
    return dev


@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_a_mounts_target_exchanged_for_a_link(
        bundle: Bundle, volume: Path, tmp_path: Path, kind: str) -> None:
    """CVE-2021-30465. Fails where the target is joined to the root's path and mounted on."""
    outside = tmp_path / "outside"
    (outside / "there").mkdir(parents=True)
    (volume / "place/there").mkdir(parents=True)
    (volume / "link").symlink_to(outside)
    bundle.spec["mounts"].append({
        "destination": "/volume/place/there/made", "type": kind,
        "source": str(ROOT / "tests") if kind == "bind" else "tmpfs",
        "options": ["rbind", "ro"] if kind == "bind" else ["nosuid"]})
    with exchanging(volume / "place", volume / "link"):
        assert len(list(starts(bundle))) > 0
    assert os.listdir(outside / "there") == [], "made on the host"


def test_a_target_that_leads_into_proc(bundle: Bundle, volume: Path) -> None:
    """CVE-2025-52881: a tmpfs over /proc/self/attr takes what we write there, and nothing happens.

    Fails without places.py:refuse_proc.
    """
    (volume / "place").mkdir()
    (volume / "link").symlink_to("/proc/self/attr")
    bundle.spec["mounts"].append({"destination": "/volume/place", "type": "tmpfs",
                                  "source": "tmpfs"})
    hidden = set(bundle.linux["maskedPaths"])
    with exchanging(volume / "place", volume / "link"):
        for pid in starts(bundle):
            assert [target for _, target, kind in table(pid) if kind == "tmpfs"
                    and target.startswith("/proc/") and target not in hidden] == []


@pytest.mark.parametrize("destination", ["/proc", "/proc/", "/proc/./sys", "/data", "/proc/self"])
@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_what_is_no_procfs_does_not_lie_on_proc(
        bundle: Bundle, tmp_path: Path, destination: str, kind: str) -> None:
    """CVE-2019-16884, CVE-2019-19921: labels and limits would be written to the image's files."""
    if destination == "/data":
        (bundle.rootfs / "data").symlink_to("/proc/sys")
    bundle.spec["mounts"].append({"destination": destination, "type": kind,
                                  "source": str(tmp_path), "options": ["rbind"][:kind == "bind"]})
    error = bundle.refused()
    assert isinstance(error, Denied) and "cannot be mounted because" in str(error)


def test_a_procfs_of_the_image_is_not_written_to(bundle: Bundle) -> None:
    """Without a mount at /proc: what we would write goes nowhere, and the start says so."""
    bundle.spec["mounts"] = [entry for entry in bundle.spec["mounts"]
                             if entry["destination"] != "/proc"]
    bundle.linux.update(maskedPaths=[], readonlyPaths=[], sysctl={"net.ipv4.ip_forward": "1"})
    file = bundle.rootfs / "proc/sys/net/ipv4/ip_forward"
    file.parent.mkdir(parents=True)
    file.write_text("0\n")
    error = bundle.refused()
    assert isinstance(error, Denied) and "is not the kernel's procfs" in str(error)
    assert file.read_text() == "0\n"


def test_the_null_device_exchanged_for_a_link(bundle: Bundle, tmp_path: Path) -> None:
    """CVE-2025-31133: what hides /proc/keys would be any file of /proc, to be written.

    Fails where the source of the mask is the name /dev/null.
    """
    dev = own_dev(bundle, tmp_path)
    os.mknod(dev / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    (dev / "link").symlink_to("/proc/sys/kernel/hostname")
    hidden = ["/proc/keys", "/proc/interrupts", "/proc/timer_list"] * 3
    bundle.linux["maskedPaths"] = hidden
    with exchanging(dev / "null", dev / "link"):
        for pid in starts(bundle, 2 * STARTS):
            seen = {root for root, target, _ in table(pid) if target in hidden}
            assert not any("hostname" in root for root in seen), seen
            assert os.stat(f"/proc/{pid}/root/proc/keys").st_rdev == os.makedev(1, 3)


def test_the_console_exchanged_for_a_link(bundle: Bundle, tmp_path: Path) -> None:
    """CVE-2025-52565: the terminal over a file of /proc, past what is masked and read-only.

    Fails where the target is the name /dev/console.
    """
    dev = own_dev(bundle, tmp_path)
    (dev / "console").write_text("")
    (bundle.rootfs / "etc/goal").write_text("")
    (dev / "link").symlink_to("/etc/goal")
    bundle.process["terminal"] = True
    with exchanging(dev / "console", dev / "link"):
        for pid in starts(bundle):
            targets = {target for root, target, kind in table(pid) if kind == "devpts"}
            assert "/etc/goal" not in targets, targets


def test_a_terminal_that_is_none(bundle: Bundle, tmp_path: Path) -> None:
    """/dev/pts/ptmx of the image: a file, or a node of the host's terminals."""
    own_dev(bundle, tmp_path)
    bundle.spec["mounts"] = bundle.spec["mounts"][:1]
    bundle.process["terminal"] = True
    ptmx = bundle.rootfs / "dev/pts/ptmx"
    ptmx.write_text("")
    assert "open_pty" in str(bundle.refused())
    ptmx.unlink()
    os.mknod(ptmx, 0o666 | stat.S_IFCHR, os.makedev(5, 2))
    assert isinstance(bundle.refused(), LabError)


@pytest.mark.parametrize("what", ["a link", "a file", "another device", "a directory"])
def test_a_device_that_is_another(bundle: Bundle, tmp_path: Path, what: str) -> None:
    """A node that is there already is the image's word: it has to be the one that was asked for."""
    dev = own_dev(bundle, tmp_path)
    zero = dev / "zero"
    {"a link": lambda: zero.symlink_to("/etc/passwd"), "a file": lambda: zero.write_text(""),
     "a directory": zero.mkdir,
     "another device": lambda: os.mknod(zero, 0o666 | stat.S_IFCHR, os.makedev(1, 1))}[what]()
    error = bundle.refused()
    assert isinstance(error, Denied) and "/dev/zero: the image has something else" in str(error)


def test_a_device_made_through_an_exchanged_directory(
        bundle: Bundle, volume: Path, tmp_path: Path) -> None:
    """Fails where the node's path is joined to the root's."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (volume / "place").mkdir()
    (volume / "link").symlink_to(outside)
    bundle.linux["devices"] = [{"path": "/volume/place/kmem", "type": "c", "major": 1, "minor": 3}]
    with exchanging(volume / "place", volume / "link"):
        assert len(list(starts(bundle))) > 0
    assert os.listdir(outside) == []


def test_the_hosts_dev_is_not_ours_to_fill(bundle: Bundle, tmp_path: Path) -> None:
    dev = tmp_path / "hosts-dev"
    dev.mkdir()
    os.mknod(dev / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    bundle.spec["mounts"] = [entry for entry in bundle.spec["mounts"]
                             if not entry["destination"].startswith("/dev")]
    bundle.spec["mounts"].append({"destination": "/dev", "type": "bind", "source": str(dev),
                                  "options": ["rbind", "rprivate"]})
    assert bundle.run("echo in > /dev/null; ls /dev")[:2] == (0, "null\n")
    assert os.listdir(dev) == ["null"]


def with_libraries(bundle: Bundle) -> None:
    """What the host's Python needs to run, so that the attacker has it easy."""
    for folder in filter(os.path.isdir, ("/usr", "/lib", "/lib64", sys.base_prefix)):
        bundle.spec["mounts"].append({"destination": folder, "type": "bind", "options": ["rbind"],
                                      "source": os.path.realpath(folder)})


# Hold what runs now, become another program, and wait until nobody runs it.
OVERWRITE = """
import os
fd = os.open("/proc/self/exe", os.O_RDONLY)
os.set_inheritable(fd, True)
os.execv("/bin/sh", ["sh", "-c", '''
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    ( : 9<>/proc/self/fd/%d ) 2> /tmp/said && { echo overwritten; exit; }
    grep -q Read-only /tmp/said && break; sleep 0.1
done
cat /tmp/said''' % fd])
"""


@pytest.mark.parametrize("how, detached, answer", [
    ("the program", True, "Read-only file system"),
    ("an interpreter's line", True, "Read-only file system"),
    # Who waits runs it as long as anybody in there lives.
    ("the program", False, "Text file busy"),
])
def test_the_runtime_cannot_be_overwritten(bundle: Bundle, tmp_path: Path, how: str,
                                           detached: bool, answer: str) -> None:
    """CVE-2019-5736: "what runs now" is, at execve, still the host's Python.

    Run by a copy of the interpreter that nobody else runs: once the command has ended, "text file
    busy" is no answer any more. Fails without sealed.py.
    """
    with_libraries(bundle)
    (bundle.rootfs / "etc/code.py").write_text(f"#!/proc/self/exe\n{OVERWRITE}")
    (bundle.rootfs / "etc/code.py").chmod(0o755)
    bundle.process["args"] = ["/proc/self/exe", "-I", "-S", "/etc/code.py"] \
        if how == "the program" else ["/etc/code.py"]
    bundle.write()
    interpreter = shutil.copy(os.path.realpath(sys.executable), tmp_path / "python")
    words = ["--root", str(tmp_path / "state"), "run", "--bundle", str(bundle.folder),
             *(["--detach"] if detached else [])]
    command = [sys.executable, "-I", "-S", f"{ROOT}/lab/start.py", "oci"]
    ident = bundle.group.strip("/")
    try:
        ended = subprocess.run(
            [*command, *words, ident], executable=interpreter, text=True, capture_output=True,
            stdin=subprocess.DEVNULL, timeout=30,
            env={"CONTAINER_LAB_ROOT": str(bundle.folder), "PATH": "/usr/bin:/bin"})
    finally:
        subprocess.run([*command, *words[:2], "delete", "--force", ident], capture_output=True)
    assert ended.stdout.endswith(f"{answer}\n"), ended


@pytest.mark.parametrize("own_pids", [True, False])
def test_who_waits_is_sealed_where_it_may_be_outlived(bundle: Bundle, tmp_path: Path,
                                                      own_pids: bool) -> None:
    """Without a pid namespace those inside are not the kernel's to end with the first of them."""
    if not own_pids:
        spaces = bundle.spec["linux"]["namespaces"]
        bundle.spec["linux"]["namespaces"] = [each for each in spaces if each["type"] != "pid"]
    bundle.process["args"] = ["sh", "-c", "echo here; read word"]
    bundle.write()
    with subprocess.Popen(
            [sys.executable, "-I", "-S", f"{ROOT}/lab/start.py", "oci", "--root",
             str(tmp_path / "state"), "run", "--bundle", str(bundle.folder),
             bundle.group.strip("/")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"here\n"
        sealed = bool(os.statvfs(f"/proc/{running.pid}/exe").f_flag & os.ST_RDONLY)
        running.communicate(b"\n", timeout=30)
    assert running.returncode == 0
    assert sealed is not own_pids


def test_nothing_of_the_host_is_left_in_the_process(bundle: Bundle) -> None:
    """Descriptors, directories, mapped files, variables: all are the container's."""
    started = bundle.start(prefix=("env", "SECRET=of-the-caller"))
    base = f"/proc/{started.pid}"
    assert sorted(os.listdir(f"{base}/fd")) == ["0", "1", "2"]
    assert os.readlink(f"{base}/cwd") == "/" and os.readlink(f"{base}/exe") == "/bin/busybox"
    mapped = {line.split()[-1] for line in Path(f"{base}/maps").read_text().splitlines()
              if line.split()[-1].startswith("/")}
    assert mapped == {"/bin/busybox"}
    assert "SECRET" not in Path(f"{base}/environ").read_text()
    roots = {target for _, target, _ in table(started.pid)}
    assert not any(target.startswith(str(bundle.folder)) for target in roots)
    assert os.stat(f"{base}/root").st_ino == os.stat(bundle.rootfs).st_ino
    assert os.stat(f"{base}/root/..").st_ino == os.stat(bundle.rootfs).st_ino


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="no setpriv here")
def test_nothing_of_the_callers_rights_is_inherited(bundle: Bundle) -> None:
    """CVE-2022-29162: groups and inheritable capabilities of whoever starts it."""
    started = bundle.start(prefix=("setpriv", "--groups", "5,10", "--inh-caps", "+net_admin"))
    status = Path(f"/proc/{started.pid}/status").read_text()
    assert "\nGroups:\t \n" in status or "\nGroups:\t\n" in status
    assert "\nCapInh:\t0000000000000000\n" in status
    assert "\nCapAmb:\t0000000000000000\n" in status
