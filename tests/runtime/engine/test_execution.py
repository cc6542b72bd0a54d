"""exec: one more process inside, as whom, where and with what; and two hundred of them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from runtime.engine import execution
from runtime.errors import Conflict, Denied, Invalid, NotFound

pytestmark = pytest.mark.kernel


@pytest.fixture
def tea(engine, started):
    return engine.find(started("sleep", "1000", name="tea", Env=["A=1", "B=2"], WorkingDir="/tmp"))


def test_streams_and_code(tea, inside):
    assert inside(tea.id, "sh", "-c", "echo out; echo err >&2; exit 4") == (4, b"out\n", b"err\n")


@pytest.mark.parametrize("signal, code", [("KILL", 137), ("TERM", 143), ("SEGV", 139)])
def test_ended_by_a_signal(tea, inside, signal, code):
    assert inside(tea.id, "sh", "-c", f"kill -{signal} $$").code == code


def test_what_is_inherited(tea, inside):
    assert inside(tea.id, "pwd").out == b"/tmp\n"
    assert inside(tea.id, "sh", "-c", "echo $A$B$HOSTNAME").out == f"12{tea.id[:12]}\n".encode()
    assert inside(tea.id, "sh", "-c", "echo $A$B$C", Env=["B=3", "C=4"]).out == b"134\n"
    assert inside(tea.id, "pwd", WorkingDir="/usr").out == b"/usr\n"


def test_the_user(tea, inside, engine):
    assert inside(tea.id, "id", "-u").out == b"0\n"
    assert inside(tea.id, "sh", "-c", "id -u; id -g", User="1234:99").out == b"1234\n99\n"
    with pytest.raises(Invalid, match="unable to find user nobody-at-all"):
        engine.exec(tea.id, {"Cmd": ["id"], "User": "nobody-at-all"})


def test_the_user_by_the_files_as_they_are_now(tea, inside):
    inside(tea.id, "sh", "-c", "echo guest:x:4321:4322::/: > /tmp/passwd; "
           "mv /etc /etc2; ln -s /etc2 /etc; cat /tmp/passwd > /etc/passwd")
    assert inside(tea.id, "sh", "-c", "id -u; id -g", User="guest").out == b"4321\n4322\n"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("trap", ["mkfifo /etc/passwd", "mknod /etc/passwd c 1 5"])
def test_a_passwd_that_never_ends(tea, inside, engine, trap):
    """HOME is looked up there, and so is --user; neither the shim nor a start may wait for it."""
    assert inside(tea.id, "sh", "-c", f"rm /etc/passwd && {trap}").code == 0
    assert inside(tea.id, "sh", "-c", "echo $HOME").out == b"/root\n"
    with pytest.raises(Invalid, match="unable to find user student"):
        inside(tea.id, "id", User="student")
    engine.kill("tea")
    engine.wait("tea")
    engine.start("tea")
    assert tea.status == "running"


def test_the_same_namespaces_and_group(tea, engine, collect):
    """Compared from the host, by the kernel's links."""
    attachment = engine.exec(tea.id, {"Cmd": ["sh", "-c", "read x"], "AttachStdin": True})
    (pid,) = {int(pid) for pid in os.listdir("/proc") if pid.isdigit()
              and cmdline(pid) == b"sh\0-c\0read x\0" and group(pid) == group(tea.pid)}
    for kind in os.listdir(f"/proc/{tea.pid}/ns"):
        if not kind.endswith("_for_children"):
            assert os.readlink(f"/proc/{pid}/ns/{kind}") == \
                os.readlink(f"/proc/{tea.pid}/ns/{kind}"), kind
    assert capabilities(pid) == capabilities(tea.pid)
    attachment.close_stdin()
    collect(attachment)


def cmdline(pid) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def group(pid) -> str:
    return Path(f"/proc/{pid}/cgroup").read_text()


def capabilities(pid) -> list[str]:
    return [line for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith(("Cap", "Seccomp:", "NoNewPrivs"))]


def test_privileged(tea, inside):
    grep = ["grep", "-E", "CapEff|Seccomp:", "/proc/self/status"]
    assert b"Seccomp:\t2" in inside(tea.id, *grep).out
    ran = inside(tea.id, *grep, Privileged=True).out
    assert b"Seccomp:\t2" in ran, "the filter is the container's, with Docker too"
    assert int(ran.split()[1], 16) & (1 << 21), "CAP_SYS_ADMIN"


def test_what_cannot_be_run(tea, engine):
    with pytest.raises(NotFound, match='exec: "nothing": executable file not found') as caught:
        engine.exec(tea.id, {"Cmd": ["nothing"]})
    assert caught.value.exit_code == 127
    with pytest.raises(Denied, match="permission denied") as caught:
        engine.exec(tea.id, {"Cmd": ["/etc/passwd"]})
    assert caught.value.exit_code == 126
    with pytest.raises(Invalid, match="No exec command specified"):
        engine.exec(tea.id, {"Cmd": []})
    with pytest.raises(Invalid, match="Cwd must be an absolute path"):
        engine.exec(tea.id, {"Cmd": ["true"], "WorkingDir": "tmp"})
    assert tea.status == "running"


def test_with_a_terminal(tea, engine, collect):
    attachment = engine.exec(tea.id, {"Cmd": ["sh", "-c", "tty; stty size; read x; echo $x"],
                                      "Tty": True, "AttachStdin": True, "ConsoleSize": [33, 77]})
    attachment.write(b"typed\n")
    ran = collect(attachment)
    assert ran.code == 0
    assert b"/dev/pts/" in ran.out and b"33 77\r\n" in ran.out
    assert ran.out.endswith(b"typed\r\n")


def test_stdin(tea, engine, collect):
    attachment = engine.exec(tea.id, {"Cmd": ["cat"], "AttachStdin": True})
    attachment.write(b"in\n")
    attachment.close_stdin()
    assert collect(attachment) == (0, b"in\n", b"")


def test_stdin_of_one_who_leaves(tea, engine, eventually):
    engine.exec(tea.id, {"Cmd": ["sh", "-c", "cat; touch /left"], "AttachStdin": True}).close()
    eventually(Path(f"{tea.directory}/upper/left").exists)


def test_detached(tea, engine, eventually):
    engine.exec(tea.id, {"Cmd": ["sh", "-c", "echo lost; touch /done"], "Detach": True}).close()
    eventually(Path(f"{tea.directory}/upper/done").exists)


def test_a_child_that_holds_the_output(tea, engine, inside):
    """The exec has ended and its output has not: nobody else waits for that, he a short while."""
    started = time.monotonic()
    attachment = engine.exec(tea.id, {"Cmd": ["sh", "-c", "echo hi; sleep 1000 & exit 5"]})
    assert attachment.read() == ("stdout", b"hi\n")
    assert inside(tea.id, "echo", "free").out == b"free\n"
    assert time.monotonic() - started < 1.5
    assert attachment.read() == ("exit", b"5")
    assert time.monotonic() - started < 5


def test_the_end_of_the_container_is_the_end_of_its_execs(tea, engine):
    attachment = engine.exec(tea.id, {"Cmd": ["sleep", "1000"]})
    engine.kill("tea")
    assert attachment.read() == ("exit", b"137")
    assert engine.wait("tea") == 137


def test_its_events(tea, inside, engine):
    inside(tea.id, "sh", "-c", "exit 3")
    told = [each["Action"] for each in engine.events()]
    assert told[-3:] == ["exec_create: sh -c exit 3", "exec_start: sh -c exit 3", "exec_die"]


def test_into_one_that_has_ended_meanwhile(tea, engine, monkeypatch):
    engine.kill("tea")
    engine.wait("tea")
    seen = iter(["running", "exited"])
    monkeypatch.setattr(type(tea), "status", property(lambda self: next(seen)))
    monkeypatch.setattr(execution, "process", lambda container, body: {})
    with pytest.raises(Conflict, match=f"container {tea.id} is not running"):
        execution.exec_(engine, tea, {"Cmd": ["true"]})


def test_two_hundred(tea, inside, eventually):
    """No descriptor, no zombie, no memory stays in the shim."""
    shim = tea.state["ShimPid"]

    def look() -> tuple[int, list[str]]:
        children = Path(f"/proc/{shim}/task/{shim}/children").read_text().split()
        return len(os.listdir(f"/proc/{shim}/fd")), children

    for wish in ({}, {"Tty": True}, {"AttachStdin": True}):
        inside(tea.id, "true", **wish)
    eventually(lambda: look()[1] == [str(tea.pid)])
    before = look()[0]
    here = len(os.listdir("/proc/self/fd"))
    for number in range(200):
        wish = ({}, {"Tty": True}, {"AttachStdin": True})[number % 3]
        assert inside(tea.id, "true", **wish).code == 0
    eventually(lambda: look()[0] <= before and look()[1] == [str(tea.pid)])
    assert len(os.listdir("/proc/self/fd")) == here


def test_orphans_of_the_hosts_pid_namespace(engine, started, inside, eventually):
    """They come to the shim as the nearest subreaper, and it waits for them."""
    tea = engine.find(started("sleep", "1000", host={"PidMode": "host"}))
    shim = tea.state["ShimPid"]
    for _ in range(5):
        inside(tea.id, "sh", "-c", "(sleep 0.05 >/dev/null 2>&1 &)")
    children = Path(f"/proc/{shim}/task/{shim}/children")
    eventually(lambda: children.read_text().split() == [str(tea.pid)])
