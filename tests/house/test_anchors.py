"""Every file and symbol that a lesson or a document names exists: text and code go together.

An anchor is `runtime/oci/rootfs.py:enter_rootfs` or `lab/start.py`; a symbol may be a function, a
class, a method (Class.method) or a constant. Looked up with ast, never by line.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2]
ANCHOR = re.compile(r"(?<![\w/])((?:runtime|lab)/[\w/.-]*?\w+\.py)(?::([A-Za-z_][\w.]*\w|\w))?")
FOLDER = re.compile(r"`((?:runtime|lab|lessons|assets)/[\w/.-]*)`")
DOCUMENTS = sorted([*HERE.glob("*.md"), *(HERE / "lessons").rglob("*.md"),
                    *(HERE / "lessons").rglob("*.toml")])


def symbols(path: Path) -> set[str]:
    """What the file defines: "mount", "Engine", "Engine.create", "DEAR"."""
    found: set[str] = set()

    def walk(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(prefix + node.name)
                if isinstance(node, ast.ClassDef):
                    walk(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.Assign):
                found.update(prefix + target.id for target in node.targets
                             if isinstance(target, ast.Name))
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(prefix + node.target.id)
            elif isinstance(node, ast.If | ast.Try):
                walk(node.body, prefix)
                walk(node.orelse, prefix)

    walk(ast.parse(path.read_text(encoding="utf-8")).body, "")
    return found


def broken(text: str) -> list[str]:
    wrong = []
    for path, symbol in ANCHOR.findall(text):
        if not (HERE / path).is_file():
            wrong.append(f"{path}: no such file")
        elif symbol and symbol not in symbols(HERE / path):
            wrong.append(f"{path}:{symbol}: no such symbol")
    for path in FOLDER.findall(text):
        if path.endswith("/") and not (HERE / path).is_dir():
            wrong.append(f"{path}: no such folder")
    return sorted(set(wrong))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(HERE)))
def test_every_anchor_leads_somewhere(document: Path):
    assert not broken(document.read_text(encoding="utf-8"))


def test_lessons_do_name_the_code():
    named = [path for path in DOCUMENTS if "lessons" in path.parts
             and ANCHOR.search(path.read_text(encoding="utf-8"))]
    assert named


@pytest.mark.parametrize("text, wrong", [
    ("see `runtime/kernel/mounts.py:mount`.", []),
    ("see runtime/engine/engine.py:Engine.create,", []),
    ("see `runtime/kernel/mounts.py:no_such_thing`", ["no such symbol"]),
    ("see `runtime/kernel/nothing.py`", ["no such file"]),
    ("see `runtime/nowhere/`", ["no such folder"]),
])
def test_a_broken_anchor_is_seen(text: str, wrong: list[str]):
    found = broken(text)
    assert len(found) == len(wrong)
    assert all(cause in line for cause, line in zip(wrong, found))
