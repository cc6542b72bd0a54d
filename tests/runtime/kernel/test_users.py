"""Users: all three ids, the groups and the umask, as /proc shows them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.kernel import users


@pytest.mark.kernel
def test_down_to_an_ordinary_user(child: Callable[[Callable[[], Any]], Any]) -> None:
    def action() -> list[list[str]]:
        users.setgroups([5, 10])
        users.setresgid(1000, 1001, 1002)
        users.setresuid(2000, 2001, 2002)
        users.umask(0o27)
        text = Path("/proc/self/status").read_text()
        return [text.partition(f"\n{name}:")[2].splitlines()[0].split()
                for name in ("Uid", "Gid", "Groups", "Umask")]

    assert child(action) == [["2000", "2001", "2002", "2001"], ["1000", "1001", "1002", "1001"],
                             ["5", "10"], ["0027"]]
