"""Who the program will be: the order down, and the kernel's own word for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.oci import identity
from tests.runtime.oci.bundles import Bundle


def test_the_sets_as_masks() -> None:
    sets = identity.wanted({"capabilities": {"bounding": ["CAP_CHOWN", "CAP_KILL"],
                                             "effective": None}})
    assert sets == {"bounding": 0x21, "effective": 0, "permitted": 0, "inheritable": 0,
                    "ambient": 0}
    sets = identity.wanted({"capabilities": {"ambient": ["CAP_FLY", "CAP_KILL"]}})
    assert sets["ambient"] == 0x20


def test_what_this_host_cannot_give_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity.capabilities, "bounding", lambda: 0x1)
    process = {"capabilities": {"bounding": ["CAP_CHOWN", "CAP_KILL"]}}
    assert identity.warnings(process) == ["CAP_KILL is not in this host's bounding set"]
    process["capabilities"] = {"ambient": ["CAP_KILL"], "permitted": ["CAP_KILL"]}
    assert identity.warnings(process) == [
        "CAP_KILL cannot be ambient, for it is not permitted and inheritable"]
    process["capabilities"] = {"ambient": ["CAP_FLY"], "permitted": ["CAP_FLY"]}
    assert identity.warnings(process) == ["ignoring unknown capability CAP_FLY"]


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
