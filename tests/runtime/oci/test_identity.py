"""Who the program will be: the order down, and the kernel's own word for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.kernel import namespaces, processes
from runtime.oci import identity
from tests.runtime.oci.bundles import Bundle


def test_the_sets_as_masks() -> None:
    sets = identity.wanted({"capabilities": {"bounding": ["CAP_CHOWN", "CAP_KILL"],
                                             "effective": None}})
    assert sets == {"bounding": 0x21, "effective": 0, "permitted": 0, "inheritable": 0,
                    "ambient": 0}
    sets = identity.wanted({"capabilities": {"ambient": ["CAP_FLY", "CAP_KILL"]}})
    assert sets["ambient"] == 0x20


def test_what_this_host_cannot_give_is_said() -> None:
    process = {"capabilities": {"bounding": ["CAP_CHOWN", "CAP_KILL"]}}
    assert identity.warnings(process, 0x1) == ["CAP_KILL is not in this host's bounding set"]
    process["capabilities"] = {"ambient": ["CAP_KILL"], "permitted": ["CAP_KILL"]}
    assert identity.warnings(process, 0x1) == [
        "CAP_KILL cannot be ambient, for it is not permitted and inheritable"]
    process["capabilities"] = {"ambient": ["CAP_FLY"], "permitted": ["CAP_FLY"]}
    assert identity.warnings(process, 0x1) == ["ignoring unknown capability CAP_FLY"]


@pytest.mark.kernel
@pytest.mark.parametrize("uid", [0, 1000])
def test_the_kernels_word(bundle: Bundle, uid: int) -> None:
    held = bundle.process["capabilities"]
    held.update(effective=["CAP_KILL"], permitted=["CAP_KILL", "CAP_CHOWN"],
                bounding=["CAP_KILL", "CAP_CHOWN", "CAP_SETUID"], inheritable=["CAP_KILL"],
                ambient=["CAP_KILL"])
    bundle.process["user"] = {"uid": uid, "gid": uid, "additionalGids": [7, 8]}
    started = bundle.start()
    status = Path(f"/proc/{started.pid}/status").read_text()
    found = {line.split(":")[0]: line.split(":")[1].split() for line in status.splitlines()}
    assert found["Uid"] == [str(uid)] * 4 and found["Groups"] == ["7", "8"]
    assert found["NoNewPrivs"] == ["1"]
    masks = {name: int(found[name][0], 16) for name in (
        "CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb")}
    assert masks["CapBnd"] == 0xA1 and masks["CapInh"] == 0x20
    # execve gives root its whole bounding set, but under no_new_privs no more than it had.
    assert masks["CapPrm"] == (0x21 if uid == 0 else 0x20)
    assert masks["CapAmb"] == (0x20 if uid else masks["CapAmb"])


@pytest.mark.kernel
def test_groups_where_setgroups_was_given_up() -> None:
    """An ordinary user's namespace: none asked for is fine, some is refused in runc's words."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = []
        try:
            os.setgroups([4242])
            os.setresgid(1000, 1000, 1000)
            os.setresuid(1000, 1000, 1000)
            processes.set_dumpable(True)  # else our own /proc/self is root's
            namespaces.unshare(namespaces.Flags(namespaces.CLONE_NEWUSER))
            for name, text in (("setgroups", "deny"), ("gid_map", "0 1000 1"),
                               ("uid_map", "0 1000 1")):
                Path(f"/proc/self/{name}").write_text(text)
            identity.set_groups([])
            said.append("none")
            identity.set_groups([0])
        except Exception as error:
            said.append(f"{type(error).__name__} {error}")
        finally:
            os.write(writer, "; ".join(said).encode())
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 4096).decode() == (
        "none; Denied cannot set any additional groups in a rootless container")
    os.close(reader)
    os.close(writer)
