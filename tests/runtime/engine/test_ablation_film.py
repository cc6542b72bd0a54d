"""Containers without a part, by the operations of their start: that is missing, and no more."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.runtime.engine.test_ablation import PARTS, asked

# By name, what the start of the lacking one does more and less than the full one's.
MORE_AND_LESS = {
    "pid": ({}, {}), "ipc": ({}, {}), "caps": ({}, {}), "net": ({}, {"set_link_up": 1}),
    "uts": ({}, {"sethostname": 1}), "cgroup": ({}, {"unshare": 1}),
    "seccomp": ({}, {"set_filter": 1}),
    "pivot": ({"chroot": 1}, {"pivot_root": 1, "umount2": 1}),
    # Its mounts are made private twice, in place of the host's once.
    "mount": ({"chroot": 1, "mount": 1}, {"pivot_root": 1, "umount2": 1}),
}
CLONED = {"pid": "CLONE_NEWPID", "mount": "CLONE_NEWNS", "net": "CLONE_NEWNET",
          "ipc": "CLONE_NEWIPC", "uts": "CLONE_NEWUTS"}


@pytest.fixture
def film(engine, started, eventually):
    """film("pid"): the operations of a start without it."""
    # The first start of a lab makes the group above all groups as well.
    started("true")

    def made(*parts):
        ident = started("sleep", "60", host=asked(*parts, unsafe=True) if parts else {})
        return eventually(lambda: engine.operations(ident))

    return made


@pytest.mark.kernel
@pytest.mark.parametrize("part", [part for part in PARTS if part != "masks"])
def test_the_start_does_everything_else_as_always(film, part):
    full, lacking = film(), film(part)
    one, other = (Counter(line["name"] for line in each) for each in (full, lacking))
    assert (dict(other - one), dict(one - other)) == MORE_AND_LESS[part]
    flags = [next(line["arguments"]["flags"] for line in each if line["name"] == "clone3")
             for each in (full, lacking)]
    gone = set(flags[0].split("|")) - set(flags[1].split("|"))
    assert gone == ({CLONED[part]} if part in CLONED else set())


@pytest.mark.kernel
def test_without_masks_the_start_only_does_less(film):
    full, lacking = film(), film("masks")
    one, other = (Counter(line["name"] for line in each) for each in (full, lacking))
    assert not other - one and set(one - other) <= {
        "mount", "move_mount", "mount_setattr", "open_tree", "fchdir", "umount2"}
    assert not any(line["arguments"].get("target") == "/proc/sys" for line in lacking)
