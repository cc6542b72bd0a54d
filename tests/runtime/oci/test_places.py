"""Places inside a root: what is made, what leads out, and what lies on /proc."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.errors import Denied, KernelError
from runtime.oci import places


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    fd = os.open(tmp_path / "root", os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


@pytest.mark.parametrize(("path", "wanted"), [
    ("/data", "/data"), ("data", "/data"), ("//data//", "/data"), ("/a/./b/../c", "/a/c"),
    ("../..", "/"), ("", "/")])
def test_a_destination_from_the_root(path: str, wanted: str) -> None:
    assert places.whole(path) == wanted


@pytest.mark.parametrize("path", ["/data", "data/deep/er", "/data/./x", "/new/../data", "/etc"])
def test_a_folder_is_made_where_it_is_missing(root: int, path: str) -> None:
    fd = places.target(root, path, True)
    assert places.real(root, fd) == os.path.normpath(f"/{path.lstrip('/')}")
    assert os.fstat(fd).st_mode & 0o777 == 0o755
    os.close(fd)


def test_a_file_is_made_for_a_file(root: int, tmp_path: Path) -> None:
    os.close(places.target(root, "/etc/deep/resolv.conf", False))
    assert (tmp_path / "root/etc/deep/resolv.conf").read_bytes() == b""


@pytest.mark.parametrize("text", ["/outside", "../outside", "../../../../outside", "OUT"])
def test_what_a_link_leads_to_is_made_inside(root: int, tmp_path: Path, text: str) -> None:
    text = str(tmp_path / "outside/new") if text == "OUT" else text
    (tmp_path / "root/link").symlink_to(text)
    os.close(places.target(root, "/link/below", True))
    assert os.listdir(tmp_path / "outside") == []


@pytest.mark.parametrize(("links", "path", "wanted"), [
    ({"jump": "/tmp/foo/bar", "etc/hosts": "/jump/baz/hosts"}, "etc/hosts",
     "/tmp/foo/bar/baz/hosts"),
    ({"jump": "../../../../tmp/foo/bar/..//./../bar"}, "/jump/hosts", "/tmp/bar/hosts"),
    ({"jump": "/a/b/c"}, "/jump/none/../../x/hosts", "/a/b/x/hosts"),
    ({"jump": "/a/b/none/../d"}, "/jump/hosts", "/a/b/d/hosts")])
def test_links_that_lead_to_nothing_yet(root: int, tmp_path: Path, links: dict[str, str],
                                        path: str, wanted: str) -> None:
    """Dots count from where the links before them have led."""
    for name, text in links.items():
        (tmp_path / "root" / name).symlink_to(text)
    fd = places.target(root, path, False)
    assert places.real(root, fd) == wanted
    os.close(fd)


def test_nothing_is_there(root: int) -> None:
    assert places.there(root, "/data") is None
    assert places.there(root, "/etc/none/x") is None


def test_a_file_on_the_way(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/etc/passwd").write_text("")
    with pytest.raises(KernelError) as caught:
        places.target(root, "/etc/passwd/x", True)
    assert caught.value.errno == errno.ENOTDIR


def test_links_without_an_end(root: int, tmp_path: Path) -> None:
    (tmp_path / "root/one").symlink_to("two")
    (tmp_path / "root/two").symlink_to("one")
    with pytest.raises(KernelError) as caught:
        places.target(root, "/one", True)
    assert caught.value.errno == errno.ELOOP


@pytest.mark.parametrize(("path", "brings_proc", "fine"), [
    ("/proc", True, True), ("/proc", False, False), ("/proc/sys", False, False),
    ("/proc/sys", True, False), ("/proc/cpuinfo", False, True), ("/proc/net/dev", False, True),
    ("/etc", False, True), ("/procedure", False, True)])
def test_next_to_nothing_lies_on_proc(root: int, tmp_path: Path, path: str, brings_proc: bool,
                                      fine: bool) -> None:
    """By name alone: the procfs itself is mounted later, or is not there at all."""
    fd = places.target(root, path, "cpu" not in path)
    try:
        places.refuse_proc(root, fd, path, brings_proc)
        assert fine
    except Denied as error:
        assert not fine and "cannot be mounted because" in str(error)
    finally:
        os.close(fd)


def test_nor_behind_a_link() -> None:
    """By what it is: a destination of another name that leads into a procfs."""
    top = os.open("/", os.O_PATH | os.O_DIRECTORY)
    fd = os.open("/proc/sys", os.O_PATH)
    with pytest.raises(Denied, match='"/proc/sys" cannot be mounted because it is inside /proc'):
        places.refuse_proc(top, fd, "/data", False)
    os.close(fd)
    os.close(top)
