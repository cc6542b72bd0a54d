"""What podman and containerd need to run our runtime here: a program file, an image, groups.

No image comes from a network: the root is busybox's. Every group is below one of the test's own,
and gone afterwards; so are the processes.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPLETS = ("sh", "cat", "echo", "id", "ls", "sleep", "true", "false", "tty", "env", "pwd", "touch",
           "kill", "ps", "head", "grep", "hostname", "read")


def program(folder: Path) -> Path:
    """container-lab-oci as one file, as an engine wants it."""
    path = folder / "container-lab-oci"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {ROOT}/lab/start.py oci "$@"\n')
    path.chmod(0o755)
    return path


def image(folder: Path) -> Path:
    """A root file system of busybox as a tar."""
    root = folder / "image"
    for name in ("bin", "etc", "tmp", "proc", "sys", "dev", "root"):
        (root / name).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for name in APPLETS:
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n"
                                     "lab:x:1000:1000::/tmp:/bin/sh\n")
    (root / "tmp").chmod(stat.S_ISVTX | 0o777)
    with tarfile.open(folder / "image.tar", "w") as archive:
        archive.add(root, ".")
    return folder / "image.tar"


def need(*names: str) -> None:
    """Skip where one of the programs is not."""
    for name in names:
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not here")


def group_folders(name: str) -> list[Path]:
    """Every directory of this group, on either generation, the deepest first."""
    tops = [*Path("/sys/fs/cgroup").glob(f"*/{name}"), *Path("/sys/fs/cgroup").glob(name)]
    return [Path(folder) for top in tops for folder, _, _ in os.walk(top, topdown=False)]


def remove_groups(name: str) -> list[str]:
    """Take the groups away; what is in the way, as lines."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        for folder in group_folders(name):
            try:
                folder.rmdir()
            except OSError:
                continue
        if not group_folders(name):
            return []
        time.sleep(0.02)
    return [f"{folder}: {(folder / 'cgroup.procs').read_text().split()}"
            for folder in group_folders(name)]


def typed(line: list[str], keys: bytes = b"", env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run a line on a terminal of 24×80: its code, and all it wrote."""
    script = ["script", "-qec", subprocess.list2cmdline(line), "/dev/null"]
    done = subprocess.run(script, input=keys, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=40, check=False, env=env)
    return done.returncode, done.stdout.decode("utf-8", "replace")
