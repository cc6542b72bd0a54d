"""Device nodes on the real kernel: kinds, modes, owners, and the links beside them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from runtime.engine import defaults
from runtime.errors import Denied
from runtime.oci import devices
from tests.runtime.oci.bundles import Bundle
from tests.runtime.oci.test_mounts import in_user_namespace


def test_the_default_rules_are_added_once() -> None:
    rules = [{"allow": False, "access": "rwm"}]
    assert devices.with_default_rules({"devices": rules})["devices"] == rules + devices.RULES
    full = {"devices": defaults.DEVICE_RULES}
    assert devices.with_default_rules(full) == full
    assert devices.with_default_rules({"memory": {}}) == {"memory": {}}


@pytest.mark.parametrize(("entry", "same"), [
    ({"type": "c", "major": 1, "minor": 3}, True), ({"type": "u", "major": 1, "minor": 3}, True),
    ({"type": "b", "major": 1, "minor": 3}, False), ({"type": "c", "major": 1, "minor": 5}, False),
    ({"type": "p"}, False)])
def test_is_it_the_device(entry: dict[str, Any], same: bool) -> None:
    fd = os.open("/dev/null", os.O_PATH)
    assert devices.is_node(fd, entry) == same
    os.close(fd)


@pytest.mark.kernel
def test_kinds_modes_and_owners(bundle: Bundle) -> None:
    bundle.linux["devices"] = [
        {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640,
         "uid": 1000, "gid": 5},
        {"path": "/dev/disk", "type": "b", "major": 7, "minor": 0, "fileMode": 0},
        {"path": "/dev/raw/one", "type": "u", "major": 1, "minor": 3},
        {"path": "/tmp/fifo", "type": "p", "fileMode": 0o622, "gid": 5},
        {"path": "/dev/../dev/./dots", "type": "c", "major": 1, "minor": 3}]
    pid = bundle.start().pid
    found = {}
    for name in ("dev/fuse", "dev/disk", "dev/raw/one", "tmp/fifo", "dev/dots"):
        node = os.stat(f"/proc/{pid}/root/{name}")
        found[name] = (stat.filemode(node.st_mode), node.st_uid, node.st_gid,
                       (os.major(node.st_rdev), os.minor(node.st_rdev)))
    assert found == {
        "dev/fuse": ("crw-r-----", 1000, 5, (10, 229)), "dev/disk": ("b---------", 0, 0, (7, 0)),
        "dev/raw/one": ("crw-rw-rw-", 0, 0, (1, 3)), "tmp/fifo": ("prw--w--w-", 0, 5, (0, 0)),
        "dev/dots": ("crw-rw-rw-", 0, 0, (1, 3))}


@pytest.mark.kernel
def test_the_links(bundle: Bundle) -> None:
    dev = Path(f"/proc/{bundle.start().pid}/root/dev")
    links = {path.name: os.readlink(path) for path in dev.iterdir() if path.is_symlink()}
    wanted = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
              "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx"}
    if os.path.lexists("/proc/kcore"):
        wanted["core"] = "/proc/kcore"
    assert links == wanted


@pytest.mark.kernel
@pytest.mark.parametrize("what", ["a node", "a link elsewhere", "the link"])
def test_ptmx_is_always_the_link(bundle: Bundle, what: str) -> None:
    """A node c 5:2 would be a terminal of the host's devpts; one that is asked for as well."""
    bundle.spec["mounts"] = [entry for entry in bundle.spec["mounts"]
                             if entry["destination"] in ("/proc", "/dev/pts")]
    bundle.linux["devices"] = [{"path": "/dev/ptmx", "type": "c", "major": 5, "minor": 2}]
    ptmx = bundle.rootfs / "dev/ptmx"
    ptmx.parent.mkdir()
    if what == "a node":
        os.mknod(ptmx, 0o666 | stat.S_IFCHR, os.makedev(5, 2))
    else:
        ptmx.symlink_to("pts/ptmx" if what == "the link" else "/etc/passwd")
    pid = bundle.start().pid
    assert os.readlink(f"/proc/{pid}/root/dev/ptmx") == "pts/ptmx"


@pytest.mark.kernel
def test_a_user_namespace_has_the_hosts(bundle: Bundle) -> None:
    in_user_namespace(bundle)
    bundle.linux["devices"] = [{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11},
                               {"path": "/dev/fifo", "type": "p"}]
    code, out, err = bundle.run("echo > /dev/null && stat -c '%t:%T' /dev/kmsg /dev/zero; "
                                "stat -c %F /dev/fifo")
    assert (code, out) == (0, "1:b\n1:5\nfifo\n"), err


@pytest.mark.kernel
def test_but_only_if_it_is_the_one_that_was_asked_for(bundle: Bundle) -> None:
    in_user_namespace(bundle)
    bundle.linux["devices"] = [{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 1}]
    error = bundle.refused()
    assert isinstance(error, Denied) and "/dev/kmsg: the host's is another one" in str(error)
