"""The pack of a start: the same modules as without it, and never older than the source."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from runtime import packs
pack = packs.use("test")
from runtime import errors, documents
print(type(errors.__spec__.loader).__name__, errors.__file__, errors.LabError("x"), pack.stale)
pack.keep()
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A runtime of two modules, of our own to change."""
    (tmp_path / "runtime" / "__pycache__").mkdir(parents=True)
    for name in ("__init__.py", "packs.py", "errors.py", "documents.py"):
        shutil.copy2(HERE / "runtime" / name, tmp_path / "runtime" / name)
    return tmp_path


def run(copy: Path) -> list[str]:
    done = subprocess.run([sys.executable, "-I", "-S", "-c", PROGRAM, str(copy)], text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def pack(copy: Path) -> Path:
    [found] = (copy / "runtime" / "__pycache__").glob("test.*.pack")
    return found


def test_the_second_time_they_come_from_the_pack(copy: Path) -> None:
    source = str(copy / "runtime" / "errors.py")
    assert run(copy) == ["SourceFileLoader", source, "x", "True"]
    assert run(copy) == ["Pack", source, "x", "False"]


def test_a_changed_source_is_noticed_and_packed_anew(copy: Path) -> None:
    run(copy)
    source = copy / "runtime" / "errors.py"
    source.write_text(source.read_text().replace("return f", "return 'new ' + f").replace(
        "else self.message", "else 'new-' + self.message"))
    assert run(copy)[0::2] == ["SourceFileLoader", "new-x"]
    assert run(copy)[0::2] == ["Pack", "new-x"]


@pytest.mark.parametrize("content", [b"", b"\xe3junk", b"TDF$", bytes(1000)])
def test_a_damaged_pack_counts_as_none(copy: Path, content: bytes) -> None:
    run(copy)
    pack(copy).write_bytes(content)
    assert run(copy)[0] == "SourceFileLoader"
    assert run(copy)[0] == "Pack"


def test_a_copy_of_the_whole_folder_does_not_run_the_old_one(copy: Path, tmp_path: Path) -> None:
    run(copy)
    other = tmp_path / "other"
    shutil.copytree(copy / "runtime", other / "runtime")
    assert run(other)[:2] == ["SourceFileLoader", str(other / "runtime" / "errors.py")]


def test_where_it_may_not_be_written_everything_works(copy: Path) -> None:
    shutil.rmtree(copy / "runtime" / "__pycache__")
    (copy / "runtime" / "__pycache__").write_text("no folder")
    for _ in range(2):
        assert run(copy)[0] == "SourceFileLoader"
    assert not [name for name in os.listdir(copy / "runtime") if name.endswith(".pack")]


LATE = PROGRAM.replace("pack.keep()", """
path = errors.__file__
text = open(path).read().replace("else self.message", "else 'new-' + self.message")
open(path, "w").write(text)
pack.stale = True  # as when another module came from elsewhere
pack.keep()
""")


def test_a_source_changed_while_the_program_ran_is_noticed(copy: Path) -> None:
    """What was loaded from the pack is the old code: it keeps the time of the old source."""
    run(copy)
    subprocess.run([sys.executable, "-I", "-S", "-c", LATE, str(copy)], check=True,
                   capture_output=True)
    assert run(copy)[0::2] == ["SourceFileLoader", "new-x"]
