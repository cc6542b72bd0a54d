"""Sources of binds that the shim opens: which those are, and the namespace that maps their ids."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import Invalid
from runtime.oci import sources
from runtime.oci.plan import Plan
from tests.runtime.oci.bundles import Bundle

MAP = [{"containerID": 0, "hostID": 100000, "size": 10}]
BIND = {"destination": "/data", "type": "bind", "source": "/srv"}


@pytest.mark.parametrize(("entry", "mapped"), [
    ({}, False), ({"options": ["idmap"]}, True), ({"options": ["ro", "ridmap"]}, True),
    ({"uidMappings": MAP}, True), ({"gidMappings": MAP}, True), ({"uidMappings": []}, False)])
def test_which_ask_for_ids(entry: dict[str, Any], mapped: bool) -> None:
    assert sources.is_mapped({**BIND, **entry}) == mapped


@pytest.mark.parametrize(("entry", "linux", "why"), [
    ({"type": "tmpfs", "uidMappings": MAP, "gidMappings": MAP}, {}, "only supported for bind"),
    ({"uidMappings": MAP}, {}, "both uid and gid"), ({"gidMappings": MAP}, {}, "both uid and gid"),
    ({"options": ["idmap"]}, {"namespaces": [{"type": "pid"}]}, "it has none")])
def test_maps_that_mean_nothing(entry: dict[str, Any], linux: dict[str, Any], why: str) -> None:
    with pytest.raises(Invalid, match=f"mounts.3.: invalid mount: .*{why}"):
        sources.check_maps({**BIND, **entry}, "$.mounts[3]", linux)


def test_maps_that_do() -> None:
    sources.check_maps({**BIND, "uidMappings": MAP, "gidMappings": MAP}, "$", {})
    sources.check_maps({**BIND, "options": ["ridmap"]}, "$", {"namespaces": [{"type": "user"}]})


def test_what_others_may_not_walk_to(tmp_path: Path) -> None:
    (tmp_path / "open/data").mkdir(parents=True)
    assert not sources.out_of_reach(str(tmp_path / "open/data"))
    (tmp_path / "open").chmod(0o750)
    assert sources.out_of_reach(str(tmp_path / "open/data"))
    (tmp_path / "link").symlink_to("open/data")
    assert sources.out_of_reach(str(tmp_path / "link"))


@pytest.mark.kernel
def test_a_namespace_with_these_maps(bundle: Bundle) -> None:
    plan = Plan(str(bundle.folder), bundle.spec)
    before = set(os.listdir("/proc/self/fd"))
    fd = sources.user_namespace(plan, {**BIND, "uidMappings": MAP, "gidMappings": MAP})
    assert os.readlink(f"/proc/self/fd/{fd}").startswith("user:[")
    assert os.readlink(f"/proc/self/fd/{fd}") != os.readlink("/proc/self/ns/user")
    os.close(fd)
    assert set(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
