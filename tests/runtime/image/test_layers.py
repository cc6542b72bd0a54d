"""Unpacking: like GNU tar for honest archives, and inside its folder for all others."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import stat
import subprocess
from pathlib import Path

import pytest

from runtime.errors import Invalid, LabError, Unsupported
from runtime.image.archive import split
from runtime.image.layers import extract


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "victim").write_text("untouched")
    (tmp_path / "layer").mkdir()
    return tmp_path / "layer"


def outside(root: Path) -> list[tuple[str, str]]:
    """Everything beside the layer's folder: it must stay one file of one content."""
    return [(path.name, path.read_text()) for path in root.parent.iterdir() if path != root]


def test_diff_id_is_the_digest_of_the_plain_archive(tar, root: Path) -> None:
    plain = tar(("etc/",), ("etc/motd", b"hello\n"))
    expected = "sha256:" + hashlib.sha256(plain.getvalue()).hexdigest()
    assert extract(io.BytesIO(gzip.compress(plain.getvalue())), str(root)) == (expected, 6)
    assert (root / "etc/motd").read_text() == "hello\n"


@pytest.mark.parametrize("entries", [
    [("../victim", b"x")],
    [("a/../../victim", b"x")],
    [("..", "DIRTYPE")],
    [("x", "LNKTYPE", "../victim")],
    [("x", "LNKTYPE", "/"), ],
    [("x", "LNKTYPE", "nothing")],
    [(".wh...", b"")],
    [(".wh..", b"")],
    [(".wh.", b"")],
    [("", "SYMTYPE", "/etc")],
    [("./", b"a file as the root")],
    [("loop", "SYMTYPE", "loop"), ("loop/x", b"x")],
    [("file", b"x"), ("file/x", b"x")],
    [("x\0y/../../victim", b"x")],
])
def test_an_entry_that_does_not_belong_is_refused(tar, root: Path, entries: list) -> None:
    try:
        extract(tar(*entries), str(root))
    except LabError as error:
        assert isinstance(error, Invalid)
        assert str(error).startswith("unpack layer: ")
    else:
        assert entries == [("x\0y/../../victim", b"x")]  # tar itself ends a name at a NUL
    assert outside(root) == [("victim", "untouched")]


def test_the_refused_entry_is_named(tar, root: Path) -> None:
    with pytest.raises(Invalid, match=r"^unpack layer: a/\.\./\.\./victim: .* \(\.\.\)$"):
        extract(tar(("a/../../victim", b"x")), str(root))


@pytest.mark.parametrize(("links", "through", "arrives"), [
    ([("up", "..")], "up/victim", "victim"),
    ([("up", "../../../..")], "up/victim", "victim"),
    ([("etc", "/")], "etc/victim", "victim"),
    ([("a", "/b"), ("b", "../c"), ("c", "/")], "a/victim", "victim"),
    ([("lib", "usr/lib")], "lib/x.so", "usr/lib/x.so"),
    ([("a", "d/.."), ("d", "e/f")], "a/x", "e/x"),
])
def test_links_on_the_way_lead_where_a_chroot_would(tar, root: Path, links: list, through: str,
                                                   arrives: str) -> None:
    extract(tar(*[(name, "SYMTYPE", to) for name, to in links], (through, b"x")), str(root))
    assert (root / arrives).read_text() == "x"
    assert outside(root) == [("victim", "untouched")]


def test_a_link_in_the_last_place_is_replaced_not_followed(tar, root: Path) -> None:
    target = str(root.parent / "victim")
    extract(tar(("x", "SYMTYPE", target), ("x", b"mine")), str(root))
    assert (root / "x").read_text() == "mine"
    assert outside(root) == [("victim", "untouched")]


def test_a_hard_link_to_a_link_stays_a_link(tar, root: Path) -> None:
    target = str(root.parent / "victim")
    extract(tar(("link", "SYMTYPE", target), ("hard", "LNKTYPE", "link"), ("hard", b"mine")),
            str(root))
    assert outside(root) == [("victim", "untouched")]


def test_the_time_of_a_folder_that_became_a_link_is_forgotten(tar, root: Path) -> None:
    (root.parent / "host" / "b").mkdir(parents=True)
    os.utime(root.parent / "host" / "b", (5, 5))
    extract(tar(("a/b/",), ("a", "SYMTYPE", str(root.parent / "host"))), str(root))
    assert (root.parent / "host" / "b").stat().st_mtime == 5


def test_random_trees_of_links_never_lead_out(tar, tmp_path: Path) -> None:
    chance = random.Random(7)
    (tmp_path / "victim").write_text("untouched")
    names, targets = "abcd", ["..", "/", "../..", "a", "b/..", "/c/d", "../victim", "d", "."]
    for attempt in range(200):
        root = tmp_path / str(attempt)
        root.mkdir()
        entries: list[tuple] = []
        for _ in range(12):
            name = "/".join(chance.choices(names, k=chance.randint(1, 4)))
            kind = chance.choice(["SYMTYPE", "LNKTYPE", "DIRTYPE", "file"])
            entries.append((name, b"x") if kind == "file" else (name, kind, chance.choice(targets)))
        try:
            extract(tar(*entries), str(root))
        except Invalid:
            pass
        assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
            ["victim", *map(str, range(attempt + 1))])
        assert (tmp_path / "victim").read_text() == "untouched"
        assert (tmp_path / "victim").stat().st_nlink == 1


def test_absolute_names_are_the_images_own(tar, root: Path) -> None:
    extract(tar(("/etc/passwd", b"root"), ("./tmp/", )), str(root))
    assert (root / "etc/passwd").read_text() == "root"
    assert split("//usr/./bin//sh") == ["usr", "bin", "sh"]


def test_a_damaged_archive_is_an_error_not_its_end(tar, root: Path) -> None:
    good = tar(("a", b"x" * 5000), ("b", b"y")).getvalue()
    header = good.index(b"b\0")
    spoilt = good[:header] + b"B" + good[header + 1:]
    for data, message in ((b"not a tar", "unexpected EOF"), (b"x" * 4096, "archive/tar: invalid"),
                          (good[:3000], "unexpected EOF"), (good[:header + 100], "unexpected EOF"),
                          (spoilt, "archive/tar: invalid"),
                          (gzip.compress(good)[:-60], "unexpected EOF")):
        with pytest.raises(Invalid, match=message):
            extract(io.BytesIO(data), str(root))
    # Without the closing blocks of zeros it is complete all the same, for GNU tar and Go too.
    extract(io.BytesIO(good[:header + 1024]), str(root))


def test_an_attribute_that_steers_overlayfs_is_refused(tar, root: Path) -> None:
    headers = {"SCHILY.xattr.trusted.overlay.redirect": "/etc"}
    with pytest.raises(Invalid, match="a layer may not set trusted.overlay.redirect"):
        extract(tar(("etc/",), **{"etc/": headers}), str(root))


def test_zstd_is_unsupported_by_name(root: Path) -> None:
    with pytest.raises(Unsupported, match="zstd"):
        extract(io.BytesIO(b"(\xb5/\xfd" + bytes(100)), str(root))


@pytest.mark.kernel
def test_whiteouts_become_overlayfs_own(tar, root: Path) -> None:
    extract(tar(("d/",), ("d/.wh..wh..opq", b""), (".wh.gone", b""), (".wh..wh.plnk", "DIRTYPE"),
                ("kept", b"x"), (".wh.kept", b""), (".wh.new", b""), ("new/",)), str(root))
    gone = (root / "gone").lstat()
    assert stat.S_ISCHR(gone.st_mode) and gone.st_rdev == 0
    assert os.getxattr(root / "d", "trusted.overlay.opaque") == b"y"
    assert (root / "kept").read_text() == "x"
    assert os.getxattr(root / "new", "trusted.overlay.opaque") == b"y"
    assert sorted(p.name for p in root.iterdir()) == ["d", "gone", "kept", "new"]


@pytest.mark.kernel
def test_a_mount_shows_what_the_whiteouts_say(tar, tmp_path: Path) -> None:
    lower, upper = tmp_path / "lower", tmp_path / "upper"
    lower.mkdir()
    upper.mkdir()
    extract(tar(("a", b"1"), ("b", b"1"), ("d/",), ("d/old", b"1")), str(lower))
    extract(tar((".wh.a", b""), ("d/",), ("d/.wh..wh..opq", b""), ("d/new", b"1")), str(upper))
    (tmp_path / "merged").mkdir()
    script = (f"mount -t overlay overlay -o lowerdir={upper}:{lower} {tmp_path}/merged && "
              f"cd {tmp_path}/merged && find . | sort | tr '\\n' ' '")
    shown = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True)
    assert shown.stdout == ". ./b ./d ./d/new ", shown.stderr


FIND = ["find", ".", "-printf", r"%p %y %m %U:%G %s %T@ %l %n\n"]


def listing(folder: Path) -> list[str]:
    shown = subprocess.run(FIND, cwd=folder, capture_output=True, text=True, check=True)
    lines = shown.stdout.splitlines()
    return sorted(line for line in lines if not line.startswith(". "))


@pytest.mark.kernel
@pytest.mark.parametrize("kind", ["gnu", "pax", "ustar"])
def test_the_same_tree_as_gnu_tar_unpacks(tmp_path: Path, kind: str) -> None:
    tree, ours, theirs = (tmp_path / name for name in ("tree", "ours", "theirs"))
    for folder in (tree, ours, theirs):
        folder.mkdir()
    long = "n" * (90 if kind == "ustar" else 200)
    (tree / "d" / long).mkdir(parents=True)
    (tree / "d" / long / "é").write_text("deep")
    (tree / "program").write_bytes(b"x" * 70000)
    os.chown(tree / "program", 1000, 500)
    os.chmod(tree / "program", 0o6755)
    os.utime(tree / "program", ns=(0, 1234567890_123456789))
    os.link(tree / "program", tree / "same")
    os.symlink("../nowhere", tree / "d" / "link")
    os.mkfifo(tree / "pipe", 0o640)
    os.mknod(tree / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    with open(tree / "holes", "wb") as holes:
        holes.seek(1 << 20)
        holes.write(b"end")
    os.chmod(tree / "d", 0o1777)
    archive = tmp_path / "a.tar"
    sparse = [] if kind == "ustar" else ["--sparse"]
    subprocess.run(["tar", f"--format={kind}", *sparse, "-cf", archive, "-C", tree, "."],
                   check=True)
    subprocess.run(["tar", "--numeric-owner", "-xpf", archive, "-C", theirs], check=True)
    with open(archive, "rb") as file:
        _, size = extract(file, str(ours))
    assert listing(ours) == listing(theirs)
    assert (ours / "holes").read_bytes() == (tree / "holes").read_bytes()
    assert (ours / "null").lstat().st_rdev == os.makedev(1, 3)
    assert size == 70000 + 4 + (1 << 20) + 3


@pytest.mark.kernel
def test_file_capabilities_survive(tmp_path: Path) -> None:
    for name in ("tree", "ours"):
        (tmp_path / name).mkdir()
    (tmp_path / "tree/ping").write_text("x")
    value = bytes.fromhex("0100000200200000000000000000000000000000")
    os.setxattr(tmp_path / "tree/ping", "security.capability", value)
    os.setxattr(tmp_path / "tree/ping", "user.note", b"tea")
    subprocess.run(["tar", "--xattrs", "--xattrs-include=*", "-cf", tmp_path / "a.tar", "-C",
                    tmp_path / "tree", "."], check=True)
    with open(tmp_path / "a.tar", "rb") as file:
        extract(file, str(tmp_path / "ours"))
    assert os.getxattr(tmp_path / "ours/ping", "security.capability") == value
    assert os.getxattr(tmp_path / "ours/ping", "user.note") == b"tea"
