"""/sys/fs/cgroup inside: the container's own group, at its root, and nobody else's."""

from __future__ import annotations

import os

import pytest

from tests.runtime.oci.bundles import Bundle

pytestmark = pytest.mark.kernel


def test_it_sees_its_own_limits(bundle: Bundle) -> None:
    bundle.linux["resources"].update(memory={"limit": 32 << 20}, pids={"limit": 50})
    code, out, _ = bundle.run(
        "cd /sys/fs/cgroup; cat */memory.limit_in_bytes memory.max 2>/dev/null;"
        "cat pids/pids.max pids.max 2>/dev/null; ls -d */container-lab* 2>/dev/null | wc -l")
    assert (code, out.split()) == (0, [str(32 << 20), "50", "0"])


def test_it_is_sealed(bundle: Bundle) -> None:
    code, out, _ = bundle.run("mkdir /sys/fs/cgroup/memory/x 2>&1; mkdir /sys/fs/cgroup/x 2>&1")
    assert code != 0 and out.count("Read-only file system") == 2


def test_or_open_where_it_asks(bundle: Bundle) -> None:
    for entry in bundle.spec["mounts"]:
        if entry["type"] == "cgroup":
            entry["options"] = [each for each in entry["options"] if each != "ro"]
    code, out, _ = bundle.run("cd /sys/fs/cgroup; [ -d pids ] && cd pids; mkdir mine && "
                              "echo 3 > mine/pids.max; cat mine/pids.max; rmdir mine")
    assert (code, out) == (0, "3\n") or "No such file" in out


def test_something_more_in_it(bundle: Bundle) -> None:
    """As podman does for systemd: a mount in the read-only view, which is sealed all the same."""
    at = next(index for index, entry in enumerate(bundle.spec["mounts"])
              if entry["type"] == "cgroup")
    (bundle.folder / "more").mkdir()
    bundle.spec["mounts"].insert(at + 1, {
        "destination": "/sys/fs/cgroup/systemd", "type": "bind", "options": ["bind"],
        "source": str(bundle.folder / "more")})
    code, out, err = bundle.run("touch /sys/fs/cgroup/systemd/x && ls /sys/fs/cgroup/systemd;"
                                "mkdir /sys/fs/cgroup/y 2>&1; mkdir /sys/fs/cgroup/memory/z 2>&1")
    if "unified" not in os.listdir("/sys/fs/cgroup") and bundle.cgroup().version == 2:
        pytest.skip("on v2 nothing can be made in a group's directory but a group")
    assert out.startswith("x\n") and out.count("Read-only file system") == 2, (out, err)
