"""The code behind a symbol of an operation: "runtime/oci/rootfs.py:enter_rootfs" as its lines.

For whoever shows operations (`u` in the slow motion); never loaded by a start. Looked up with ast,
so that a line more or less above it does not matter.

    code("runtime/oci/rootfs.py:enter_rootfs")     [(98, "def enter_rootfs(rootfs: …"), …]
"""

from __future__ import annotations

import ast
import os

from runtime.errors import NotFound
from runtime.trace.operation import SOURCE_ROOT as ROOT


# Whose functions make operations; those of kernel/ are the operations.
TELLING = ("oci", "cgroup", "shim")


def code(symbol: str) -> list[tuple[int, str]]:
    """(line number, text) of the function, with its decorators. Raises NotFound."""
    text, node = _found(symbol)
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
    lines = text.splitlines()[first - 1:node.end_lineno]
    return list(enumerate(lines, first))


def line_of(symbol: str, name: str) -> int:
    """The number of the line in the function that first calls `name`; 0 if none is seen to."""
    _, node = _found(symbol)
    calls = [each.lineno for each in ast.walk(node) if isinstance(each, ast.Call)
             and name in (getattr(each.func, "attr", ""), getattr(each.func, "id", ""))]
    return min(calls, default=0)


def has_function(name: str) -> bool:
    """Does a folder whose operations are told define a function of this name?"""
    for folder in TELLING:
        place = os.path.join(ROOT, "runtime", folder)
        for file in sorted(os.listdir(place)):
            if file.endswith(".py") and name in _functions(os.path.join(place, file)):
                return True
    return False


def _functions(path: str) -> set[str]:
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def _found(symbol: str) -> tuple[str, ast.stmt]:
    """The file's text and the function in it."""
    path, _, name = symbol.partition(":")
    text = _text(path, symbol)
    node = _find(ast.parse(text).body, name.replace(".<locals>", "").split("."))
    if node is None:
        raise NotFound(f"show {symbol}: there is no such function")
    return text, node


def _text(path: str, symbol: str) -> str:
    if not path.startswith(("runtime/", "lab/")):
        raise NotFound(f"show {symbol or 'the code'}: it is not a function of ours")
    try:
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise NotFound(f"show {symbol}: {(error.strerror or '').lower()}") from None


def _find(body: list[ast.stmt], names: list[str]) -> ast.stmt | None:
    for node in body:
        if getattr(node, "name", None) == names[0]:
            inner: list[ast.stmt] = getattr(node, "body", [])
            return node if len(names) == 1 else _find(inner, names[1:])
    return None
