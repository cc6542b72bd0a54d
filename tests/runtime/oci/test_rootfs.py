"""The root on the real kernel: what is hidden, sealed and made, and where options end up."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from runtime.kernel import files
from runtime.kernel import mounts as kernel
from runtime.oci.mounts import Options, attributes, is_bind
from runtime.oci.rootfs import mount_of
from tests.runtime.oci.bundles import Bundle


def test_options_by_the_call_that_takes_them() -> None:
    options = Options(["nosuid", "ro", "rslave", "mode=755", "size=1m", "rro", "rdev", "exec"])
    assert options.flags == kernel.MS_NOSUID | kernel.MS_RDONLY
    assert options.propagation == [kernel.MS_SLAVE | kernel.MS_REC]
    assert options.data == "mode=755,size=1m"
    assert options.recursive == kernel.MOUNT_ATTR_RDONLY
    assert options.recursive_clear == kernel.MOUNT_ATTR_NODEV
    assert options.cleared == kernel.MS_NOEXEC


def test_a_later_option_takes_back_an_earlier() -> None:
    assert Options(["ro", "nosuid", "rw", "suid"]).flags == 0
    assert Options([]).data is None


def test_what_a_bind_is() -> None:
    assert is_bind({"type": "bind"}) and is_bind({"type": "none", "options": ["rbind"]})
    assert not is_bind({"type": "tmpfs", "options": ["ro"]})


def test_flags_as_attributes() -> None:
    assert attributes(kernel.MS_RDONLY | kernel.MS_NOATIME | kernel.MS_BIND) == (
        kernel.MOUNT_ATTR_RDONLY | kernel.MOUNT_ATTR_NOATIME)


def test_the_mount_a_path_lies_on(tmp_path: Path) -> None:
    assert mount_of("/proc/self/fd")[0] == "/proc"
    assert mount_of(str(tmp_path))[0] in ("/", "/tmp", str(tmp_path))


def test_a_mount_point_may_be_called_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    table = "".join(f"1 1 0:1 / {point} rw shared:7 - ext4 /dev/x rw\n"
                    for point in ("/", "/my\\040thés", "/my", "/back\\134040"))
    monkeypatch.setattr(files, "read", lambda path: table)
    assert mount_of("/my thés/rootfs") == ("/my thés", True)
    assert mount_of("/my/rootfs")[0] == "/my" and mount_of("/mythical")[0] == "/"
    assert mount_of("/back\\040/x")[0] == "/back\\040"


@pytest.mark.kernel
def test_a_hidden_directory_is_hidden_as_working_directory_too(bundle: Bundle) -> None:
    bundle.process["cwd"] = "/proc/acpi"
    code, out, _ = bundle.run("ls -A . | wc -l; (echo > x) 2>&1")
    assert code != 0 and out.startswith("0\n") and "Read-only" in out


@pytest.mark.kernel
@pytest.mark.parametrize(("entry", "said"), [
    ({"destination": "/data", "type": "nosuchfs", "source": "none"},
     'error mounting "none" to rootfs at "/data": mount nosuchfs on /data: ENODEV'),
    ({"destination": "/proc/sys", "type": "tmpfs", "source": "tmpfs"},
     'error mounting "tmpfs" to rootfs at "/proc/sys": "/proc/sys" cannot be mounted because it is '
     "inside /proc"),
    ({"destination": "/data", "type": "bind", "source": "/no/such", "options": ["bind"]},
     'error mounting "/no/such" to rootfs at "/data": open_tree /no/such: ENOENT')])
def test_an_error_names_the_mount(bundle: Bundle, entry: dict[str, Any], said: str) -> None:
    bundle.spec["mounts"].append(entry)
    assert str(bundle.refused()).startswith(said)


@pytest.mark.kernel
@pytest.mark.parametrize("path", ["/proc", "/sys"])
def test_proc_and_sys_lie_on_ordinary_directories(bundle: Bundle, path: str) -> None:
    (bundle.rootfs / "elsewhere").mkdir()
    place = bundle.rootfs / path.strip("/")
    if place.is_dir():
        place.rmdir()
    place.symlink_to("/elsewhere")
    assert "must be mounted on ordinary directory" in str(bundle.refused())


@pytest.mark.kernel
def test_a_sysctl_of_its_own(bundle: Bundle) -> None:
    bundle.linux["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.shmmni": "77"}
    here = Path("/proc/sys/kernel/shmmni").read_text()
    code, out, _ = bundle.run("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni;"
                              "echo 5 > /proc/sys/kernel/shmmni || echo sealed")
    assert (code, out.split()) == (0, ["1", "77", "sealed"])
    assert Path("/proc/sys/kernel/shmmni").read_text() == here


@pytest.mark.kernel
def test_a_read_only_root_with_a_directory_to_make(bundle: Bundle) -> None:
    bundle.spec["root"]["readonly"] = True
    bundle.process["cwd"] = "/new/directory"
    code, out, _ = bundle.run("pwd; touch x 2>/dev/null || echo sealed; touch /dev/shm/x && echo y")
    assert (code, out.split()) == (0, ["/new/directory", "sealed", "y"])


@pytest.mark.kernel
def test_an_overlay_as_root(bundle: Bundle) -> None:
    for name in ("upper", "work", "other"):
        (bundle.folder / name).mkdir()
    lower = bundle.folder / "lower"
    bundle.rootfs.rename(lower)
    bundle.rootfs.mkdir()
    (bundle.folder / "other/only-here").write_text("top\n")
    options = [f"lowerdir={bundle.folder}/other:{lower}", f"upperdir={bundle.folder}/upper",
               f"workdir={bundle.folder}/work"]
    code, out, _ = bundle.run("cat /only-here; echo new > /etc/new; rm /etc/passwd",
                              root_mounts=[{"type": "overlay", "source": "overlay",
                                            "options": options}])
    assert (code, out) == (0, "top\n")
    assert (bundle.folder / "upper/etc/new").read_text() == "new\n"
    assert os.stat(bundle.folder / "upper/etc/passwd").st_rdev == 0
    assert (lower / "etc/passwd").exists() and os.listdir(bundle.rootfs) == []


@pytest.mark.kernel
def test_read_only_all_the_way_down(bundle: Bundle, tmp_path: Path) -> None:
    bundle.spec["mounts"].append({"destination": "/data", "type": "bind", "source": "/proc",
                                  "options": ["rbind", "rro", "rprivate"]})
    started = bundle.start()
    table = Path(f"/proc/{started.pid}/mountinfo").read_text()
    rows = [row.split() for row in table.splitlines() if row.split()[4].startswith("/data")]
    assert rows and all("ro" in row[5].split(",") for row in rows)


@pytest.mark.kernel
def test_the_callers_umask_goes_through_nothing(bundle: Bundle) -> None:
    bundle.spec["mounts"].append({"destination": "/made/up", "type": "tmpfs", "source": "tmpfs"})
    bundle.script("umask; stat -c %a /made /dev/null /dev/shm; touch /tmp/x; stat -c %a /tmp/x")
    started = bundle.start(prefix=("sh", "-c", 'umask 077; exec "$@"', "sh"))
    assert started.wait() == 0
    assert bundle.read("init.out").split() == ["0022", "755", "666", "1777", "644"]
