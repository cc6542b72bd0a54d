"""Files: nothing leads out of a root, and a control file's answer is never lost."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import KernelError, LabError
from runtime.kernel import files, mounts, namespaces
from runtime.trace.recorder import recording


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/passwd").write_text("inside")
    (tmp_path / "secret").write_text("outside")
    for name, goal in (("absolute", "/etc/passwd"), ("dots", "../../../../etc/passwd"),
                       ("out", str(tmp_path / "secret")), ("magic", "/proc/self/root/etc/passwd")):
        (tmp_path / "root" / name).symlink_to(goal)
    return tmp_path / "root"


def opened(root: Path, path: str) -> str:
    folder = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        fd = files.open_in_root(folder, path, os.O_RDONLY)
        assert not os.get_inheritable(fd)
        with open(fd) as file:
            return file.read()
    finally:
        os.close(folder)


@pytest.mark.parametrize("path", ["etc/passwd", "absolute", "dots", "../../etc/passwd"])
def test_no_link_leads_out(root: Path, path: str) -> None:
    assert opened(root, path) == "inside"


@pytest.mark.parametrize("path", ["out", "magic", "none"])
def test_what_is_not_inside_is_not_there(root: Path, path: str) -> None:
    with pytest.raises(KernelError) as caught:
        opened(root, path)
    assert caught.value.errno == errno.ENOENT and path in str(caught.value)


def test_a_link_of_a_descriptor_is_refused() -> None:
    with pytest.raises(KernelError) as caught:
        opened(Path("/"), "proc/self/fd/0")
    assert caught.value.errno == errno.ELOOP


def test_an_open_path_prints_as_what_it_leads_to(root: Path) -> None:
    fd = os.open(root, os.O_PATH)
    place = files.Opened(fd, "/dev/")
    assert place + "" == f"/proc/self/fd/{fd}" and str(place) == "/dev/"
    assert str(place.below("null")) == "/dev/null"
    assert os.readlink(place) == str(root)
    (root / "pts").mkdir()
    assert os.path.isdir(place.below("pts"))
    os.close(fd)


def test_a_control_file_is_written_once_and_its_error_kept(tmp_path: Path) -> None:
    path = tmp_path / "pids.max"
    path.write_text("max and more")
    files.write_control(str(path), "20")
    assert path.read_text().startswith("20x") or path.read_text().startswith("20")
    with pytest.raises(KernelError) as caught:
        files.write_control("/proc/self/uid_map", "0 0 99999999999")
    assert "'0 0 99999999999' to /proc/self/uid_map" in str(caught.value)
    with pytest.raises(KernelError, match="ENOENT"):
        files.write_control(str(tmp_path / "none"), "1")
    assert not (tmp_path / "none").exists(), "a control file is never made"
    with pytest.raises(KernelError, match="EBADF"):
        files.write_open_control(99999, "0", "/sys/x")


def test_reading(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 200000 + b"\xff")
    text = files.read(str(tmp_path / "big"))
    assert text is not None and len(text) == 200001
    assert files.read(str(tmp_path / "none")) is None
    assert files.read(str(tmp_path)) is None
    assert "Name:" in (files.read("/proc/self/status") or "")


def test_making_is_told_and_does_it(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_PATH)
    with recording() as recorder:
        files.mkdir(f"{tmp_path}/c", 0o700)
        files.mkdir_at(folder, "d")
        files.make_file(f"{tmp_path}/file")
        files.make_file_at(folder, "other")
        files.symlink("goal", f"{tmp_path}/link")
        files.symlink("another", f"{tmp_path}/link")
        files.chmod(f"{tmp_path}/file", 0o600)
        files.chown(f"{tmp_path}/file", -1, -1)
        files.rmdir(f"{tmp_path}/d")
        files.unlink(f"{tmp_path}/other")
    os.close(folder)
    assert sorted(os.listdir(tmp_path)) == ["c", "file", "link"]
    assert os.readlink(tmp_path / "link") == "goal", "one that is there is left"
    assert [each.name for each in recorder.operations] == [
        "mkdir", "mkdir_at", "make_file", "make_file_at", "symlink", "symlink", "chmod",
        "chown", "rmdir", "unlink"]
    assert recorder.operations[0].to_data()["arguments"]["mode"] == "0700"


def test_a_file_is_never_made_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "goal")
    with pytest.raises(OSError):
        files.make_file(str(tmp_path / "link"))
    assert not (tmp_path / "goal").exists()


@pytest.mark.timeout(5)
def test_a_fifo_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="No such device or address"):
        files.make_file(str(tmp_path / "fifo"))


def test_a_directory_to_go_to(tmp_path: Path) -> None:
    here = os.getcwd()
    fd = os.open(tmp_path, os.O_PATH)
    try:
        files.fchdir(fd, "/data")
        assert os.getcwd() == str(tmp_path)
        files.chdir("/")
        with pytest.raises(KernelError, match="chdir /no/such: ENOENT"):
            files.chdir("/no/such")
    finally:
        os.close(fd)
        os.chdir(here)


def test_which_file_system_a_file_is_on() -> None:
    for path, magic in (("/proc/self/status", files.PROC_SUPER_MAGIC), ("/proc/1", 0x9FA0)):
        fd = os.open(path, os.O_PATH)
        assert files.file_system(fd) == magic
        os.close(fd)
    fd = os.open("/dev/null", os.O_PATH)
    assert files.file_system(fd) != files.PROC_SUPER_MAGIC
    os.close(fd)
    with pytest.raises(KernelError, match="fstatfs"):
        files.file_system(fd)


def test_a_path_may_print_as_another() -> None:
    place = files.Shown(".", "/proc/acpi")
    assert place + "" == "." and str(place) == f"{place}" == "/proc/acpi"


def test_a_path_walked_while_everything_is_renamed(
        root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """openat2 says EAGAIN then, and is asked again."""
    answers = iter([-1, -1, 77])
    monkeypatch.setattr(files, "syscall", lambda *args: next(answers))
    monkeypatch.setattr(files.foreign, "get_errno", lambda: errno.EAGAIN)
    assert files.open_in_root(3, "etc", os.O_PATH) == 77
    monkeypatch.setattr(files, "syscall", lambda *args: -1)
    with pytest.raises(KernelError) as caught:
        files.open_in_root(3, "etc", os.O_PATH)
    assert caught.value.errno == errno.EAGAIN


@pytest.mark.parametrize("path", ["/proc/self/root/proc/self/comm", "/proc/../etc/x", "/proc/self"])
def test_a_control_file_of_proc_is_procs(path: str) -> None:
    """No way round by a magic link or dots: what is written goes to the kernel."""
    with pytest.raises(KernelError):
        files.write_control(path, "x")
    files.write_control("/proc/self/oom_score_adj", (files.read("/proc/self/oom_score_adj") or ""))


@pytest.mark.kernel
@pytest.mark.parametrize("over", ["/proc", "/proc/sys"])
def test_nothing_is_written_to_what_lies_over_it(
        child: Callable[[Callable[[], Any]], Any], tmp_path: Path, over: str) -> None:
    """CVE-2019-16884, CVE-2025-52881: a tmpfs over /proc, or over a part of it."""
    def action() -> list[str]:
        namespaces.unshare(namespaces.CLONE_NEWNS)
        mounts.mount(None, "/", None, mounts.MS_PRIVATE | mounts.MS_REC)
        mounts.mount("none", over, "tmpfs")
        os.makedirs("/proc/sys/vm")
        Path("/proc/sys/vm/overcommit_ratio").write_text("50")
        try:
            files.write_control("/proc/sys/vm/overcommit_ratio", "51")
        except LabError as error:
            return [str(error), Path("/proc/sys/vm/overcommit_ratio").read_text()]
        return []

    error, text = child(action)
    assert ("is not the kernel's procfs" in error if over == "/proc" else "EXDEV" in error), error
    assert text == "50"
