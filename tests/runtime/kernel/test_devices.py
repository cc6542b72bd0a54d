"""Device nodes: kind, numbers and mode as asked, whatever comes in the way."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from runtime.errors import KernelError
from runtime.kernel import devices

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize(("kind", "test"), [("c", stat.S_ISCHR), ("u", stat.S_ISCHR),
                                            ("b", stat.S_ISBLK), ("p", stat.S_ISFIFO)])
def test_a_node(tmp_path: Path, kind: str, test: object) -> None:
    path = tmp_path / "node"
    outer = os.umask(0)
    try:
        devices.mknod(str(path), kind, 1, 3, 0o666)
    finally:
        os.umask(outer)
    made = path.stat()
    assert test(made.st_mode) and stat.S_IMODE(made.st_mode) == 0o666  # type: ignore[operator]
    if kind != "p":
        assert (os.major(made.st_rdev), os.minor(made.st_rdev)) == (1, 3)


def test_one_that_is_there_is_the_callers_business(tmp_path: Path) -> None:
    (tmp_path / "node").write_text("")
    with pytest.raises(FileExistsError):
        devices.mknod(str(tmp_path / "node"), "c", 1, 3, 0o666)
    with pytest.raises(KernelError, match="mknod .*ENOENT"):
        devices.mknod(str(tmp_path / "none/node"), "c", 1, 3, 0o666)
