"""For all tests: a lab of one's own, and what needs root is skipped without it."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    needs = {"kernel", "lesson", "conformance"} & {mark.name for mark in item.iter_markers()}
    if needs and os.geteuid() != 0:
        pytest.skip(f"{'/'.join(sorted(needs))} needs root")


@pytest.fixture(scope="session")
def base_images() -> Iterator[str]:
    """An image store with lab/base in it, made once; a lab of a test has a link to it."""
    from runtime.image.store import Store

    folder = tempfile.mkdtemp(prefix="cl-", dir="/tmp")
    Store(folder).resolve("lab/base")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def remains(root: str) -> list[str]:
    """What of a lab is still on the host, by the kernel's own lists."""
    from runtime.engine.store import Places

    group = Places(root).group
    found = [str(path) for mount in Path("/sys/fs/cgroup").glob("*")
             for path in (Path(f"{mount}{group}"),) if path.exists()]
    if Path(f"/sys/fs/cgroup{group}").exists():
        found.append(f"/sys/fs/cgroup{group}")
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines()
              if root in line]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            # A zombie is no more; whoever is pid 1 here may take its time to wait for it.
            if group in (process / "cgroup").read_text() and \
                    "State:\tZ" not in (process / "status").read_text():
                found.append(f"process {process.name}: {(process / 'comm').read_text().strip()}")
        except OSError:
            continue
    return found


@pytest.fixture
def new_root(base_images: str) -> Iterator[Callable[[], str]]:
    """As many state directories as a test asks for, short of path; what they made is removed."""
    from runtime.engine.engine import Engine

    roots = []

    def make() -> str:
        root = tempfile.mkdtemp(prefix="cl-", dir="/tmp")
        os.symlink(base_images, f"{root}/images")
        roots.append(root)
        return root

    yield make
    for root in roots:
        done = Engine(root).clean()
        shutil.rmtree(root, ignore_errors=True)
        assert not [line for line in done if line.startswith("could not")], done
        # What was killed just now may be on its last instructions.
        deadline = time.monotonic() + 5
        while (left := remains(root)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not left


@pytest.fixture
def root(new_root: Callable[[], str]) -> str:
    """A state directory of this test's own."""
    return new_root()
