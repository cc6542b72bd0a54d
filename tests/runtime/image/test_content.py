"""A writer that dies, has no space or has company: the store is whole, and nothing is left over."""

from __future__ import annotations

import io
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import runtime
from runtime.errors import KernelError
from runtime.image import content
from runtime.image.imports import import_tar
from runtime.image.store import Store

ROOT = str(Path(runtime.__file__ or "").parent.parent)


def files(store: Store) -> list[str]:
    """All that lies in the store but its locks."""
    found = [os.path.relpath(os.path.join(folder, name), store.directory)
             for folder, _, names in os.walk(store.directory) for name in names]
    return sorted(name for name in found if not name.endswith("lock"))


def in_child(work) -> int:
    """Run work in a fork; returns how it ended, as waitstatus_to_exitcode says it."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_killed_before_any_of_its_renames(store: Store, tar) -> None:
    import_tar(store, tar(("old", b"old")), "lab/old")
    before = files(store)
    survived = False
    for fatal in range(1, 20):

        def die(source: str, target: str, fatal: int = fatal, real=os.rename,
                seen=iter(range(1, 99))) -> None:  # noqa: B008
            if next(seen) == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            real(source, target)

        def work(die=die) -> None:
            os.rename = die
            import_tar(store, tar(("new", b"new")), "lab/new")

        survived = in_child(work) == 0
        if survived:
            break
        assert [image.names for image in store.images()] == [["lab/old:latest"]]
        store.collect()
        assert files(store) == before
        assert Path(store.resolve("lab/old").layers[0], "old").read_text() == "old"
    assert survived and fatal > 4
    assert Path(store.resolve("lab/new").layers[0], "new").read_text() == "new"


def test_the_draft_of_a_dead_writer_is_swept_the_draft_of_a_living_one_kept(store: Store,
                                                                            tar) -> None:
    def work() -> None:
        content.Draft(store).__enter__().blob(io.BytesIO(b"half"))
        os.kill(os.getpid(), signal.SIGKILL)

    with content.Draft(store) as alive:
        assert in_child(work) == -signal.SIGKILL
        assert len(os.listdir(store.path("drafts"))) == 2
        import_tar(store, tar(("a", b"x")), "lab/a")
        assert os.listdir(store.path("drafts")) == [os.path.basename(alive.folder)]
    assert os.listdir(store.path("drafts")) == []


def test_no_space_leaves_nothing_and_says_so(store: Store, tar) -> None:
    import_tar(store, tar(("old", b"old")), "lab/old")
    before = files(store)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(KernelError, match=r"^write an image.*: EFBIG"):
            import_tar(store, tar(("big", b"x" * 200_000)), "lab/big")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert files(store) == before
    assert os.listdir(store.path("drafts")) == []


@pytest.mark.kernel
def test_a_full_disk_leaves_nothing_at_any_size(tmp_path: Path) -> None:
    # In a mount namespace of its own: the small disk is gone with the process.
    script = f"""
import io, os, subprocess, sys, tarfile
sys.path.insert(0, {ROOT!r})
from runtime.errors import KernelError
from runtime.image.imports import import_tar
from runtime.image.store import Store
def archive(size):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for number in range(4):
            entry = tarfile.TarInfo(f"f{{number}}")
            entry.size = size // 4
            tar.addfile(entry, io.BytesIO(os.urandom(entry.size)))
    file.seek(0)
    return file
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", {str(tmp_path)!r}], check=True)
store = Store({str(tmp_path)!r} + "/images")
old = import_tar(store, archive(1000), "lab/old")
free = lambda: os.statvfs(store.directory).f_bfree
space, refused = free(), []
for size in (400_000, 520_000, 800_000, 1_200_000):
    try:
        ident = import_tar(store, archive(size), "lab/new")
        store.remove(ident)
    except KernelError as error:
        refused.append(str(error))
    assert os.listdir(store.path("drafts")) == []
    assert [image.id for image in store.images()] == [old]
    assert free() == space, (size, space, free())
with open({str(tmp_path)!r} + "/filler", "wb", buffering=0) as filler:
    try:
        while True:
            filler.write(bytes(4096))
    except OSError:
        pass
try:
    store.tag("lab/old", "lab/more")
    sys.exit("a name was written on a full disk")
except KernelError as error:
    refused.append(str(error))
assert store.remove("lab/old")[-1] == {{"Deleted": old}}
assert store.images() == []
print(len(refused), *refused)
"""
    shown = subprocess.run(["unshare", "-m", sys.executable, "-c", script], capture_output=True,
                           text=True)
    assert shown.returncode == 0, shown.stderr
    count, message = shown.stdout.split(" ", 1)
    assert int(count) >= 3
    assert "write an image" in message and "write the image index" in message
    assert "ENOSPC" in message and "nothing was left behind" in message


def test_many_writers_at_once_all_succeed(store: Store, tar) -> None:
    children = []
    for number in range(8):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                import_tar(store, tar(("same", b"x" * 100_000)), f"lab/w{number}",
                           [f"ENV N={number}"])
                store.tag(f"lab/w{number}", "lab/last")
                status = 0
            finally:
                os._exit(status)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 8
    assert len(store.images()) == 8
    assert len(os.listdir(store.path("layers"))) == 1
    assert os.listdir(store.path("drafts")) == []
    assert store.resolve("lab/last").id in {image.id for image in store.images()}
    assert store.collect() == 0


def test_other_users_cannot_reach_the_layers(store: Store, tar) -> None:
    # A set-user-id program in an image must not become one on the host.
    import_tar(store, tar(("su", b"x", 0o4755)), "lab/su")
    assert os.stat(store.path("layers")).st_mode & 0o777 == 0o700
    assert os.stat(store.resolve("lab/su").layers[0] + "/su").st_mode & 0o7777 == 0o4755
