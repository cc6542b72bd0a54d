"""The ledger: a line too many is harmless, a line lost to a crash is only its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.engine import ledger


@pytest.fixture
def root(tmp_path) -> str:
    return str(tmp_path)


def test_made_and_gone(root):
    ledger.made(root, "cgroup", "/container-lab/tea", "4f")
    ledger.made(root, "cgroup", "/container-lab/ink", "5e")
    ledger.made(root, "bridge", "lab0", "")
    ledger.gone(root, "cgroup", "/container-lab/tea")
    ledger.gone(root, "cgroup", "/container-lab/never")
    assert ledger.standing(root, "cgroup") == ["/container-lab/ink"]
    ledger.made(root, "cgroup", "/container-lab/tea", "6d")
    ledger.made(root, "cgroup", "/container-lab/tea", "6d")
    assert ledger.standing(root, "cgroup") == ["/container-lab/ink", "/container-lab/tea"]
    assert ledger.standing(root, "bridge") == ["lab0"]


def test_none(root):
    assert ledger.standing(root, "cgroup") == []


def test_cut_short_by_a_crash(root):
    for name in ("tea", "ink"):
        ledger.made(root, "cgroup", f"/container-lab/{name}", "")
    path = Path(root, "ledger.jsonl")
    path.write_bytes(path.read_bytes()[:-9])
    assert ledger.standing(root, "cgroup") == ["/container-lab/tea"]


def test_a_full_disk_does_not_stop_removing(tmp_path):
    (tmp_path / "ledger.jsonl").symlink_to("/dev/full")
    ledger.gone(str(tmp_path), "cgroup", "/container-lab/tea")
    with pytest.raises(OSError):
        ledger.made(str(tmp_path), "cgroup", "/container-lab/tea", "")
