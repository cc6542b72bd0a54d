"""Removing a tree: all of it, nothing beyond it, and two at once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runtime.shim import removal

HERE = str(Path(__file__).resolve().parents[3])


def grow(top: Path, depth: int = 3) -> None:
    top.mkdir()
    for name in ("a", "b", "ü \n"):
        (top / name).write_text("x" * 10)
    (top / "link").symlink_to("/etc")
    (top / "nowhere").symlink_to("/no/such")
    os.mkfifo(top / "pipe")
    if depth:
        for name in ("c", "d"):
            grow(top / name, depth - 1)
        (top / "locked").mkdir(mode=0)


def test_all_of_it(tmp_path):
    grow(tmp_path / "tree")
    removal.remove_tree(str(tmp_path / "tree"))
    assert os.listdir(tmp_path) == []
    assert os.path.exists("/etc/passwd")


def test_what_is_not_there(tmp_path):
    removal.remove_tree(str(tmp_path / "never"))


@pytest.mark.parametrize("kind", ["file", "link", "fifo"])
def test_what_is_no_directory(tmp_path, kind):
    target, path = tmp_path / "target", tmp_path / "it"
    target.mkdir()
    (target / "kept").write_text("")
    {"file": lambda: path.write_text("x"), "link": lambda: path.symlink_to(target),
     "fifo": lambda: os.mkfifo(path)}[kind]()
    removal.remove_tree(str(path))
    assert os.listdir(tmp_path) == ["target"] and os.listdir(target) == ["kept"]


def test_two_at_once(tmp_path):
    for number in range(5):
        tree = tmp_path / str(number)
        grow(tree)
        errors: list[BaseException] = []

        def remove(tree=tree, errors=errors) -> None:
            try:
                removal.remove_tree(str(tree))
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=remove) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == [] and not tree.exists()


@pytest.mark.parametrize("depth", [removal.DEEPEST - 1, removal.DEEPEST + 1, 5000])
def test_deeper_than_the_stack(tmp_path, depth):
    """`while :; do mkdir a; cd a; done` is all a container needs."""
    folder = os.open(tmp_path, os.O_RDONLY)
    for name in ("tree", *["a"] * depth):
        os.mkdir(name, dir_fd=folder)
        inner = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=inner))
        os.close(folder)
        folder = inner
    os.close(folder)
    assert removal.size(str(tmp_path / "tree")) == 0
    removal.remove_tree(str(tmp_path / "tree"))
    assert os.listdir(tmp_path) == []


@pytest.mark.kernel
def test_what_is_mounted_below_stays(tmp_path):
    program = ("import sys; sys.path.insert(0, sys.argv[1])\n"
               "from runtime.shim import removal\n"
               "try:\n    removal.remove_tree(sys.argv[2])\n"
               "except OSError as error:\n    print(error.errno)\n"
               "open(sys.argv[2] + '/m/kept').close()\n")
    (tmp_path / "tree/m").mkdir(parents=True)
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f"mount -t tmpfs none {tmp_path}/tree/m && "
         f'touch {tmp_path}/tree/m/kept && exec "$@"', "sh", sys.executable, "-c", program, HERE,
         str(tmp_path / "tree")], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("16\n", "")


def test_size(tmp_path):
    grow(tmp_path / "tree", 1)
    assert removal.size(str(tmp_path / "tree")) == 3 * 3 * 10
    assert removal.size(str(tmp_path / "never")) == 0
