"""A fresh bundle a test, whose container, groups and processes are gone after it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runtime.oci.bundles import Bundle
from tests.runtime.oci.commandline import OURS, Runtime, runtime


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that the root of a user namespace may walk to.

    pytest's own is 0700, and made so again by every other pytest that begins meanwhile.
    """
    folder = Path(tempfile.mkdtemp(prefix="container-lab-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


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


@pytest.fixture
def ours() -> Iterator[Runtime]:
    """container-lab-oci with a root of its own; its containers are gone after the test."""
    yield from runtime(OURS)


@pytest.fixture
def runc() -> Iterator[Runtime]:
    """The same of runc; skips where it is not."""
    if shutil.which("runc") is None:
        pytest.skip("runc is not here")
    yield from runtime(("runc",))
