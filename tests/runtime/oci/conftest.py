"""A fresh bundle a test, whose container, groups and processes are gone after it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.oci.bundles import Bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Iterator[Bundle]:
    made = Bundle(tmp_path / "bundle")
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def mapped(bundle: Bundle) -> Bundle:
    """A bundle whose root is 100000 on the host."""
    bundle.linux["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        bundle.linux[key] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    for path in (bundle.folder, *bundle.folder.parents):
        if path.stat().st_uid == 0 and str(path) not in ("/", "/tmp"):
            path.chmod(path.stat().st_mode | 0o55)
    for path in (bundle.rootfs, *bundle.rootfs.rglob("*")):
        os.chown(path, 100000, 100000, follow_symlinks=False)
    return bundle
