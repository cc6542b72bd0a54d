"""A container's life by command line, ours beside runc's: state, codes, error lines, streams."""

from __future__ import annotations

import array
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.oci.bundles import Bundle
from tests.runtime.oci.commandline import OURS, Runtime, eventually, written

pytestmark = pytest.mark.kernel

STORY: list[tuple[str, ...]] = [
    ("create", "-b", "BUNDLE", "tea"), ("state", "tea"), ("list",), ("pause", "tea"),
    ("start", "tea"), ("resume", "tea"), ("exec", "tea", "echo", "early"), ("start", "tea"),
    ("start", "tea"), ("create", "-b", "BUNDLE", "tea"), ("run", "-b", "BUNDLE", "tea"),
    ("delete", "tea"), ("pause", "tea"), ("pause", "tea"), ("state", "tea"),
    ("exec", "tea", "true"), ("delete", "tea"), ("kill", "tea", "NONE"), ("resume", "tea"),
    ("resume", "tea"), ("exec", "tea", "sh", "-c", "echo out; echo err >&2; exit 7"),
    ("exec", "tea", "sh", "-c", "kill -9 $$"), ("exec", "tea", "nope"), ("exec", "tea", "/nope"),
    ("exec", "--cwd", "/nowhere", "tea", "true"), ("exec", "--user", "x", "tea", "true"),
    ("exec", "-t", "-d", "tea", "true"), ("exec", "--console-socket", "/s", "tea", "true"),
    ("exec", "--user", "1000:1000", "-e", "A=b", "--cwd", "/tmp", "tea", "sh", "-c",
     "id -u; id -g; pwd; echo $A $HOME"),
    ("exec", "--user", "7", "-g", "8", "-g", "9", "tea", "id", "-G"),
    ("exec", "--cap", "CAP_SYS_ADMIN", "tea", "grep", "Cap[IPEBA]", "/proc/self/status"),
    ("exec", "--no-new-privs", "tea", "grep", "NoNewPrivs", "/proc/self/status"),
    ("exec", "tea", "grep", "-c", "", "/proc/1/cgroup"), ("exec", "--cgroup", "..", "tea", "true"),
    ("ps", "tea", "-o", "comm"), ("kill", "tea", "KILL"), ("WAIT",), ("state", "tea"),
    ("kill", "tea"), ("kill", "--all", "tea", "KILL"), ("start", "tea"), ("exec", "tea", "true"),
    ("pause", "tea"), ("resume", "tea"), ("ps", "tea", "-o", "comm"), ("events", "--stats", "tea"),
    ("update", "--memory", "20M", "tea"), ("delete", "tea"), ("delete", "tea"), ("list",),
]


def told(runtime: Runtime, bundle: Bundle) -> list[tuple[Any, ...]]:
    """What this runtime says to each line of the story, without what differs by its nature."""
    folder, answers = str(bundle.folder), []
    for line in STORY:
        if line == ("WAIT",):
            eventually(lambda: '"stopped"' in runtime("state", "tea").out, "the end")
            continue
        said = runtime(*(folder if word == "BUNDLE" else word for word in line))
        out = re.sub(r'"ociVersion": "[^"]*"|"owner": "[^"]*"|"created": "[^"]*"', "", said.out)
        out = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "", out)
        out = re.sub(r'("pid": )?\b[1-9]\d{2,}\b', "N", re.sub(" +", " ", out)).strip()
        answers.append((" ".join(line), said.code, out, said.message()))
    return answers


def test_the_same_story(ours: Runtime, runc: Runtime, bundle: Bundle) -> None:
    bundle.process["noNewPrivileges"] = False
    written(bundle, "/bin/sleep", "1000")
    mine = told(ours, bundle)
    theirs = told(runc, bundle)
    for each, other in zip(mine, theirs, strict=True):
        if each[0].startswith("exec --cgroup"):
            assert each[1] == other[1] and "bad sub cgroup path" in each[3]
        else:
            assert each == other
    assert not bundle.cgroup().exists()


def test_state_is_what_the_specification_says(ours: Runtime, bundle: Bundle) -> None:
    bundle.spec["annotations"] = {"a.b": "c"}
    folder = written(bundle, "/bin/sleep", "1000")
    assert ours("create", "--pid-file", str(ours.folder / "pid"), "tea", cwd=folder).code == 0
    state = json.loads(ours("state", "tea").out)
    assert state["pid"] == int((ours.folder / "pid").read_text())
    assert (state["status"], state["bundle"], state["rootfs"], state["annotations"]) == (
        "created", folder, f"{folder}/rootfs", {"a.b": "c"})
    assert "busybox" not in os.readlink(f"/proc/{state['pid']}/exe"), "it has not begun"
    assert ours("start", "tea").code == 0
    assert eventually(lambda: "busybox" in os.readlink(f"/proc/{state['pid']}/exe"))


def test_a_created_container_can_be_killed_and_deleted(ours: Runtime, bundle: Bundle) -> None:
    folder = written(bundle, "/bin/sleep", "1000")
    for signal_name in ("TERM", "KILL"):
        assert ours("create", "-b", folder, "tea").code == 0
        assert ours("kill", "tea", signal_name).code == 0
        eventually(lambda: '"stopped"' in ours("state", "tea").out, f"the end by {signal_name}")
        assert ours("delete", "tea").code == 0
    assert ours("create", "-b", folder, "tea").code == 0
    assert ours("delete", "tea").code == 0
    assert not bundle.cgroup().exists() and os.listdir(ours.root) in ([], ["@seccomp"])


@pytest.mark.parametrize("verb", ["create", "run"])
def test_a_start_that_fails_leaves_nothing(
        ours: Runtime, runc: Runtime, bundle: Bundle, verb: str) -> None:
    folder = written(bundle, "/no/such")
    mine, theirs = (each(verb, "-b", folder, "tea") for each in (ours, runc))
    assert mine.message() == theirs.message() and mine.code == theirs.code == 1
    assert not bundle.cgroup().exists()
    assert ours("list", "-q").out == "" and os.listdir(ours.root) in ([], ["@seccomp"])


def test_an_execve_that_fails_is_told_by_start(ours: Runtime, bundle: Bundle) -> None:
    script = bundle.rootfs / "run.sh"
    script.write_text("#!/mmnnttbb foo\n")
    script.chmod(0o755)
    folder = written(bundle, "/run.sh")
    assert ours("create", "-b", folder, "tea").code == 0
    said = ours("start", "tea")
    assert said.code == 1 and "exec /run.sh: no such file or directory" in said.message()
    assert said.err.count("\n") == 1
    assert '"stopped"' in ours("state", "tea").out
    assert ours("delete", "tea").code == 0
    said = ours("run", "-b", folder, "tea")
    assert said.code == 1 and "exec /run.sh: no such file or directory" in said.message()


@pytest.mark.parametrize(("script", "code"), [("cat; echo err >&2; exit 7", 7),
                                              ("kill -9 $$", 137)])
def test_run_passes_streams_and_code_on(
        ours: Runtime, bundle: Bundle, script: str, code: int) -> None:
    bundle.spec["linux"]["namespaces"].remove({"type": "pid"})
    folder = written(bundle, "/bin/sh", "-c", script)
    said = ours("run", "-b", folder, "tea", given="in\n")
    assert said.code == code
    if code == 7:
        assert (said.out, said.err) == ("in\n", "err\n")
    assert ours("list", "-q").out == "" and not bundle.cgroup().exists()


def test_run_keep_and_detach(ours: Runtime, bundle: Bundle) -> None:
    folder = written(bundle, "/bin/sh", "-c", "exit 6")
    assert ours("run", "--keep", "-b", folder, "tea").code == 6
    assert json.loads(ours("state", "tea").out)["status"] == "stopped"
    assert bundle.cgroup().exists()
    assert ours("delete", "tea").code == 0
    folder = written(bundle, "/bin/sleep", "1000")
    assert ours("run", "-d", "-b", folder, "tea").code == 0
    assert json.loads(ours("state", "tea").out)["status"] == "running"
    assert ours("delete", "--force", "tea").code == 0
    assert not bundle.cgroup().exists()


def test_signals_to_run_are_the_containers(ours: Runtime, bundle: Bundle) -> None:
    folder = written(bundle, "/bin/sh", "-c",
                     "trap 'echo got; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
    running = ours.spawn("run", "-b", folder, "tea", stdout=subprocess.PIPE)
    assert running.stdout is not None and running.stdout.readline() == b"ready\n"
    running.send_signal(signal.SIGTERM)
    assert running.stdout.read() == b"got\n" and running.wait(10) == 3
    running.stdout.close()


def test_descriptors_are_passed_on(ours: Runtime, runc: Runtime, bundle: Bundle) -> None:
    folder = written(bundle, "/bin/sh", "-c", "cat <&3; cat <&4; ls /proc/self/fd | wc -l")
    for runtime in (ours, runc):
        pairs = [os.pipe() for _ in range(3)]
        for number, (_, end) in enumerate(pairs):
            os.write(end, f"{number}\n".encode())
            os.close(end)
        fds = [read for read, _ in pairs]
        line = ["/bin/bash", "-c", f'exec 3<&{fds[0]} 4<&{fds[1]} 5<&{fds[2]}; exec "$@"', "sh",
                *runtime.command, "--root", str(runtime.root), "run", "--preserve-fds", "2", "-b",
                folder, "tea"]
        done = subprocess.run(line, capture_output=True, text=True, pass_fds=fds, check=False,
                              stdin=subprocess.DEVNULL)
        for fd in fds:
            os.close(fd)
        assert done.stdout == "0\n1\n6\n", f"0 1 2 3 4 and ls's own: {done}"


def test_descriptors_that_are_not_there(ours: Runtime, bundle: Bundle) -> None:
    folder = written(bundle, "/bin/true")
    said = ours("run", "--preserve-fds", "1", "-b", folder, "tea")
    assert said.code == 1 and "unable to stat preserved-fd 0 (of 1)" in said.message()


def test_sockets_of_systemd(ours: Runtime, bundle: Bundle) -> None:
    folder = written(bundle, "/bin/sh", "-c", "echo $LISTEN_FDS $LISTEN_PID; cat <&3")
    read, end = os.pipe()
    os.write(end, b"socket\n")
    os.close(end)
    shell = f'exec 3<&{read}; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
    line = ["/bin/bash", "-c", shell, "sh", *OURS, "--root", str(ours.root), "run", "-b", folder,
            "tea"]
    done = subprocess.run(line, capture_output=True, text=True, pass_fds=[read], check=False,
                          stdin=subprocess.DEVNULL)
    os.close(read)
    assert done.stdout == "1 1\nsocket\n", done


class Receiver:
    """Whoever keeps a terminal: a socket that gets its master."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.listener.settimeout(10)

    def take(self) -> tuple[bytes, int]:
        connection, _ = self.listener.accept()
        data, rights, _, _ = connection.recvmsg(64, socket.CMSG_SPACE(4))
        connection.close()
        return data, array.array("i", rights[0][2])[0]


def read_all(fd: int, until: bytes, timeout_s: float = 10) -> bytes:
    data, deadline = b"", time.monotonic() + timeout_s
    while until not in data and time.monotonic() < deadline:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                data += os.read(fd, 4096)
            except OSError:
                break
    return data


def test_the_terminal_goes_to_the_console_socket(ours: Runtime, bundle: Bundle) -> None:
    bundle.process["terminal"] = True
    bundle.process["consoleSize"] = {"height": 11, "width": 44}
    folder = written(bundle, "/bin/sh", "-c", "stat -c %F /dev/console; read a; echo $a; read b")
    said = ours("create", "-b", folder, "tea")
    assert said.message() == "runc create failed: cannot allocate tty if runc will detach " \
        "without setting console socket"
    receiver = Receiver(ours.folder / "tty")
    # A relative path is relative to where the command is, not to the bundle.
    assert ours("create", "-b", folder, "--console-socket", "tty", "tea",
                cwd=str(ours.folder)).code == 0
    name, master = receiver.take()
    assert name == b"/dev/ptmx" and os.isatty(master)
    assert os.get_terminal_size(master) == (44, 11)
    assert ours("start", "tea").code == 0
    os.write(master, b"typed\n")
    assert b"character special file" in (seen := read_all(master, b"typed\r\ntyped\r\n")), seen
    assert ours("exec", "-t", "-d", "--console-socket", "tty", "--pid-file", "pid", "tea", "sh",
                "-c", "tty; echo from exec; sleep 9", cwd=str(ours.folder)).code == 0
    _, second = receiver.take()
    assert b"/dev/pts/1" in (seen := read_all(second, b"exec")), seen
    assert Path(f"/proc/{(ours.folder / 'pid').read_text()}").exists()
    os.close(master)
    os.close(second)
    receiver.listener.close()


def test_a_terminal_in_the_foreground(ours: Runtime, bundle: Bundle) -> None:
    bundle.process["terminal"] = True
    folder = written(bundle, "/bin/sh", "-c", "tty; read a; echo got $a; exit 5")
    pid, master = pty.fork()
    if pid == 0:
        os.execvp(OURS[0], [*OURS, "--root", str(ours.root), "run", "-b", folder, "tea"])
    assert b"/dev/pts/0" in read_all(master, b"/dev/pts/0")
    os.write(master, b"this\n")
    assert b"got this" in read_all(master, b"got this")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    os.close(master)


def test_a_pidfd_is_sent(ours: Runtime, bundle: Bundle) -> None:
    folder = written(bundle, "/bin/sleep", "1000")
    receiver = Receiver(ours.folder / "pidfd")
    assert ours("run", "-d", "-b", folder, "--pidfd-socket", receiver.path, "tea").code == 0
    _, pidfd = receiver.take()
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    eventually(lambda: '"stopped"' in ours("state", "tea").out, "the end")
    os.close(pidfd)
    receiver.listener.close()


def test_process_file(ours: Runtime, bundle: Bundle) -> None:
    folder = written(bundle, "/bin/sleep", "1000")
    assert ours("run", "-d", "-b", folder, "tea").code == 0
    process = {"args": ["sh", "-c", "echo $A; id -u; pwd"], "cwd": "/tmp", "env": ["A=b",
               "PATH=/bin"], "user": {"uid": 5, "gid": 6}}
    (ours.folder / "p.json").write_text(json.dumps(process))
    assert ours("exec", "-p", str(ours.folder / "p.json"), "tea").out == "b\n5\n/tmp\n"
    (ours.folder / "p.json").write_text(json.dumps({**process, "args": [1]}))
    said = ours("exec", "-p", str(ours.folder / "p.json"), "tea")
    assert said.code == 255 and "args[0]: expected a string" in said.message()


def test_update(ours: Runtime, bundle: Bundle) -> None:
    bundle.linux["resources"]["memory"] = {"limit": 64 << 20}
    folder = written(bundle, "/bin/sleep", "1000")
    assert ours("run", "-d", "-b", folder, "tea").code == 0

    def limits() -> tuple[int, int]:
        data = json.loads(ours("events", "--stats", "tea").out)["data"]
        return data["memory"]["usage"]["limit"], data["pids"].get("limit", 0)

    assert limits() == (64 << 20, 0)
    assert ours("update", "--memory", "32M", "--pids-limit", "17", "tea").code == 0
    assert limits() == (32 << 20, 17)
    said = ours("update", "-r", "-", "tea", given=json.dumps({"memory": {"limit": 48 << 20}}))
    assert said.code == 0 and limits() == (48 << 20, 17)
    said = ours("update", "--cpu-rt-period", "x", "tea")
    assert said.code == 1 and "cpu-rt-period" in said.message()


def test_events_are_runcs(ours: Runtime, runc: Runtime, bundle: Bundle) -> None:
    folder = written(bundle, "/bin/sleep", "1000")
    shapes = []
    for runtime in (ours, runc):
        assert runtime("run", "-d", "-b", folder, "tea").code == 0
        line = json.loads(runtime("events", "--stats", "tea").out)
        shapes.append(shape(line))
        runtime("delete", "-f", "tea")
    # A counter that is 0 is left out; which are differs from one moment to the next.
    for each in shapes:
        each["data"]["memory"].pop("cache", None)
        for kind in ("usage", "swap", "kernel", "kernelTCP"):
            each["data"]["memory"].pop(kind, None)
    assert shapes[0] == shapes[1]


def shape(value: Any) -> Any:
    """The keys, and the kinds of the values."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    return type(value).__name__


def test_events_tell_of_an_oom_kill_and_end(ours: Runtime, bundle: Bundle) -> None:
    bundle.linux["resources"]["memory"] = {"limit": 8 << 20, "swap": 8 << 20}
    folder = written(bundle, "/bin/sh", "-c", "read go; head -c 64m /dev/zero | tail -c 60m;"
                                              "sleep 0.2")
    (bundle.rootfs / "bin/tail").symlink_to("busybox")
    fifo = ours.folder / "go"
    os.mkfifo(fifo)
    feed = os.open(fifo, os.O_RDWR)
    with open(fifo, "rb") as stdin:
        running = ours.spawn("run", "-b", folder, "tea", stdin=stdin, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    eventually(lambda: '"running"' in ours("state", "tea").out, "it runs")
    heard = ours.folder / "events"
    with open(heard, "wb") as stdout:
        events = ours.spawn("events", "--interval", "50ms", "tea", stdout=stdout)
    eventually(lambda: '"stats"' in heard.read_text(), "the first numbers")
    os.write(feed, b"go\n")
    assert running.wait(20) is not None
    assert events.wait(10) == 0
    assert '{"type":"oom","id":"tea"}\n' in heard.read_text()
    os.close(feed)


def test_hooks_at_their_points(ours: Runtime, bundle: Bundle) -> None:
    said = ours.folder / "said"
    line = f'echo "$1 $(cat)" >> {said}'
    host = {"path": "/bin/sh", "args": ["sh", "-c", line, "sh"]}
    bundle.spec["hooks"] = {kind: [{**host, "args": [*host["args"], kind]}] for kind in (
        "prestart", "createRuntime", "createContainer", "poststart", "poststop")}
    bundle.spec["hooks"]["startContainer"] = [
        {"path": "/bin/sh", "args": ["sh", "-c", "cat > /tmp/said"]}]
    folder = written(bundle, "/bin/sleep", "1000")

    def heard() -> list[tuple[str, str]]:
        lines = [each.partition(" ") for each in said.read_text().splitlines()]
        return [(name, json.loads(state)["status"]) for name, _, state in lines]

    assert ours("create", "-b", folder, "tea").code == 0
    made = [("prestart", "creating"), ("createRuntime", "creating"),
            ("createContainer", "creating")]
    assert heard() == made
    assert not (bundle.rootfs / "tmp/said").exists()
    assert ours("start", "tea").code == 0
    assert heard() == [*made, ("poststart", "running")]
    told = json.loads((bundle.rootfs / "tmp/said").read_text())
    assert (told["id"], told["status"], told["bundle"]) == ("tea", "created", folder)
    assert ours("delete", "-f", "tea").code == 0
    assert heard() == [*made, ("poststart", "running"), ("poststop", "stopped")]


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer",
                                  "startContainer", "poststart"])
def test_a_hook_that_fails_ends_the_start(ours: Runtime, bundle: Bundle, kind: str) -> None:
    bundle.spec["hooks"] = {kind: [{"path": "/bin/true"}, {"path": "/bin/false"}]}
    folder = written(bundle, "/bin/sleep", "1000")
    said = ours("run", "-d", "-b", folder, "tea")
    assert said.code == 1 and f"error running {kind} hook #1: exit status 1" in said.message()
    assert ours("list", "-q").out == "" and not bundle.cgroup().exists()


def test_delete_without_a_pid_namespace_ends_all(ours: Runtime, bundle: Bundle) -> None:
    bundle.linux["namespaces"].remove({"type": "pid"})
    folder = written(bundle, "/bin/sleep", "1000")
    assert ours("run", "-d", "-b", folder, "tea").code == 0
    assert ours("exec", "-d", "tea", "sleep", "1000").code == 0
    pids = json.loads(ours("ps", "-f", "json", "tea").out)
    assert len(pids) == 2
    os.kill(json.loads(ours("state", "tea").out)["pid"], signal.SIGKILL)
    eventually(lambda: '"stopped"' in ours("state", "tea").out, "the end")
    assert ours("delete", "tea").code == 0
    assert not bundle.cgroup().exists()


def test_sigkill_without_a_pid_namespace_is_for_all(ours: Runtime, bundle: Bundle) -> None:
    bundle.linux["namespaces"].remove({"type": "pid"})
    folder = written(bundle, "/bin/sleep", "1000")
    assert ours("run", "-d", "-b", folder, "tea").code == 0
    assert ours("exec", "-d", "tea", "sleep", "1000").code == 0
    assert ours("kill", "tea", "TERM").code == 0
    eventually(lambda: '"stopped"' in ours("state", "tea").out, "the end of the first")
    assert len(json.loads(ours("ps", "-f", "json", "tea").out)) == 1
    assert ours("kill", "tea", "KILL").code == 0
    eventually(lambda: ours("ps", "-f", "json", "tea").out == "null\n", "the end of all")


def test_delete_force_of_a_paused_one(ours: Runtime, bundle: Bundle) -> None:
    folder = written(bundle, "/bin/sleep", "1000")
    assert ours("run", "-d", "-b", folder, "tea").code == 0
    assert ours("pause", "tea").code == 0
    assert ours("delete", "--force", "tea").code == 0
    assert not bundle.cgroup().exists()


def test_the_group_of_another_is_left_alone(ours: Runtime, bundle: Bundle) -> None:
    folder = written(bundle, "/bin/sleep", "1000")
    assert ours("run", "-d", "-b", folder, "tea").code == 0
    said = ours("run", "-d", "-b", folder, "milk")
    assert said.code == 1 and "cgroup is not empty" in said.message()
    assert ours("list", "-q").out == "tea\n"
    assert '"running"' in ours("state", "tea").out


DEAR = {"json", "enum", "signal", "socket", "re", "typing", "subprocess", "dataclasses",
        "functools", "collections", "contextlib", "pathlib", "threading", "logging", "shutil"}


def test_the_way_of_a_start_is_light(ours: Runtime, bundle: Bundle) -> None:
    """-X importtime names every module that a command imports, its container's init included."""
    folder = written(bundle, "/bin/sleep", "1000")
    python, *rest = ours.command
    ours.command = (python, "-X", "importtime", *rest)
    for words in (("create", "-b", folder, "tea"), ("state", "tea"), ("start", "tea"),
                  ("exec", "tea", "true"), ("kill", "tea", "KILL"), ("delete", "--force", "tea"),
                  ("run", "-d", "-b", folder, "tea")):
        said = ours(*words)
        assert said.code == 0
        names = {line.rpartition("|")[2].strip() for line in said.err.splitlines()
                 if line.startswith("import time")}
        assert names and not DEAR & names, f"{words[0]} imports {DEAR & names}"
    ours.command = (python, *rest)


def test_without_root(bundle: Bundle) -> None:
    """The same commands for an ordinary user: a user namespace, no group, no root anywhere."""
    python = "/usr/bin/python3"
    probe = subprocess.run([python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"],
                           check=False, capture_output=True)
    if probe.returncode or shutil.which("setpriv") is None:
        pytest.skip("an interpreter that everybody may run, and setpriv")
    folder = Path(tempfile.mkdtemp(prefix="clo-", dir="/tmp"))
    user = ("setpriv", "--reuid", "1234", "--regid", "1234", "--clear-groups", "env", "HOME=/tmp")
    ours = Runtime((*user, python, *OURS[1:]), folder)
    try:
        shutil.copytree(bundle.rootfs, folder / "rootfs", symlinks=True)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, 1234, 1234, follow_symlinks=False)
        assert ours("spec", "--rootless", "--bundle", str(folder)).code == 0
        config = json.loads((folder / "config.json").read_text())
        config["process"].update(terminal=False, args=["sleep", "1000"])
        (folder / "config.json").write_text(json.dumps(config))
        assert ours("create", "-b", str(folder), "tea").code == 0
        assert ours("start", "tea").code == 0
        assert json.loads(ours("state", "tea").out)["status"] == "running"
        assert ours("exec", "tea", "id", "-u").out == "0\n"
        pid = json.loads(ours("state", "tea").out)["pid"]
        assert Path(f"/proc/{pid}/uid_map").read_text().split() == ["0", "1234", "1"]
        said = ours("update", "--memory", "20M", "tea")
        assert said.code == 1 and "no control group is delegated" in said.message()
        assert ours("delete", "--force", "tea").code == 0
        assert ours("list", "-q").out == ""
    finally:
        ours.delete_all()
        shutil.rmtree(folder)
