"""Imports go down the may-use table of ARCHITECTURE.md, never in a circle; only lab/ knows Textual.

Read from the source with ast, so that an import inside a function counts like one at the top. What
is under TYPE_CHECKING is there for the reader and mypy alone: it may point up, and into a circle.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2]

# The whole of what each folder may use besides itself; all may use errors, documents, packs.
MAY_USE = {
    "lab": {"client", "engine", "shim", "image", "inspect", "oci", "cgroup", "kernel", "trace"},
    "client": {"engine", "image", "inspect", "trace"},
    "engine": {"shim", "image", "inspect", "cgroup", "kernel"},
    "shim": {"oci", "cgroup", "kernel", "trace"},
    "oci": {"cgroup", "kernel", "trace"},
    "image": {"kernel"},
    "inspect": {"cgroup", "kernel"},
    "cgroup": {"kernel", "trace"},
    "kernel": {"trace"},
    "trace": set(),
    "errors": set(),
    "documents": set(),
    "packs": set(),
}
FREE = {"errors", "documents", "packs"}
# oci/cli.py is `container-lab oci`; nobody but lab/start.py runs it, so lab may reach down to it.
FILES = sorted(path for folder in ("lab", "runtime") for path in (HERE / folder).rglob("*.py"))
MODULES = {".".join(path.relative_to(HERE).with_suffix("").parts): path for path in FILES}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(HERE).with_suffix("").parts).removesuffix(".__init__")


def folder(module: str) -> str:
    """The layer a module belongs to: "engine" of runtime.engine.store, "lab" of lab.app."""
    parts = module.split(".")
    return parts[0] if parts[0] == "lab" or len(parts) == 1 else parts[1]


def statements(node: ast.AST, into_functions: bool) -> Iterator[ast.AST]:
    """All nodes that run; not those under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and \
                child.test.id == "TYPE_CHECKING":
            continue
        if not into_functions and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        yield child
        yield from statements(child, into_functions)


def imported(path: Path, into_functions: bool = True) -> set[str]:
    """The modules that a file imports: "runtime.engine.store", "os.path", "textual"."""
    found = set()
    for node in statements(ast.parse(path.read_text(encoding="utf-8")), into_functions):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: import by its full name"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in MODULES or f"{whole}.__init__" in MODULES
                          else str(node.module))
    return found


IMPORTS = {name_of(path): imported(path) for path in FILES}


def test_imports_go_down_the_table():
    wrong = []
    for module, names in IMPORTS.items():
        here = folder(module)
        for name in sorted(names):
            if not name.startswith(("runtime.", "lab.")) and name != "lab":
                continue
            there = folder(name)
            if there != here and there not in MAY_USE.get(here, set()) | FREE:
                wrong.append(f"{module} imports {name}: {here} may not use {there}")
    assert not wrong, "\n".join(wrong)


def test_every_folder_is_in_the_table():
    folders = {folder(module) for module in IMPORTS} - {"runtime"}
    assert folders <= set(MAY_USE), folders - set(MAY_USE)


def test_the_table_has_no_circle():
    for layer in MAY_USE:
        reached, todo = set(), list(MAY_USE[layer])
        while todo:
            here = todo.pop()
            if here not in reached:
                reached.add(here)
                todo += MAY_USE[here]
        assert layer not in reached


# Circles that only an import inside a function closes, each with its reason. Not to grow.
KNOWN_CIRCLES = [
    # The one function that chooses a driver stands beside the interface that the drivers implement.
    {"runtime.cgroup.cgroup", "runtime.cgroup.v1", "runtime.cgroup.v2"},
    # The store builds lab/base when it is first asked for, and building it is storing it.
    {"runtime.image.base", "runtime.image.content", "runtime.image.layers",
     "runtime.image.removal", "runtime.image.store"},
    # A screen may open another that comes back: the student walks in circles there.
    {"lab.screens.help", "lab.screens.screen"},
]


def test_no_module_is_reached_from_itself_when_imported():
    graph = {name_of(path): imported(path, into_functions=False) for path in FILES}
    assert circles(graph) == []


def test_no_module_is_reached_from_itself_by_a_function_either():
    """A circle there is a circle in the reader's head."""
    new = [circle for circle in circles(IMPORTS)
           if not any(circle <= known for known in KNOWN_CIRCLES)]
    assert new == []


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The sets of modules that can all be reached from one another."""
    reached = {module: reach(graph, module) for module in graph}
    found: list[set[str]] = []
    for module in graph:
        circle = {other for other in reached[module] if module in reached[other]}
        if circle and circle not in found:
            found.append(circle)
    return found


def reach(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    todo = [start]
    while todo:
        here = todo.pop()
        for name in graph.get(here, set()):
            if name in graph and name not in seen and name != here:
                seen.add(name)
                todo.append(name)
    return seen


def test_only_the_lab_imports_textual():
    for module, names in IMPORTS.items():
        heavy = {name for name in names if name.split(".")[0] in ("textual", "rich")}
        if folder(module) != "lab" or module.startswith("lab.course"):
            assert not heavy, f"{module} imports {sorted(heavy)}"


LOOK = """
import sys
sys.path.insert(0, sys.argv[1])
import importlib
for module in sys.argv[2:]:
    importlib.import_module(module)
print(" ".join(sorted(name for name in sys.modules
                      if name.split(".")[0] in ("textual", "rich", "pyroute2", "asyncio"))))
"""


@pytest.mark.parametrize("layer", sorted(set(MAY_USE) - {"lab"}) + ["lab.course"])
def test_a_runtime_folder_runs_without_site_packages(layer: str):
    """-S: nothing of site-packages can be there, so a hidden need would be an ImportError."""
    wanted = [name for name in IMPORTS
              if name.startswith("lab.course") and layer == "lab.course" or
              folder(name) == layer and name.startswith("runtime")]
    found = subprocess.run([sys.executable, "-I", "-S", "-c", LOOK, str(HERE), *wanted],
                           capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == "", f"{layer} brought in {found.stdout}"
