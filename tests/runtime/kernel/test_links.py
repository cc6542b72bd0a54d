"""The one link a network namespace is born with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runtime.kernel import links, namespaces


@pytest.mark.kernel
def test_lo_comes_up(child: Callable[[Callable[[], Any]], Any]) -> None:
    def action() -> list[bool]:
        import socket

        namespaces.unshare(namespaces.CLONE_NEWNET)
        seen = []
        for _ in range(2):
            try:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                    sock.connect(("127.0.0.1", 9))
                seen.append(True)
            except OSError:
                seen.append(False)
            links.set_link_up("lo")
        return seen

    assert child(action) == [False, True]


def test_one_that_is_not_there() -> None:
    with pytest.raises(OSError):
        links.set_link_up("no-such-link")
