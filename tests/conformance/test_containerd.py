"""containerd and its shim-runc-v2, from Debian's packages, with our runtime as their runc.

A containerd of the tests' own, in network and mount namespaces of its own, with its own root, state
and socket. The image is imported from an archive that podman or skopeo could have written: one
layer of busybox. `ctr` asks, the shim runs container-lab-oci for create, start, exec, kill, delete.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance import engines

pytestmark = [pytest.mark.conformance, pytest.mark.xdist_group("containerd")]
CONFIG = """version = 2
root = "{0}/root"
state = "{0}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt",
  "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "{0}/sock"
[ttrpc]
  address = "{0}/ttrpc"
"""
IMAGE = "localhost/lab:latest"


def archive(folder: Path) -> Path:
    """The image as an OCI archive: index.json, a manifest, a configuration, a layer."""
    layer = engines.image(folder).read_bytes()
    blobs: dict[str, bytes] = {}

    def blob(data: bytes, kind: str) -> dict[str, object]:
        name = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{name}"] = data
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{name}",
                "size": len(data)}

    config = blob(json.dumps({
        "architecture": "amd64" if os.uname().machine == "x86_64" else "arm64", "os": "linux",
        "config": {"Env": ["PATH=/bin"]}, "rootfs": {
            "type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }).encode(), "config.v1+json")
    layers = [blob(gzip.compress(layer, 1), "layer.v1.tar+gzip")]
    manifest = blob(json.dumps({"schemaVersion": 2, "config": config, "layers": layers}).encode(),
                    "manifest.v1+json")
    manifest["annotations"] = {"io.containerd.image.name": IMAGE,
                               "org.opencontainers.image.ref.name": "latest"}
    blobs["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode()
    blobs["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    with tarfile.open(folder / "oci.tar", "w") as made:
        for name, data in blobs.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    return folder / "oci.tar"


class Ctr:
    """ctr, at a containerd of our own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.parent = folder, f"container-lab-ctr-{os.getpid()}"
        (folder / "config.toml").write_text(CONFIG.format(folder))
        self.runtime = str(engines.program(folder))
        with open(folder / "log", "wb") as log:
            self.daemon = subprocess.Popen(
                ["unshare", "-n", "-m", "--propagation", "private", "containerd", "--config",
                 str(folder / "config.toml")], stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while self("version").returncode:
            assert time.monotonic() < deadline, (folder / "log").read_text()[-2000:]
            time.sleep(0.05)

    def line(self, *words: str) -> list[str]:
        return ["ctr", "--address", f"{self.folder}/sock", *words]

    def __call__(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.line(*words), input=given, capture_output=True, text=True,
                              timeout=60, check=False)

    def words(self, name: str, *words: str, detach: bool = False) -> list[str]:
        return ["run", *(["-d"] if detach else ["--rm"]), "--runc-binary", self.runtime,
                "--snapshotter", "native", "--cgroup", f"/{self.parent}/{name}", *words]

    def run(self, name: str, *words: str, given: str = "",
            options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        return self(*self.words(name, *options, IMAGE, name, *words), given=given)

    def close(self) -> list[str]:
        for name in self("task", "ls", "-q").stdout.split():
            self("task", "rm", "-f", name)
        for name in self("container", "ls", "-q").stdout.split():
            self("container", "rm", name)
        shims = self.shims()
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(20)
        left = [f"shim {pid}" for pid in shims if Path(f"/proc/{pid}").exists()]
        for pid in shims:
            if Path(f"/proc/{pid}").exists():
                os.kill(pid, signal.SIGKILL)
        return left + engines.remove_groups(self.parent)

    def shims(self) -> list[int]:
        """The shims that were started for this containerd, by its socket on their line."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"containerd-shim-runc-v2") and \
                    f"{self.folder}/sock".encode() in words:
                found.append(int(entry.parent.name))
        return found


@pytest.fixture(scope="module")
def ctr() -> Iterator[Ctr]:
    engines.need("containerd", "containerd-shim-runc-v2", "ctr", "unshare", "script")
    folder = Path(tempfile.mkdtemp(prefix="clc-", dir="/tmp"))
    folder.chmod(0o711)  # root of a user namespace has to come by
    made = Ctr(folder)
    try:
        done = made("image", "import", "--snapshotter", "native", str(archive(folder)))
        assert done.returncode == 0, done.stderr
        yield made
    finally:
        left = made.close()
        shutil.rmtree(folder, ignore_errors=True)
    assert not left


@pytest.fixture
def sleeper(ctr: Ctr) -> Iterator[str]:
    name = f"sleeper-{time.monotonic_ns()}"
    done = ctr(*ctr.words(name, IMAGE, name, "sleep", "1000", detach=True))
    assert done.returncode == 0, done.stderr
    yield name
    ctr("task", "rm", "-f", name)
    ctr("container", "rm", name)


def test_run(ctr: Ctr) -> None:
    # Not to the end of its stdin: of that ctr tells nobody, with runc either.
    done = ctr.run("one", "sh", "-c", "read a; echo $a; echo err >&2; exit 3", given="in\n")
    assert (done.returncode, done.stdout) == (3, "in\n") and "err\n" in done.stderr


def test_a_program_that_is_not_there(ctr: Ctr) -> None:
    done = ctr.run("none", "nope")
    assert done.returncode and 'exec: "nope": executable file not found in $PATH' in done.stderr


def test_a_terminal(ctr: Ctr) -> None:
    code, said = engines.typed(ctr.line(*ctr.words("tty", "-t", IMAGE, "tty", "sh", "-c",
                                                   "tty; exit 4")))
    assert code == 4 and "/dev/pts/0" in said


def test_exec(ctr: Ctr, sleeper: str) -> None:
    done = ctr("task", "exec", "--exec-id", "e1", "--cwd", "/tmp", sleeper, "sh", "-c",
               "pwd; exit 9")
    assert (done.returncode, done.stdout) == (9, "/tmp\n"), done
    code, said = engines.typed(ctr.line("task", "exec", "-t", "--exec-id", "e2", sleeper, "tty"))
    assert code == 0 and "/dev/pts/" in said


def test_tasks(ctr: Ctr, sleeper: str) -> None:
    def row() -> list[str]:
        rows = [line.split() for line in ctr("task", "ls").stdout.splitlines()]
        return next(row for row in rows if row[0] == sleeper)

    assert row()[2] == "RUNNING"
    assert ctr("task", "pause", sleeper).returncode == 0 and row()[2] == "PAUSED"
    assert ctr("task", "resume", sleeper).returncode == 0 and row()[2] == "RUNNING"
    assert row()[1] in ctr("task", "ps", sleeper).stdout
    assert "memory" in ctr("task", "metrics", sleeper).stdout
    assert ctr("task", "kill", "-s", "KILL", sleeper).returncode == 0
    deadline = time.monotonic() + 10
    while row()[2] != "STOPPED":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_limits_and_read_only(ctr: Ctr) -> None:
    name, options = "small", ("--memory-limit", "33554432")
    assert ctr(*ctr.words(name, *options, IMAGE, name, "sleep", "1000",
                          detach=True)).returncode == 0
    limits = [(folder / file).read_text() for folder in engines.group_folders(ctr.parent)
              if folder.name == name for file in ("memory.limit_in_bytes", "memory.max")
              if (folder / file).exists()]
    assert limits == ["33554432\n"]
    ctr("task", "rm", "-f", name)
    done = ctr.run("writes", "sh", "-c", "touch /x || echo no", options=("--read-only",))
    assert done.stdout == "no\n"


def test_user_namespace(ctr: Ctr) -> None:
    done = ctr.run("mapped", "cat", "/proc/self/uid_map", options=(
        "--uidmap", "0:100000:2000", "--gidmap", "0:100000:2000"))
    assert done.stdout.split() == ["0", "100000", "2000"], done


def test_nothing_of_ours_is_left(ctr: Ctr) -> None:
    """The runtime's own state goes with the container."""
    assert ctr.run("last", "true").returncode == 0
    root = ctr.folder / "state/io.containerd.runtime.v2.task"
    left = [str(path) for path in root.rglob("state.json")]
    assert not left
