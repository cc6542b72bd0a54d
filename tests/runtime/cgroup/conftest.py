"""Control group trees: false ones in a folder, and groups of our own in the real one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.cgroup import cgroup
from runtime.cgroup.cgroup import Cgroup
from runtime.cgroup.hierarchies import CONTROLLERS, Hierarchies
from runtime.kernel import files
from tests.runtime.oci.bundles import group_name


@pytest.fixture
def v1(tmp_path: Path) -> Hierarchies:
    """A hybrid host: each controller a folder, and the v2 tree beside them."""
    for name in (*CONTROLLERS, "unified"):
        (tmp_path / name).mkdir()
    for name, text in (("cpus", "0-1"), ("mems", "0")):
        (tmp_path / f"cpuset/cpuset.{name}").write_text(text)
    return Hierarchies(1, {name: str(tmp_path / name) for name in CONTROLLERS},
                       str(tmp_path / "unified"))


@pytest.fixture
def v2(tmp_path: Path) -> Hierarchies:
    """A host whose controllers are all on v2."""
    names = "cpuset cpu io memory pids"
    (tmp_path / "cgroup.controllers").write_text(names)
    (tmp_path / "cgroup.subtree_control").write_text("")
    return Hierarchies(2, dict.fromkeys(names.split(), str(tmp_path)), str(tmp_path))


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, str]]:
    """Every control file written, with its text, instead of writing it."""
    story: list[tuple[str, str]] = []
    monkeypatch.setattr(files, "write_control", lambda path, text: story.append(
        (path.removeprefix(f"{tmp_path}/"), text)))
    return story


@pytest.fixture
def group() -> Iterator[Cgroup]:
    """A group of our own on this host, made, and gone after the test."""
    made = cgroup.open_group(group_name())
    made.create()
    yield made
    if made.exists():
        if made.frozen():
            made.thaw()
        made.kill()
        made.remove()
