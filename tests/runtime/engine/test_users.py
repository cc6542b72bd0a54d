"""`--user`, looked up in the image's files and never in the host's."""

from __future__ import annotations

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


def test_the_topmost_layer_counts_and_no_link_is_followed(tmp_path):
    low, top = tmp_path / "low", tmp_path / "top"
    for layer in (low, top):
        (layer / "etc").mkdir(parents=True)
    (low / "etc/passwd").write_text("low")
    (low / "etc/group").write_text("low")
    (top / "etc/passwd").write_text("top")
    (top / "etc/group").symlink_to("/etc/group")
    look = users.reader([str(low), str(top)])
    assert look("/etc/passwd") == "top"
    assert look("/etc/group") == "", "a link could lead onto the host"
    assert look("/etc/never") == ""
