"""lab/base is real: its programs run in a root that holds nothing but itself."""

from __future__ import annotations

import io
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.cgroup.cgroup import Cgroup, open_group
from runtime.cgroup.stats import read_file
from runtime.errors import Unsupported
from runtime.image import base, binaries
from runtime.image.store import Store


CHROOT = shutil.which("chroot", path="/usr/sbin:/sbin:/usr/bin:/bin") or "chroot"


def run(root: str, *command: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([CHROOT, root, *command], capture_output=True, text=True, timeout=20,
                          env={"PATH": "/bin"}, stdin=subprocess.DEVNULL, **options)


@pytest.fixture(params=["busybox", "host's own tools"])
def root(request, store: Store, monkeypatch: pytest.MonkeyPatch) -> str:
    """The one layer of lab/base, made each of the two ways."""
    if request.param == "busybox":
        if binaries.busybox() is None:
            pytest.skip("no busybox here")
    else:
        monkeypatch.setattr(binaries, "busybox", lambda: None)
    return store.resolve("lab/base").layers[0]


def test_made_when_first_asked_for(store: Store) -> None:
    image = store.resolve("lab/base")
    assert image.names == ["lab/base:latest"]
    assert image.config["Config"] == {"Cmd": ["sh"]}
    assert store.resolve("docker.io/lab/base:latest").id == image.id
    assert [each.id for each in store.images()] == [image.id]
    store.remove("lab/base")
    assert store.images() == []
    assert store.resolve("lab/base").names == ["lab/base:latest"]


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    archives = []
    for _ in range(2):
        file = io.BytesIO()
        base.write_layer(file, base.gather(os.uname().machine))
        archives.append(file.getvalue())
    assert archives[0] == archives[1]
    layers = [Store(str(tmp_path / name)).resolve("lab/base").layers for name in "ab"]
    assert os.path.basename(layers[0][0]) == os.path.basename(layers[1][0])


def test_asked_for_by_several_at_once_it_is_made_once(store: Store) -> None:
    children = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = 0 if store.resolve("lab/base").names == ["lab/base:latest"] else 2
            finally:
                os._exit(status)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    assert len(store.images()) == 1 and os.listdir(store.path("drafts")) == []


def test_a_host_with_nothing_is_told_what_helps(monkeypatch: pytest.MonkeyPatch, store) -> None:
    monkeypatch.setattr(binaries, "PATH", "/nowhere")
    with pytest.raises(Unsupported, match="no cat, ls, sh, sleep .install busybox-static"):
        store.resolve("lab/base")
    assert store.images() == [] and os.listdir(store.path("drafts")) == []


def test_what_an_elf_file_asks_for(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/bin/sh\n")
    (tmp_path / "cut").write_bytes(b"\x7fELF" + bytes(20))
    assert binaries.interpreter(str(tmp_path / "script")) is None
    assert binaries.interpreter(str(tmp_path / "cut")) is None
    assert binaries.interpreter(str(tmp_path / "nothing")) is None
    shown = subprocess.run(["readelf", "-l", "/bin/ls"], capture_output=True, text=True).stdout \
        if shutil.which("readelf") else ""
    if shown:
        assert f"interpreter: {binaries.interpreter('/bin/ls')}]" in shown


@pytest.mark.kernel
def test_its_folders_and_accounts(root: str) -> None:
    folders = {"bin", "dev", "etc", "home", "proc", "root", "sys", "tmp", "usr", "var"}
    assert folders <= set(os.listdir(root))
    assert os.stat(f"{root}/tmp").st_mode & 0o7777 == 0o1777
    home = os.stat(f"{root}/home/student")
    assert (home.st_uid, home.st_gid) == (1000, 1000)
    assert Path(f"{root}/etc/passwd").read_text().count("student:x:1000:1000:") == 1
    assert run(root, "sh", "-c", "echo $((6 * 7)); ls /; id").stdout.startswith("42\nbin\n")


@pytest.mark.kernel
def test_every_program_starts(root: str) -> None:
    for name in sorted(set(os.listdir(f"{root}/bin")) & binaries.TOOLS - {"["}):
        done = run(root, name, "--help")
        assert done.returncode not in (126, 127), (name, done.stderr)
        assert "shared librar" not in done.stderr, (name, done.stderr)


@pytest.mark.kernel
def test_hog_chatter_and_burn_run(root: str) -> None:
    assert run(root, "hog", "3m").returncode == 0
    said = run(root, "chatter", "5", "0.01")
    assert (said.stdout, said.stderr) == ("line 1\nline 3\nline 5\n", "line 2\nline 4\n")
    # In a mount namespace of its own, as /proc is needed there.
    script = f"mount -t proc proc {root}/proc && exec {CHROOT} {root} burn 1"
    start, used = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["unshare", "-m", "sh", "-c", script], check=True, timeout=20)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert 1 <= time.monotonic() - start < 4
    assert spent.ru_utime + spent.ru_stime - used.ru_utime - used.ru_stime > 0.2


@pytest.mark.kernel
def test_forkbomb_is_bounded_and_tells(root: str) -> None:
    done = run(root, "forkbomb", "6", "0.2")
    assert (done.returncode, done.stdout) == (0, "forked 6, and the kernel allowed them all\n")
    assert run(root, "forkbomb", "1001").returncode == 2
    assert run(root, "forkbomb", "tea").returncode == 2


@pytest.fixture
def group() -> Iterator[Cgroup]:
    group = open_group(f"/container-lab-test-image-{os.getpid()}/tea")
    group.create()
    yield group
    deadline = time.monotonic() + 5
    while group.processes() and time.monotonic() < deadline:
        group.kill()
        time.sleep(0.01)
    group.remove()
    for directory in group.directories():
        parent = os.path.dirname(directory)
        if os.path.isdir(parent):
            os.rmdir(parent)


def enter(group: Cgroup) -> None:
    for directory in group.directories():
        Path(directory, "cgroup.procs").write_text("0")


@pytest.mark.kernel
def test_the_kernel_kills_hog_itself(root: str, group: Cgroup) -> None:
    group.apply({"memory": {"limit": 32 << 20, "swap": 32 << 20}})
    done = run(root, "hog", "200M", "1", preexec_fn=lambda: enter(group))
    assert done.returncode == -signal.SIGKILL
    events = read_file(group.path, "memory.events")
    assert events and "oom_kill 1" in events[0].splitlines()


@pytest.mark.kernel
def test_the_kernel_refuses_forkbomb(root: str, group: Cgroup) -> None:
    group.apply({"pids": {"limit": 16}})
    done = run(root, "forkbomb", "64", "0.3", preexec_fn=lambda: enter(group))
    assert done.returncode == 1
    # The program and the shell that forks for it are two of the sixteen.
    assert done.stdout in ("forked 14, then: Resource temporarily unavailable\n",
                           "forked 14, then: Cannot fork\n")
