"""config.json's process, as the kernel and the host's own tools see it afterwards.

Policy, disk priority and personality are read by chrt, ionice and uname; runc 1.1 and crun 1.8 do
not know the first two yet, so the peers are asked where they can answer.
"""

from __future__ import annotations

import os
import resource
import subprocess
from pathlib import Path
from typing import Any

import pytest

from runtime.engine.seccomp_profile import default_profile
from runtime.errors import KernelError
from runtime.kernel import capabilities
from tests.runtime.oci.bundles import Bundle, Started, peer

pytestmark = pytest.mark.kernel


def said_by(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def allow_real_time(bundle: Bundle) -> None:
    """Where the host gives real-time CPU by group, a group has none unless it is given some."""
    if Path("/sys/fs/cgroup/cpu/cpu.rt_runtime_us").exists():
        bundle.linux["resources"]["cpu"] = {"realtimeRuntime": 1000, "realtimePeriod": 1000000}


@pytest.mark.parametrize(("asked", "words"), [
    ({"policy": "SCHED_BATCH", "nice": 5}, ("SCHED_BATCH", "nice 5")),
    ({"policy": "SCHED_IDLE"}, ("SCHED_IDLE",)),
    ({"policy": "SCHED_OTHER", "nice": -3}, ("SCHED_OTHER", "nice -3")),
    ({"policy": "SCHED_FIFO", "priority": 7}, ("SCHED_FIFO", "priority: 7")),
    ({"policy": "SCHED_RR", "priority": 2, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
     ("SCHED_RR", "SCHED_RESET_ON_FORK", "priority: 2"))])
def test_the_scheduler(bundle: Bundle, asked: dict[str, Any], words: tuple[str, ...]) -> None:
    allow_real_time(bundle)
    bundle.process["scheduler"] = asked
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    started = bundle.start()
    said = said_by("chrt", "-p", str(started.pid))
    nice = f"nice {os.getpriority(os.PRIO_PROCESS, started.pid)}"
    assert all(word in f"{said} {nice}" for word in words), said


def test_a_deadline(bundle: Bundle) -> None:
    """Such a process may not fork, and our own way to it has to do without."""
    bundle.process["scheduler"] = {"policy": "SCHED_DEADLINE", "nice": 19, "priority": 0,
                                   "runtime": 42000, "deadline": 1000000, "period": 1000000}
    bundle.process["args"] = ["/bin/sleep", "1000"]
    started = bundle.start()
    said = said_by("chrt", "-p", str(started.pid))
    assert "SCHED_DEADLINE" in said and "42000/1000000/1000000" in said
    assert started.exec("exit 3", scheduler={"policy": "SCHED_IDLE"})[0] == 3


def test_a_schedule_that_cannot_be_kept_is_the_kernels_answer(bundle: Bundle) -> None:
    bundle.process["scheduler"] = {"policy": "SCHED_DEADLINE", "runtime": 5, "deadline": 4,
                                   "period": 3}
    error = bundle.refused()
    assert isinstance(error, KernelError) and "sched_setattr SCHED_DEADLINE" in str(error)


@pytest.mark.parametrize(("asked", "words"), [
    ({"class": "IOPRIO_CLASS_BE", "priority": 6}, "best-effort: prio 6"),
    ({"class": "IOPRIO_CLASS_RT", "priority": 0}, "realtime: prio 0"),
    ({"class": "IOPRIO_CLASS_IDLE", "priority": 7}, "idle")])
def test_the_disk_priority(bundle: Bundle, asked: dict[str, Any], words: str) -> None:
    bundle.process["ioPriority"] = asked
    started = bundle.start()
    assert said_by("ionice", "-p", str(started.pid)).strip().startswith(words)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="i686 is x86")
@pytest.mark.parametrize(("domain", "machine"), [("LINUX32", "i686"), ("LINUX", "x86_64")])
def test_the_personality(bundle: Bundle, domain: str, machine: str) -> None:
    bundle.linux["personality"] = {"domain": domain}
    script = "uname -m; cat /proc/self/personality"
    code, out, err = bundle.run(script)
    assert (code, out.split()[0]) == (0, machine), err
    assert (0, out) == peer("crun", bundle, script)[:2]


def test_exec_has_what_the_first_process_has(bundle: Bundle) -> None:
    bundle.process["scheduler"] = {"policy": "SCHED_BATCH", "nice": 5}
    bundle.process["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 6}
    bundle.linux["personality"] = {"domain": "LINUX32"}
    started = bundle.start()
    code, out = started.exec("uname -m; awk '{ print $19, $41 }' /proc/self/stat")
    assert (code, out) == (0, "i686\n5 3\n")


def cpus_of(started: Started) -> str:
    code, out = started.exec("grep Cpus_allowed_list /proc/self/status")
    assert code == 0
    return out.split()[1]


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two CPUs")
def test_the_cpus_of_an_exec_and_of_nothing_else(bundle: Bundle) -> None:
    bundle.process["execCPUAffinity"] = {"initial": "0", "final": "1"}
    started = bundle.start()
    status = Path(f"/proc/{started.pid}/status").read_text()
    assert "Cpus_allowed_list:\t1\n" not in status, "not of the first process: config.md"
    assert cpus_of(started) == "1"
    bundle.process["execCPUAffinity"] = {"final": "0-1"}
    assert cpus_of(started) == "0-1"


def lowest_score() -> int:
    """What this process may set: below its own needs CAP_SYS_RESOURCE."""
    return -500 if capabilities.bounding() >> 24 & 1 else 0


@pytest.mark.parametrize("score", [lowest_score(), 1, 777])
def test_the_oom_score_also_without_a_proc(bundle: Bundle, score: int) -> None:
    bundle.process["oomScoreAdj"] = score
    bundle.spec["mounts"] = [entry for entry in bundle.spec["mounts"]
                             if not entry["destination"].startswith(("/proc", "/sys"))]
    bundle.linux.update(maskedPaths=[], readonlyPaths=[])
    started = bundle.start()
    assert int(Path(f"/proc/{started.pid}/oom_score_adj").read_text()) == score


def test_the_oom_score_of_a_user_namespace_is_set_from_outside(mapped: Bundle) -> None:
    mapped.process["oomScoreAdj"] = lowest_score()
    started = mapped.start()
    score = Path(f"/proc/{started.pid}/oom_score_adj").read_text()
    assert int(score) == lowest_score()


def test_a_label_of_a_module_that_is_not_here_is_refused(bundle: Bundle) -> None:
    bundle.process["apparmorProfile"] = "unconfined"
    bundle.start().close()
    if not os.path.exists("/sys/module/apparmor/parameters/enabled"):
        bundle.process["apparmorProfile"] = "docker-default"
        assert str(bundle.refused()) == (
            "$.process.apparmorProfile: config provided but apparmor not supported")


def test_an_unknown_capability_is_a_warning_as_with_runc(bundle: Bundle) -> None:
    bundle.process["capabilities"]["bounding"].append("CAP_FLY")
    started = bundle.start()
    assert started.warnings == ["ignoring unknown capability CAP_FLY"]
    code, _, error = peer("runc", bundle, "true")
    assert code == 0, error


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize(("kind", "soft"), [
    ("RLIMIT_FSIZE", 0), ("RLIMIT_NOFILE", 3), ("RLIMIT_AS", 1 << 20), ("RLIMIT_DATA", 1 << 16),
    ("RLIMIT_STACK", 1 << 16), ("RLIMIT_CPU", 1), ("RLIMIT_NPROC", 1), ("RLIMIT_CORE", -1)])
def test_a_narrow_limit_is_the_programs_and_not_ours(
        bundle: Bundle, kind: str, soft: int, sealed: bool) -> None:
    hard = resource.getrlimit(getattr(resource, kind))[1]
    bundle.process.update(rlimits=[{"type": kind, "soft": soft, "hard": hard}],
                          noNewPrivileges=sealed)
    bundle.linux["seccomp"] = default_profile([])
    (bundle.rootfs / "etc/passwd").write_text("root:x:0:0:root:/home/of/root:/bin/sh\n")
    started = bundle.start(stop_at_created=True)
    started.ask(start=1)
    try:
        started.run()
    except KernelError as error:
        assert kind == "RLIMIT_AS" and "execve" in str(error)
        return
    if kind == "RLIMIT_NOFILE":
        environ = Path(f"/proc/{started.pid}/environ").read_bytes()
        assert b"HOME=/home/of/root" in environ
    if kind != "RLIMIT_AS":
        number = getattr(resource, kind)
        assert resource.prlimit(started.pid, number) == (soft, hard)


@pytest.mark.skipif(lowest_score() == 0, reason="needs CAP_SYS_RESOURCE")
def test_a_limit_above_the_hosts_in_a_user_namespace(mapped: Bundle) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    mapped.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": hard}]
    started = mapped.start(prefix=("prlimit", "--nofile=2000:2000"))
    assert resource.prlimit(started.pid, resource.RLIMIT_NOFILE) == (100, hard)
