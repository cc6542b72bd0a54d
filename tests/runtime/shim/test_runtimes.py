"""The same containers by three OCI runtimes: ours in the shim, runc and crun by command line.

Whoever looks from outside must not be able to tell which it was, but by its name, and by what is
known of the start: only ours tells of each operation.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from pathlib import Path

import pytest

from runtime.engine.engine import Engine
from runtime.errors import Conflict, Denied, Invalid, LabError, NotFound, Unsupported

pytestmark = pytest.mark.kernel
HERE = Path(__file__).resolve().parents[3]

# crun 1.8 takes a host with v1 and v2 for a mistake; in a mount namespace of its own is no v2.
CRUN = """#!/bin/sh
exec unshare -m sh -c '
    [ ! -d /sys/fs/cgroup/unified ] || umount /sys/fs/cgroup/unified; exec "$@"' sh crun "$@"
"""
STATUS = "grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:)' /proc/self/status; umask; pwd; " \
    "cat /proc/self/limits /proc/self/oom_score_adj; env | sort | grep -v HOSTNAME; " \
    "ls /proc/self/fd | head -3; ls -l /dev | awk '{ print $1, $NF }' | sort | grep -v core; " \
    "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null"


OURS = f"""#!/bin/sh
exec {sys.executable} -I -S {HERE}/lab/start.py oci "$@"
"""


@pytest.fixture(params=["container-lab", "container-lab-oci", "runc", "crun"])
def name(request, tmp_path) -> str:
    """What --runtime is told; our own both ways, in process and by its command line."""
    if request.param == "container-lab":
        return request.param
    if request.param == "container-lab-oci":
        command = tmp_path / "container-lab-oci"
        command.write_text(OURS)
        command.chmod(0o755)
        return str(command)
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not here")
    if request.param == "runc":
        return "runc"
    wrapper = tmp_path / "crun-here"
    wrapper.write_text(CRUN)
    wrapper.chmod(0o755)
    return str(wrapper)


@pytest.fixture
def by(name) -> dict:
    """HostConfig of a container by this runtime."""
    return {"Runtime": name}


@pytest.fixture
def tea(engine, started, by):
    return engine.find(started("sleep", "1000", name="tea", host=by))


def test_it_runs_and_its_end_is_seen(engine, make, collect, by):
    ident = make("sh", "-c", "echo out; echo err >&2; exit 42", host=by)
    attachment = engine.attach(ident)
    engine.start(ident)
    assert collect(attachment) == (42, b"out\n", b"err\n")
    assert [(each["stream"], each["log"]) for each in engine.logs(ident)] == [
        ("stdout", "out\n"), ("stderr", "err\n")]
    assert engine.inspect(ident)["State"]["ExitCode"] == 42
    assert engine.inspect(ident)["HostConfig"]["Runtime"] == by["Runtime"]


def test_what_it_sees_is_the_same(run, by):
    host = {"Memory": 32 << 20}
    theirs = run("sh", "-c", STATUS, host={**by, **host})
    assert theirs == run("sh", "-c", STATUS, host=host)


def test_stdin(engine, make, collect, by):
    ident = make("cat", host=by, OpenStdin=True, StdinOnce=True)
    attachment = engine.attach(ident)
    engine.start(ident)
    attachment.write(b"in\n")
    attachment.close_stdin()
    assert collect(attachment) == (0, b"in\n", b"")


def test_a_terminal(engine, make, collect, by):
    ident = make("sh", "-c", "read x; tty; stty size; echo $x", Tty=True, OpenStdin=True,
                 host={**by, "ConsoleSize": [33, 77]})
    attachment = engine.attach(ident)
    engine.start(ident)
    attachment.write(b"typed\n")
    ran = collect(attachment)
    assert ran.code == 0
    assert b"/dev/pts/0\r\n33 77\r\n" in ran.out and ran.out.endswith(b"typed\r\n")


def test_an_oom_kill(engine, run, make, by):
    ident = make("hog", "200M", host={**by, "Memory": 32 << 20, "MemorySwap": 32 << 20})
    engine.start(ident)
    assert engine.wait(ident) == 137
    state = engine.inspect(ident)["State"]
    assert (state["OOMKilled"], state["ExitCode"]) == (True, 137)
    assert "oom_kill 1" in engine.last_cgroup(ident)["memory.events"]["text"]


def test_137_without_an_oom_kill(engine, tea):
    engine.kill("tea")
    assert engine.wait("tea") == 137
    assert not engine.inspect("tea")["State"]["OOMKilled"]


def test_stop_asks_first(engine, started, by, eventually):
    started("sh", "-c", "trap 'exit 7' TERM; echo set; while :; do sleep 0.05; done", name="tea",
            host=by)
    eventually(lambda: list(engine.logs("tea")))  # before its trap is set pid 1 hears no signal
    engine.stop("tea", 10)
    assert engine.find("tea").exit_code == 7
    started("sh", "-c", "trap '' TERM; while :; do sleep 0.05; done", name="deaf", host=by)
    engine.stop("deaf", 0.2)
    assert engine.find("deaf").exit_code == 137


def test_pause(engine, tea):
    engine.pause("tea")
    assert engine.inspect("tea")["State"]["Paused"]
    with pytest.raises(Conflict, match="is already paused"):
        engine.pause("tea")
    with pytest.raises(Conflict, match="is paused, unpause the container before exec"):
        engine.exec("tea", {"Cmd": ["true"]})
    engine.unpause("tea")
    assert tea.status == "running"
    engine.pause("tea")
    engine.remove("tea", force=True)
    assert engine.containers() == []


def test_exec(engine, tea, inside):
    assert inside("tea", "sh", "-c", "echo out; echo err >&2; exit 5") == (5, b"out\n", b"err\n")
    assert inside("tea", "sh", "-c", "id -u; pwd; echo $A", User="student", WorkingDir="/tmp",
                  Env=["A=b c"]).out == b"1000\n/tmp\nb c\n"
    assert b"sleep" in inside("tea", "ps").out


def test_exec_with_a_terminal(engine, tea, collect):
    def ask(number: int) -> None:
        attachment = engine.exec("tea", {"Cmd": ["sh", "-c", "tty; read x; stty size; echo $x"],
                                         "Tty": True, "AttachStdin": True,
                                         "ConsoleSize": [30 + number, 77]})
        attachment.write(b"typed\n")
        heard[number] = collect(attachment)

    heard: dict = {}
    asking = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    for number, ran in heard.items():
        assert ran.code == 0 and f"{30 + number} 77".encode() in ran.out, ran
        assert ran.out.endswith(b"typed\r\n")


def test_codes_of_many_short_execs(engine, tea, inside, eventually):
    """Some end before the program that brought them, and none is taken for an orphan."""
    for code in range(12):
        assert inside("tea", "sh", "-c", f"exit {code}").code == code
    shim = tea.state["ShimPid"]
    children = Path(f"/proc/{shim}/task/{shim}/children")
    eventually(lambda: children.read_text().split() == [str(tea.pid)])


def test_exec_of_nothing(engine, tea):
    with pytest.raises(NotFound, match="(?i)executable file.*not found|no such file") as caught:
        engine.exec("tea", {"Cmd": ["nothing"]})
    assert caught.value.exit_code == 127
    assert tea.status == "running"


def test_what_cannot_be_run(engine, make, by):
    ident = make("no-such-program", host=by)
    with pytest.raises(NotFound, match="failed to create task for container: .*not found") as told:
        engine.start(ident)
    assert told.value.exit_code == 127
    assert engine.inspect(ident)["State"]["ExitCode"] == 127
    assert engine.find(ident).status == "created"
    other = make("/etc/passwd", host=by)
    with pytest.raises(LabError) as told:
        engine.start(other)
    if not os.path.isabs(by["Runtime"]):  # crun 1.8: "open executable: Operation not permitted"
        assert isinstance(told.value, Denied) and told.value.exit_code == 126


def test_a_start_that_fails_leaves_nothing(engine, make, by):
    ident = make("true", host={**by, "Binds": ["/etc/passwd:/etc/passwd/below"]})
    with pytest.raises(LabError, match="failed to create task for container"):
        engine.start(ident)
    container = engine.find(ident)
    assert not os.path.isdir(container.run)
    assert not [path for path in Path("/sys/fs/cgroup").glob(f"*{container.cgroup}")
                if path.is_dir()]


def test_rm_and_again(engine, make, run, by):
    ident = make("true", host={**by, "AutoRemove": True})
    engine.start(ident)
    with pytest.raises(NotFound):
        while True:
            engine.wait(ident)
    again = make("sh", "-c", "echo x >> /kept; wc -l < /kept", name="again", host=by)
    for _ in range(2):
        engine.start(again)
        assert engine.wait(again) == 0
    assert [each["log"] for each in engine.logs(again)] == ["1\n", "2\n"]


def test_a_shim_that_was_killed(engine, tea, eventually):
    pid, shim = tea.pid, tea.state["ShimPid"]
    os.kill(shim, signal.SIGKILL)
    eventually(lambda: engine.find("tea").status == "exited")
    assert engine.find("tea").exit_code == 137
    eventually(lambda: not os.path.exists(f"/proc/{pid}"))
    assert not list(Path("/sys/fs/cgroup").glob(f"*{tea.cgroup}"))
    engine.start("tea")
    assert engine.find("tea").status == "running"


def test_the_hosts_mount_table_does_not_show_it(tea):
    assert tea.directory not in Path("/proc/self/mountinfo").read_text()
    assert "overlay" in Path(f"/proc/{tea.pid}/mountinfo").read_text().splitlines()[0]


def test_only_ours_can_be_stepped(engine, make, by, typed):
    ident = make("true", host=by)
    if by["Runtime"] == "container-lab":
        return
    with pytest.raises(Unsupported, match="does not tell what it does"):
        engine.start(ident, gate="/tmp/nobody")
    engine.start(ident)
    assert engine.wait(ident) == 0
    names = [each["arguments"].get("command") for each in engine.operations(ident)]
    program = os.path.basename(by["Runtime"])
    assert [f"{program} create", f"{program} start"] == [name for name in names if name]
    told = typed("operations", ident).stdout
    assert f"{program} was run by command line" in told and "can be stepped" in told


@pytest.mark.parametrize("name, error, words", [
    ("nothing", Invalid, "unknown or invalid runtime name: nothing"),
    ("/no/such/program", Invalid, "unknown or invalid runtime name: /no/such/program"),
    ("/etc/passwd", Invalid, "the file is not executable"),
    ("io.containerd.runc.v2", Unsupported, "containerd's shim"),
])
def test_no_such_runtime(engine: Engine, make, name, error, words):
    with pytest.raises(error, match=words):
        make("true", host={"Runtime": name})
    assert engine.containers() == []


def test_a_runtime_that_refuses_says_so_itself(typed):
    """crun 1.8 on a hybrid host, in its own words."""
    if shutil.which("crun") is None or not os.path.isdir("/sys/fs/cgroup/unified"):
        pytest.skip("crun or a hybrid host is not here")
    done = typed("run", "--rm", "--runtime", "crun", "lab/base", "true")
    assert done.returncode == 125
    assert "OCI runtime create failed: cgroups in hybrid mode not supported" in done.stderr
    assert typed("ps", "-aq").stdout == ""


def test_a_program_that_is_no_runtime(typed, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho this is all I have to say >&2\nexit 3\n")
    broken.chmod(0o755)
    done = typed("run", "--rm", "--runtime", str(broken), "lab/base", "true")
    assert done.returncode == 125
    assert "OCI runtime create failed: this is all I have to say" in done.stderr
