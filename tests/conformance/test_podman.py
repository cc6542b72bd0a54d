"""podman, from Debian's packages, with our runtime in place of crun: nothing else is changed.

One podman of the tests' own: its storage, its run directory, its groups, no network. What podman
asks of a runtime (conmon's create, start, kill, exec, delete and the rest) is answered by
container-lab-oci; where this host's podman cannot do something with runc either, it is not asked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance import engines

pytestmark = [pytest.mark.conformance, pytest.mark.xdist_group("podman")]
# podman's own default is more than a root without CAP_SYS_RESOURCE may set.
CONFIG = """[containers]
default_ulimits = ["nofile=1000:1000", "nproc=1000:1000"]
[engine]
runtime_supports_json = ["container-lab-oci"]
"""


class Podman:
    """The command, with all that keeps it away from the host's own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.parent = folder, f"container-lab-podman-{os.getpid()}"
        (folder / "containers.conf").write_text(CONFIG)
        self.env = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf")}
        self.line = ["podman", "--root", f"{folder}/root", "--runroot", f"{folder}/run", "--tmpdir",
                     f"{folder}/tmp", "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs",
                     "--events-backend", "file", "--runtime", str(engines.program(folder))]

    def words(self, verb: str, *words: str) -> list[str]:
        own = ["--network", "none", "--cgroup-parent", f"/{self.parent}"] if verb in (
            "run", "create") else []
        return [*self.line, verb, *own, *words]

    def __call__(self, verb: str, *words: str,
                 given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.words(verb, *words), input=given, capture_output=True,
                              text=True, timeout=60, check=False, env=self.env)


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    engines.need("podman", "conmon", "script")
    folder = Path(tempfile.mkdtemp(prefix="clp-", dir="/tmp"))
    made = Podman(folder)
    try:
        done = made("import", str(engines.image(folder)), "lab")
        assert done.returncode == 0, done.stderr
        yield made
    finally:
        made("rm", "--all", "--force", "--time", "0")
        left = engines.remove_groups(made.parent)
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            if str(folder) in line:
                subprocess.run(["umount", "-l", line.split()[4]], check=False)
        shutil.rmtree(folder, ignore_errors=True)
    assert not left


@pytest.fixture
def sleeper(podman: Podman) -> Iterator[str]:
    """A container that sleeps."""
    name = f"sleeper-{time.monotonic_ns()}"
    done = podman("run", "-d", "--name", name, "lab", "sleep", "1000")
    assert done.returncode == 0, done.stderr
    yield name
    podman("rm", "--force", "--time", "0", name)


def test_run(podman: Podman) -> None:
    assert podman("run", "--rm", "lab", "true").returncode == 0
    done = podman("run", "--rm", "-i", "lab", "sh", "-c", "cat; echo err >&2; exit 3", given="in\n")
    assert (done.returncode, done.stdout, done.stderr) == (3, "in\n", "err\n")


@pytest.mark.parametrize(("program", "code", "text"), [
    ("nope", 127, 'exec: "nope": executable file not found in $PATH'),
    ("/etc/passwd", 126, "permission denied")])
def test_a_program_that_cannot_be_run(
        podman: Podman, program: str, code: int, text: str) -> None:
    done = podman("run", "--rm", "lab", program)
    assert done.returncode == code and text in done.stderr


def test_a_terminal(podman: Podman) -> None:
    code, said = engines.typed(podman.words("run", "--rm", "-it", "lab", "sh", "-c",
                                            "tty; echo in; exit 4"), env=podman.env)
    assert code == 4 and "/dev/pts/0" in said and "in\r\n" in said


def test_exec(podman: Podman, sleeper: str) -> None:
    done = podman("exec", "-u", "1000", "-w", "/tmp", "-e", "A=b", sleeper, "sh", "-c",
                  "id -u; pwd; echo $A; exit 9")
    assert (done.returncode, done.stdout) == (9, "1000\n/tmp\nb\n")
    done = podman("exec", "-i", sleeper, "cat", given="in\n")
    assert done.stdout == "in\n"
    assert podman("exec", sleeper, "nope").returncode == 127
    code, said = engines.typed(podman.words("exec", "-it", sleeper, "tty"), env=podman.env)
    assert code == 0 and "/dev/pts/" in said


def test_limits(podman: Podman) -> None:
    done = podman("run", "--rm", "--memory", "32m", "--pids-limit", "33", "--cpus", "0.5", "lab",
                  "sh", "-c", "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory.max "
                  "pids/pids.max pids.max cpu/cpu.cfs_quota_us cpu.max 2>&- | head -3")
    assert done.stdout.split()[:3] in (["33554432", "33", "50000"], ["33554432", "33", "50000"])


def test_users(podman: Podman) -> None:
    done = podman("run", "--rm", "--user", "1000:1000", "--group-add", "7", "lab", "id")
    assert done.stdout.startswith("uid=1000(lab) gid=1000")
    assert "7" in done.stdout
    done = podman("run", "--rm", "--uidmap", "0:100000:1001", "--gidmap", "0:100000:1001", "lab",
                  "sh", "-c", "id -u; cat /proc/self/uid_map; touch /tmp/mine && ls -n /tmp/mine")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert lines[:2] == ["0", "0 100000 1001"] and " 0 0 " in lines[2], done


def test_exec_into_a_user_namespace(podman: Podman) -> None:
    assert podman("run", "-d", "--name", "mapped", "--uidmap", "0:100000:1001", "--gidmap",
                  "0:100000:1001", "lab", "sleep", "1000").returncode == 0
    done = podman("exec", "mapped", "sh", "-c", "id -u; touch /tmp/x && ls -n /tmp/x")
    assert done.returncode == 0 and done.stdout.startswith("0\n"), done
    podman("rm", "--force", "--time", "0", "mapped")


def test_user_namespace_modes(podman: Podman) -> None:
    done = podman("run", "--rm", "--userns", "host", "lab", "cat", "/proc/self/uid_map")
    assert done.stdout.split()[:2] == ["0", "0"]
    # The ids of `auto` come from a file, which this host may lack: then podman has none to give.
    done = podman("run", "--rm", "--userns", "auto:size=1001", "lab", "cat", "/proc/self/uid_map")
    assert done.stdout.split()[::2] == ["0", "1001"] or "subuid" in done.stderr, done


def test_read_only(podman: Podman) -> None:
    done = podman("run", "--rm", "--read-only", "lab", "sh", "-c", "touch /x || echo no; touch "
                  "/tmp/x && echo yes")
    assert done.stdout == "no\nyes\n"


def test_mounts_and_security(podman: Podman, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    done = podman("run", "--rm", "-v", f"{tmp_path}:/data:ro", "--tmpfs", "/t:size=1m",
                  "--cap-drop", "all", "--security-opt", "no-new-privileges", "--hostname", "tea",
                  "lab", "sh", "-c", "cat /data/file; touch /data/x || echo ' no'; touch /t/x; "
                  "hostname; grep -e CapEff -e NoNew -e Seccomp: /proc/self/status")
    words = done.stdout.split()
    assert words == ["here", "no", "tea", "CapEff:", "0000000000000000", "NoNewPrivs:", "1",
                     "Seccomp:", "2"], done


def test_pause_and_kill(podman: Podman, sleeper: str) -> None:
    def status() -> str:
        return podman("inspect", "--format", "{{.State.Status}}", sleeper).stdout.strip()

    assert podman("pause", sleeper).returncode == 0 and status() == "paused"
    assert podman("unpause", sleeper).returncode == 0 and status() == "running"
    assert podman("kill", "--signal", "KILL", sleeper).returncode == 0
    assert podman("wait", sleeper).stdout == "137\n" and status() == "exited"


def test_stop_start_update_top_stats(podman: Podman, sleeper: str) -> None:
    assert podman("stop", "--time", "0", sleeper).returncode == 0
    assert podman("start", sleeper).returncode == 0
    done = podman("update", "--memory", "64m", sleeper)
    assert done.returncode == 0, done.stderr
    assert "sleep" in podman("top", sleeper).stdout
    done = podman("exec", sleeper, "sh", "-c",
                  "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory.max 2>&- | head -1")
    assert done.stdout == f"{64 << 20}\n", done
    done = podman("stats", "--no-stream", "--format", "{{.PIDs}}", sleeper)
    assert done.stdout == "1\n", done


def test_descriptors(podman: Podman) -> None:
    words = podman.words("run", "--rm", "--preserve-fds", "1", "lab", "sh", "-c", "cat <&3")
    done = subprocess.run(["sh", "-c", 'exec "$@" 3</etc/passwd', "sh", *words], text=True,
                          capture_output=True, timeout=60, check=False, env=podman.env)
    assert done.stdout == Path("/etc/passwd").read_text(), done
