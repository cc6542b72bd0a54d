"""Images and programs that mean harm: what they try must end inside, or end the start.

Every image here is one that a stranger could have made. The host's side of each attack is a
directory of the test's own, so that a success of the attacker would be seen and harm nobody.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest

from runtime.errors import Denied
from tests.runtime.oci.bundles import Bundle

pytestmark = pytest.mark.kernel


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory of the host, that nothing may be made in."""
    folder = tmp_path / "host"
    folder.mkdir()
    return folder


def untouched(folder: Path) -> bool:
    return os.listdir(folder) == [] and str(folder) not in Path("/proc/self/mountinfo").read_text()


@pytest.mark.parametrize("where", ["/dev", "/dev/shm", "/proc", "/sys", "/data", "/deep/er/data"])
@pytest.mark.parametrize("kind", ["absolute", "relative", "far above"])
def test_a_link_at_a_mounts_target_stays_inside(
        bundle: Bundle, outside: Path, where: str, kind: str) -> None:
    inside = bundle.rootfs / where.lstrip("/")
    if where == "/dev/shm":  # with the image's own /dev
        bundle.spec["mounts"] = [entry for entry in bundle.spec["mounts"]
                                 if not entry["destination"].startswith("/dev")]
        bundle.spec["mounts"].append({"destination": "/dev/shm", "type": "tmpfs",
                                      "source": "shm", "options": ["mode=1777"]})
    if where.endswith("data"):
        bundle.spec["mounts"].append({"destination": where, "type": "tmpfs", "source": "data"})
    if inside.is_dir():
        shutil.rmtree(inside)
    inside.parent.mkdir(parents=True, exist_ok=True)
    text = {"absolute": str(outside), "relative": os.path.relpath(outside, inside.parent),
            "far above": "../" * 20 + str(outside)}[kind]
    inside.symlink_to(text)
    if where in ("/proc", "/sys"):  # CVE-2019-19921
        assert "a link of the image leads elsewhere" in str(bundle.refused())
        assert untouched(outside)
        return
    started = bundle.start()
    assert untouched(outside)
    targets = {line.split()[4] for line in
               Path(f"/proc/{started.pid}/mountinfo").read_text().splitlines()}
    assert str(outside) in targets or kind == "relative"


def test_a_file_made_as_a_binds_target_stays_inside(bundle: Bundle, outside: Path) -> None:
    (outside.parent / "resolv.conf").write_text("nameserver 192.0.2.1\n")
    (bundle.rootfs / "etc/resolv.conf").symlink_to(outside / "stub-resolv.conf")
    bundle.spec["mounts"].append({"destination": "/etc/resolv.conf", "type": "bind",
                                  "source": str(outside.parent / "resolv.conf"),
                                  "options": ["bind", "ro"]})
    code, out, err = bundle.run("cat /etc/resolv.conf")
    assert (code, out, err) == (0, "nameserver 192.0.2.1\n", "")
    assert untouched(outside)
    assert (bundle.rootfs / str(outside).lstrip("/") / "stub-resolv.conf").exists()


def test_a_link_that_leads_to_itself_is_one_line(bundle: Bundle) -> None:
    (bundle.rootfs / "data").symlink_to("/data")
    bundle.spec["mounts"].append({"destination": "/data", "type": "tmpfs", "source": "data"})
    assert "/data" in str(bundle.refused())


def test_links_that_lead_on_for_ever_are_one_line(bundle: Bundle) -> None:
    for number in range(60):
        (bundle.rootfs / f"data{number}").symlink_to(f"/data{number + 1}")
    bundle.spec["mounts"].append({"destination": "/data0", "type": "tmpfs", "source": "data"})
    assert "ELOOP" in str(bundle.refused())


def test_a_device_below_a_link_stays_inside(bundle: Bundle, outside: Path) -> None:
    bundle.spec["mounts"] = [entry for entry in bundle.spec["mounts"]
                             if not entry["destination"].startswith("/dev")]
    (bundle.rootfs / "dev").mkdir()
    (bundle.rootfs / "dev/net").symlink_to(outside)
    bundle.linux["devices"] = [{"path": "/dev/net/tun", "type": "c", "major": 10, "minor": 200}]
    bundle.start()
    assert untouched(outside)
    node = (bundle.rootfs / str(outside).lstrip("/") / "tun").stat()
    assert stat.S_ISCHR(node.st_mode) and os.major(node.st_rdev) == 10


def test_a_false_null_hides_nothing_and_uncovers_nothing(bundle: Bundle) -> None:
    # CVE-2025-31133: /dev/null as a link to the file that the attacker wants to write.
    bundle.spec["mounts"] = [entry for entry in bundle.spec["mounts"]
                             if not entry["destination"].startswith("/dev")]
    (bundle.rootfs / "dev").mkdir()
    (bundle.rootfs / "dev/null").symlink_to("/proc/sys/kernel/core_pattern")
    assert isinstance(bundle.refused(), Denied)


def test_a_descriptor_as_working_directory_is_refused(bundle: Bundle) -> None:
    # CVE-2024-21626: a descriptor of a host's directory, left open, is a way out.
    folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        for number in (folder, *range(3, 12)):
            bundle.process["cwd"] = f"/proc/self/fd/{number}"
            error = bundle.refused(leak=(folder,))
            assert f"inside the root /proc/self/fd/{number}" in str(error)
    finally:
        os.close(folder)


def test_exec_refuses_it_as_well(bundle: Bundle) -> None:
    folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        started = bundle.start(leak=(folder,))
        for number in (folder, *range(3, 24)):
            started.ask(exec={**bundle.process, "args": ["ls"], "cwd": f"/proc/self/fd/{number}"})
            assert "error" in started.hear(), number
    finally:
        os.close(folder)


def test_descriptors_left_open_do_not_reach_the_program(bundle: Bundle) -> None:
    read, write = os.pipe()
    folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        started = bundle.start(leak=(read, write, folder))
        assert sorted(os.listdir(f"/proc/{started.pid}/fd")) == ["0", "1", "2"]
        code, out = started.exec("ls -1 /proc/$$/fd; true")
        assert (code, out.split()) == (0, ["0", "1", "2"])
    finally:
        for fd in (read, write, folder):
            os.close(fd)


def test_the_hosts_program_is_out_of_reach(bundle: Bundle) -> None:
    # CVE-2019-5736: an exec that runs "the program of the one who execs", which would be ours.
    started = bundle.start()
    assert os.readlink(f"/proc/{started.pid}/exe") == "/bin/busybox"
    code, out = started.exec("readlink /proc/self/exe; readlink /proc/1/exe")
    assert (code, out) == (0, "/bin/busybox\n/bin/busybox\n")
    started.ask(exec={**bundle.process, "args": ["/proc/self/exe", "--version"]})
    message = started.hear()
    assert "error" in message or started.hear()["status"] != 0


def test_nothing_of_the_hosts_tree_is_left_by_dots(bundle: Bundle) -> None:
    script = "cd /; cd ../../../..; ls; cd /proc/1/root/..; ls; ls /proc/1/cwd/../.."
    code, out, _ = bundle.run(script)
    assert code == 0
    seen = set(out.split())
    assert "work" not in seen and "boot" not in seen
    assert {"bin", "etc", "proc", "tmp"} <= seen


def test_the_hosts_interpreter_cannot_be_overwritten(bundle: Bundle) -> None:
    """CVE-2019-5736 at a start: an image whose program is "what runs now" is given our Python.

    It cannot write it, for the shim runs the same file as long as the container lives.
    """
    code = "import os; os.open('/proc/self/exe', os.O_RDWR)"
    for folder in filter(os.path.isdir, ("/usr", "/lib", "/lib64", sys.base_prefix)):
        bundle.spec["mounts"].append({"destination": folder, "type": "bind", "options": ["rbind"],
                                      "source": os.path.realpath(folder)})
    bundle.process["args"] = ["/proc/self/exe", "-I", "-S", "-c", code]
    started = bundle.start()
    assert started.wait() == 1 and "Text file busy" in bundle.read("init.err")
