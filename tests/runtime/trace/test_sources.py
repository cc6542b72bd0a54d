"""The code behind a symbol."""

from __future__ import annotations

import pytest

from runtime.errors import NotFound
from runtime.trace import sources


def test_a_function_and_a_method() -> None:
    lines = sources.code("runtime/oci/rootfs.py:enter_rootfs")
    assert lines[0][1].startswith("def enter_rootfs(") and "pivot_root" in lines[-3][1]
    assert [number for number, _ in lines] == list(range(lines[0][0], lines[0][0] + len(lines)))
    method = sources.code("runtime/trace/holder.py:Holder.hear")
    assert method[0][1].startswith("    def hear(")


def test_a_decorated_one_begins_with_its_decorator() -> None:
    lines = sources.code("runtime/kernel/mounts.py:pivot_root")
    assert lines[0][1] == '@operation("pivot_root(2)")'


def test_the_line_of_the_call() -> None:
    symbol = "runtime/oci/rootfs.py:enter_rootfs"
    number = sources.line_of(symbol, "pivot_root")
    assert "mounts.pivot_root(" in dict(sources.code(symbol))[number]
    assert sources.line_of(symbol, "nothing") == 0


@pytest.mark.parametrize("symbol", ["runtime/oci/rootfs.py:no_such", "runtime/no.py:x",
                                    "/etc/passwd:root", "runc", ""])
def test_what_there_is_not(symbol: str) -> None:
    with pytest.raises(NotFound):
        sources.code(symbol)
