"""exec: one more process inside, with the same view and no more rights than the first."""

from __future__ import annotations

import os

import pytest

from tests.runtime.oci.bundles import Bundle

pytestmark = pytest.mark.kernel
STATUS = ("grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:)' /proc/$$/status; hostname; pwd; "
          "for kind in mnt pid net uts ipc cgroup user; do readlink /proc/$$/ns/$kind; done; "
          "cut -d: -f3 /proc/self/cgroup; ls /")


def test_it_sees_what_the_first_process_sees(bundle: Bundle) -> None:
    bundle.script(f"{STATUS}; echo ready; exec sleep 1000")
    started = bundle.start()
    started.ready()
    code, out = started.exec(STATUS)
    assert code == 0
    assert out == bundle.read("init.out").replace("ready\n", "")


def test_it_is_in_every_group_and_a_child_of_the_shim(bundle: Bundle) -> None:
    started = bundle.start()
    started.ask(exec={**bundle.process, "args": ["sleep", "1000"]})
    pid = started.answer("pid")["pid"]
    for directory in bundle.cgroup().directories():
        with open(f"{directory}/cgroup.procs") as file:
            assert str(pid) in file.read().split(), directory
    with open(f"/proc/{pid}/stat") as file:
        assert int(file.read().rpartition(")")[2].split()[1]) == started.program.pid
    os.kill(pid, 9)
    assert started.hear()["status"] == -9


def test_another_user_and_directory(bundle: Bundle) -> None:
    started = bundle.start()
    code, out = started.exec("id -u; id -g; pwd; echo $HOME; umask",
                             user={"uid": 1000, "gid": 1000, "umask": 0o77}, cwd="/tmp")
    assert (code, out.split()) == (0, ["1000", "1000", "/tmp", "/home/lab", "0077"])


def test_its_own_limits_and_score(bundle: Bundle) -> None:
    started = bundle.start()
    code, out = started.exec(
        "ulimit -n; cat /proc/$$/oom_score_adj", oomScoreAdj=123,
        rlimits=[{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 80}])
    assert (code, out.split()) == (0, ["77", "123"])


@pytest.mark.parametrize(("args", "code"), [(["no-such"], 127), (["/etc/passwd"], 126),
                                            (["/etc"], 126), (["/no/such"], 127)])
def test_what_cannot_run_says_so(bundle: Bundle, args: list[str], code: int) -> None:
    started = bundle.start()
    started.ask(exec={**bundle.process, "args": args})
    message = started.hear()
    assert message["error"]["exit_code"] == code
    assert os.path.exists(f"/proc/{started.pid}"), "the container runs on"
    with open(f"/proc/{started.program.pid}/task/{started.program.pid}/children") as file:
        assert file.read().split() == [str(started.pid)], "no zombie is left"


def test_the_container_gone_is_one_line(bundle: Bundle) -> None:
    started = bundle.start()
    os.kill(started.pid, 9)
    started.wait()
    started.ask(exec={**bundle.process, "args": ["true"]})
    assert "\n" not in started.hear()["error"]["message"]


def test_many_at_once_leave_nothing(bundle: Bundle) -> None:
    started = bundle.start()
    for number in range(5):
        assert started.exec(f"exit {number}")[0] == number
    assert bundle.cgroup().processes() == [started.pid]


def test_the_shims_umask_is_not_its_own(bundle: Bundle) -> None:
    started = bundle.start(prefix=("sh", "-c", 'umask 077; exec "$@"', "sh"))
    assert started.exec("umask") == (0, "0022\n")


def test_it_enters_a_time_namespace_too(bundle: Bundle) -> None:
    bundle.linux["namespaces"].append({"type": "time"})
    bundle.linux["timeOffsets"] = {"boottime": {"secs": 864000, "nanosecs": 0}}
    started = bundle.start()
    code, out = started.exec("cut -d. -f1 /proc/uptime; readlink /proc/self/ns/time")
    uptime, inside = out.split()
    assert code == 0 and int(uptime) > 864000
    assert inside == os.readlink(f"/proc/{started.pid}/ns/time")
