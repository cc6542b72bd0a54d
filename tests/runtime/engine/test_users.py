"""`--user`, looked up in the image's files and never in the host's."""

from __future__ import annotations

import os
import stat

import pytest

from runtime.engine import users
from runtime.errors import Invalid

PASSWD = "root:x:0:0:root:/root:/bin/sh\nstudent:x:1000:1001::/home/student:/bin/sh\nodd:x:7\n"
GROUP = "root:x:0:\nwheel:x:10:root,student\nstudent:x:1001:\nlab:x:2000:student\nbroken\n"


def read(path: str) -> str:
    return {"/etc/passwd": PASSWD, "/etc/group": GROUP}.get(path, "")


@pytest.mark.parametrize("text, uid, gid, groups", [
    ("", 0, 0, [0, 10]),
    ("root", 0, 0, [0, 10]),
    ("0", 0, 0, [0, 10]),
    ("student", 1000, 1001, [10, 1001, 2000]),
    ("1000", 1000, 1001, [10, 1001, 2000]),
    ("student:lab", 1000, 2000, [2000]),
    ("student:99", 1000, 99, [99]),
    ("4242", 4242, 0, [0]),
    ("4242:4243", 4242, 4243, [4243]),
    (":lab", 0, 2000, [2000]),
])
def test_who_it_is(text, uid, gid, groups):
    assert users.resolve(text, [], read) == {"uid": uid, "gid": gid, "additionalGids": groups}


def test_group_add():
    found = users.resolve("student:lab", ["wheel", "77"], read)
    assert found["additionalGids"] == [10, 77, 2000]


@pytest.mark.parametrize("text, groups, words", [
    ("nobody", [], "unable to find user nobody: no matching entries in passwd file"),
    ("odd", [], "unable to find user odd"),
    ("student:nothing", [], "unable to find group nothing: no matching entries in group file"),
    ("student", ["nothing"], "unable to find group nothing"),
    ("2147483648", [], "uids and gids must be in range 0-2147483647"),
    ("0:99999999999", [], "uids and gids must be in range"),
    ("-1", [], "unable to find user -1"),
    ("²", [], "unable to find user ²"),
])
def test_who_it_is_not(text, groups, words):
    with pytest.raises(Invalid, match=words):
        users.resolve(text, groups, read)


@pytest.mark.parametrize("line", ["+:::", "bad:x:no number:student", "bad:x::student", "bad:x:²:"])
def test_lines_that_are_no_entries(line):
    def odd(path: str) -> str:
        return f"{line}\n{read(path)}{line}"

    assert users.resolve("student:lab", [], odd)["gid"] == 2000
    assert users.resolve("student", [], odd)["additionalGids"] == [10, 1001, 2000]
    assert users.resolve("", [], odd)["additionalGids"] == [0, 10]


def test_the_topmost_layer_counts_and_no_link_leads_out(tmp_path):
    low, top = tmp_path / "low", tmp_path / "top"
    for layer in (low, top):
        (layer / "etc").mkdir(parents=True)
    for name in ("passwd", "group", "shadow"):
        (low / "etc" / name).write_text("low")
    (tmp_path / "secret").write_text("the host's")
    (top / "etc/passwd").write_text("top")
    (top / "etc/group").symlink_to(tmp_path / "secret")
    (top / "etc/shadow").symlink_to("/etc/passwd")
    look = users.reader([str(low), str(top)])
    assert look("/etc/passwd") == look("/etc/shadow") == "top"
    assert look("/etc/group") == "", "a link could lead onto the host"
    assert look("/etc/never") == ""


def test_a_directory_that_is_a_link_leads_nowhere(tmp_path):
    layer, outside = tmp_path / "layer", tmp_path / "host"
    for folder in (layer, outside):
        folder.mkdir()
    (outside / "passwd").write_text("the host's")
    (layer / "etc").symlink_to(outside)
    assert users.reader([str(layer)])("/etc/passwd") == ""


@pytest.mark.timeout(5)
@pytest.mark.kernel
def test_what_is_no_file_is_not_read(tmp_path):
    """A fifo would be waited for, and /dev/zero read, without an end."""
    (tmp_path / "etc").mkdir()
    os.mkfifo(tmp_path / "etc/passwd")
    os.mknod(tmp_path / "etc/group", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    look = users.reader([str(tmp_path)])
    assert look("/etc/passwd") == look("/etc/group") == ""
