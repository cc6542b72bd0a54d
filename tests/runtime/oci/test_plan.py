"""A plan: which namespaces are made, which are entered, and when."""

from __future__ import annotations

import os

import pytest

from runtime.kernel.namespaces import KINDS, flag_names
from runtime.oci.plan import Plan
from tests.runtime.oci.bundles import config


def planned(*namespaces: dict[str, str], **more: object) -> Plan:
    spec = config()
    spec["linux"]["namespaces"] = [{"type": "mount"}, *namespaces]
    spec["linux"].update(more)
    return Plan("/bundle", spec)


def test_clone_makes_all_but_cgroup_and_time() -> None:
    plan = planned(*({"type": kind} for kind in ("pid", "network", "uts", "ipc", "cgroup", "time")))
    assert flag_names(plan.clone_flags()) == (
        "CLONE_NEWNS|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWPID|CLONE_NEWNET")
    assert plan.new_namespace("cgroup") and plan.new_namespace("time")
    assert not plan.new_namespace("user")


def test_a_path_is_entered_and_not_made() -> None:
    plan = planned({"type": "network", "path": "/proc/7/ns/net"},
                   {"type": "uts", "path": ""}, {"type": "ipc", "path": "/proc/7/ns/ipc"})
    assert plan.clone_flags() == KINDS["mnt"] | KINDS["uts"]
    assert plan.joins() and not planned({"type": "uts"}).joins()


def test_what_init_inherits_is_let_go_of_on_our_side() -> None:
    plan = planned({"type": "uts"})
    read, write = os.pipe()
    plan.doors, plan.trees, plan.listener = {"net": read}, {3: write}, 99
    assert set(plan.inherited()) == {read, write, 99}
    plan.let_go()
    assert plan.inherited() == [99]
    with pytest.raises(OSError):
        os.close(read)


def test_the_root_is_below_the_bundle_or_where_it_says() -> None:
    assert planned({"type": "uts"}).rootfs == "/bundle/rootfs"
    spec = config()
    spec["root"]["path"] = "/elsewhere"
    assert Plan("/bundle", spec).rootfs == "/elsewhere"
