"""A fresh bundle a test, whose container, groups and processes are gone after it."""

from __future__ import annotations

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
