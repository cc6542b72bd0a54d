"""Containers of a user without root: by himself, with one id or with many, with a group or none.

Each test runs the program as a user nobody has, in a mount namespace of its own, where the host's
tables of users and of subordinate ids are other files. Compared with what `unshare`, newuidmap and
/proc make of the same.
"""

from __future__ import annotations

import io
import itertools
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.cgroup import hierarchies
from runtime.engine import rootless
from runtime.errors import Denied, Unsupported

pytestmark = pytest.mark.kernel
HERE = Path(__file__).resolve().parents[3]

NUMBERS = itertools.count()
PYTHON = next((path for path in ("/usr/bin/python3.13", "/usr/bin/python3.12",
                                 "/usr/bin/python3.11") if os.path.exists(path)), "")
# $1 is a directory with the tables; the rest is the command line.
AS_USER = """
for name in passwd subuid subgid; do mount --bind "$1/$name" "/etc/$name" || exit 99; done
[ -d /run/user ] && mount -t tmpfs tmpfs /run/user
shift
exec setpriv --reuid $ID --regid $ID --clear-groups --inh-caps=-all "$@"
"""
Ran = subprocess.CompletedProcess


class User:
    """One user, with a home, and what he can run."""

    def __init__(self, home: str, uid: int, subids: bool) -> None:
        self.home, self.uid, self.tables = home, uid, f"{home}-tables"
        self.first = uid << 16
        os.mkdir(self.tables)
        passwd = Path("/etc/passwd").read_text()
        Path(self.tables, "passwd").write_text(f"{passwd}lab{uid}:x:{uid}:{uid}::{home}:/bin/sh\n")
        for name in ("subuid", "subgid"):
            Path(self.tables, name).write_text(f"lab{uid}:{self.first}:65536\n" if subids else "")
        self.root = f"{home}/.local/share/container-lab"
        self.groups: list[str] = []

    def run(self, *command: str, **changed: str) -> Ran[str]:
        """Anything, as him."""
        enter = "".join(f"echo $$ > {path}/cgroup.procs; " for path in self.groups)
        environment = {"PATH": os.environ["PATH"], "HOME": self.home, "ID": str(self.uid),
                       **changed}
        return subprocess.run(["unshare", "-m", "sh", "-c", enter + AS_USER, "sh", self.tables,
                               *command], capture_output=True, text=True, check=False, timeout=60,
                              stdin=subprocess.DEVNULL, cwd="/", env=environment)

    def lab(self, *words: str, **changed: str) -> Ran[str]:
        """The program, as him."""
        return self.run(PYTHON, "-I", "-S", f"{HERE}/lab/start.py", *words, **changed)

    def close(self) -> None:
        done = self.lab("clean")
        assert done.returncode == 0 and "could not" not in done.stdout, done.stdout + done.stderr
        users = f"{self.uid},{self.first},{self.first + 999}"
        left = subprocess.run(["ps", "-o", "pid,args", "-u", users], capture_output=True, text=True,
                              check=False).stdout.splitlines()[1:]
        assert not [line for line in left if "defunct" not in line], left
        assert self.home not in Path("/proc/self/mountinfo").read_text()


def user(subids: bool) -> Iterator[User]:
    if not PYTHON or shutil.which("setpriv") is None:
        pytest.skip("no interpreter here that another user may run, or no setpriv")
    if rootless.setting("user/max_user_namespaces") == 0:
        pytest.skip("this host lets nobody have a user namespace")
    home = tempfile.mkdtemp(prefix="cl-home-", dir="/tmp")
    uid = 20000 + os.getpid() % 1000 * 20 + next(NUMBERS) % 20
    os.chown(home, uid, uid)
    made = User(home, uid, subids)
    try:
        yield made
    finally:
        try:
            made.close()
        finally:
            shutil.rmtree(home, ignore_errors=True)
            shutil.rmtree(made.tables, ignore_errors=True)


@pytest.fixture
def ann() -> Iterator[User]:
    """With nothing but her own id."""
    yield from user(subids=False)


@pytest.fixture
def bob() -> Iterator[User]:
    """With subordinate ids."""
    if not (shutil.which("newuidmap") and shutil.which("newgidmap")):
        pytest.skip("newuidmap is not here")
    yield from user(subids=True)


# ------------------------------------------------------------------ who one is inside

def test_one_id(ann):
    done = ann.lab("run", "--rm", "lab/base", "sh", "-c",
                   "id; cat /proc/self/uid_map /proc/self/setgroups; hostname | wc -c")
    assert done.returncode == 0, done.stderr
    own = ann.run("unshare", "-r", "sh", "-c", "cat /proc/self/uid_map /proc/self/setgroups")
    assert done.stdout == f"uid=0(root) gid=0(root)\n{own.stdout}13\n"
    assert os.listdir(f"{ann.root}/containers") == []


def test_many_ids(bob):
    done = bob.lab("run", "--rm", "lab/base", "sh", "-c",
                   "id; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[1:-1]]
    assert rows == [["0", str(bob.uid), "1"], ["1", str(bob.first), "65536"]] * 2
    assert done.stdout.endswith("allow\n")


def test_another_user_inside(bob):
    done = bob.lab("run", "--rm", "--user", "student", "lab/base", "sh", "-c",
                   "id; touch /home/student/x; ls -ln /home/student/x; echo again > /dev/stdout")
    assert done.returncode == 0, done.stderr
    first, second, last = done.stdout.splitlines()
    assert first.startswith("uid=1000(student) gid=1000(student)")
    assert second.split()[2:4] == ["1000", "1000"] and last == "again"
    assert os.listdir(f"{bob.root}/containers") == []


def test_owners_on_disk(bob):
    """uid 1000 of the image is the first subordinate id and 999. And its user can remove it."""
    bob.lab("create", "--name", "tea", "lab/base", "true")
    (layer,) = Path(f"{bob.root}/images/layers").iterdir()
    assert (layer / "home/student").stat().st_uid == bob.first + 999
    assert (layer / "etc/passwd").stat().st_uid == bob.uid
    done = bob.lab("run", "--name", "files", "lab/base", "sh", "-c",
                   "mkdir -p /a/b; touch /a/b/c; chown -R 1000 /a; chmod 700 /a; rm /etc/passwd")
    assert done.returncode == 0, done.stderr
    (upper,) = Path(f"{bob.root}/containers").glob("*/upper/a")
    assert upper.stat().st_uid == bob.first + 999
    assert bob.lab("rm", "files", "tea").returncode == 0
    assert os.listdir(f"{bob.root}/containers") == []


def archive(path: str, node: str) -> None:
    """An image with an owner, a capability, a whiteout, an opaque folder and a device."""
    box = Path("/bin/busybox").read_bytes()
    # struct vfs_cap_data, revision 2: CAP_NET_RAW permitted and effective. capabilities(7)
    capability = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0".decode("latin-1")
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, data, changed in (
                ("bin/busybox", box, {"mode": 0o755}), ("a/owned", b"x", {"uid": 33, "gid": 33}),
                ("able/true", box, {"mode": 0o755, "pax_headers": {
                    "SCHILY.xattr.security.capability": capability}}),
                ("a/.wh.gone", b"", {}), ("a/b/.wh..wh..opq", b"", {}),
                (node, b"", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3})):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            for key, value in changed.items():
                setattr(entry, key, value)
            tar.addfile(entry, io.BytesIO(data))
    os.chmod(path, 0o644)


@pytest.mark.skipif(not os.path.exists("/bin/busybox"), reason="busybox is not here")
@pytest.mark.parametrize("name, owner", [("ann", "0"), ("bob", "33")])
def test_an_image_from_elsewhere(request, name, owner):
    someone = request.getfixturevalue(name)
    archive(f"{someone.home}/image.tar", "dev/null")
    assert someone.lab("import", f"{someone.home}/image.tar", "lab/odd").returncode == 0
    done = someone.lab("run", "--rm", "lab/odd", "/bin/busybox", "ls", "-ln", "/a/owned")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[2:4] == [owner, owner]
    assert someone.lab("run", "--rm", "lab/odd", "/bin/busybox", "stat", "/a/gone").returncode == 1
    assert someone.lab("run", "--rm", "lab/odd", "/able/true").returncode == 0
    archive(f"{someone.home}/other.tar", "etc/null")
    done = someone.lab("import", f"{someone.home}/other.tar", "lab/no")
    assert done.returncode == 1 and "etc/null: EPERM" in done.stderr
    assert someone.lab("rmi", "lab/odd").returncode == 0
    assert os.listdir(f"{someone.root}/images/layers") == []


@pytest.mark.parametrize("words, said", [
    (("--user", "student"), "run as uid 1000 without root: it is no id of yours .sudo usermod"),
    (("--group-add", "5"), "--group-add 5 without root"),
    (("--pid", "host"), "--pid host without root"),
    (("--runtime", "runc"), "--runtime runc without root"),
    (("--without", "user", "--unsafe"), "--without user without root"),
    (("--memory", "32m", "--cpus", "1"), "--memory, --cpus without root: the memory and the cpu"),
    (("--pids-limit", "9"), "--pids-limit without root: the pids controller is not delegated"),
    (("--oom-score-adj", "-500"), "--oom-score-adj -500 without root: it can only be raised"),
])
def test_what_is_refused_by_name(ann, words, said):
    if words[0] == "--runtime" and shutil.which("runc") is None:
        pytest.skip("runc is not here")
    done = ann.lab("run", "--rm", *words, "lab/base", "true")
    assert done.returncode == 125 and re.search(said, done.stderr), done.stderr
    assert len(done.stderr.split("\n\n")[0].splitlines()) == 1
    assert ann.lab("ps", "-aq").stdout == ""


# ------------------------------------------------------------------ what a container does

def test_a_life(ann):
    script = "echo start; trap 'exit 7' TERM; while :; do sleep 0.05; done"
    assert ann.lab("run", "-d", "--name", "tea", "lab/base", "sh", "-c", script).returncode == 0
    assert "Up" in ann.lab("ps").stdout  # a Python's start later the trap is set
    done = ann.lab("exec", "tea", "sh", "-c", "id -u; touch /made; ls /made; exit 5")
    assert (done.returncode, done.stdout) == (5, "0\n/made\n")
    assert ann.lab("exec", "tea", "nothing").returncode == 127
    assert "trap" in ann.lab("top", "tea").stdout
    assert ann.lab("logs", "tea").stdout == "start\n"
    done = ann.lab("pause", "tea")
    assert done.returncode == 1 and "no control group is delegated" in done.stderr
    assert "no control group of its own" in ann.lab("stats", "--no-stream", "tea").stderr
    assert ann.lab("stop", "tea").returncode == 0
    assert "Exited (7)" in ann.lab("ps", "-a").stdout
    assert ann.lab("start", "tea").returncode == 0  # its root is there still
    assert ann.lab("exec", "tea", "ls", "/made").stdout == "/made\n"
    assert ann.lab("kill", "tea").returncode == 0
    assert ann.lab("wait", "tea").stdout == "137\n"
    names = [line.split()[3] for line in ann.lab("operations", "tea").stdout.splitlines()[1:]]
    assert names[0].startswith("clone3") and names[-1].startswith("execve")
    assert ann.lab("rm", "tea").returncode == 0
    assert os.listdir(f"{ann.root}/containers") == []


def alive(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_a_shim_that_was_killed(ann, eventually):
    assert ann.lab("run", "-d", "--name", "tea", "lab/base", "sleep", "1000").returncode == 0
    state = next(Path(f"{ann.root}/containers").glob("*/state.json")).read_text()
    shim = int(state.split('"ShimPid":')[1].split(",")[0])
    pid = int(state.split('"Pid":')[1].split(",")[0])
    os.kill(shim, 9)
    eventually(lambda: "Exited (137)" in ann.lab("ps", "-a").stdout)
    eventually(lambda: not alive(pid))


def test_clean_ends_everything(ann, eventually):
    """Also what has no group, and no shim any more, to be found by."""
    for name in ("tea", "coffee"):
        assert ann.lab("run", "-d", "--name", name, "lab/base", "sleep", "1000").returncode == 0
    states = [path.read_text() for path in Path(f"{ann.root}/containers").glob("*/state.json")]
    pids = [int(text.split('"Pid":')[1].split(",")[0]) for text in states]
    os.kill(int(states[0].split('"ShimPid":')[1].split(",")[0]), 9)
    done = ann.lab("clean")
    assert done.returncode == 0 and "could not" not in done.stdout
    eventually(lambda: not any(alive(pid) for pid in pids))
    assert not os.path.exists(ann.root)


def test_a_bind_and_a_terminal(ann):
    os.mkdir(f"{ann.home}/data")
    os.chown(f"{ann.home}/data", ann.uid, ann.uid)
    os.chmod(ann.home, 0o700)
    done = ann.lab("run", "--rm", "-t", "-v", f"{ann.home}/data:/data", "lab/base", "sh", "-c",
                   "tty; touch /data/x; ls -ln /data/x")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "/dev/pts/0" in done.stdout
    assert os.stat(f"{ann.home}/data/x").st_uid == ann.uid


def test_the_hosts_network(ann):
    done = ann.lab("run", "--rm", "--network", "host", "lab/base", "ls", "/sys/class/net")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == sorted(os.listdir("/sys/class/net"))
    done = ann.lab("run", "--rm", "--network", "none", "lab/base", "ls", "/sys/class/net")
    assert done.stdout == "lo\n"
    done = ann.lab("run", "--rm", "--network", "bridge", "lab/base", "true")
    assert done.returncode == 125 and "bridge is not built" in done.stderr


def test_privileges_end_at_the_namespace(ann):
    script = "mount -t tmpfs none /mnt 2>&1; hostname x 2>&1; cat /proc/1/status | grep CapEff; " \
        "echo x > /proc/sys/kernel/core_pattern"
    plain = ann.lab("run", "--rm", "lab/base", "sh", "-c", script)
    assert plain.stdout.count("Operation not permitted") + plain.stdout.count("denied") == 2
    done = ann.lab("run", "--rm", "--privileged", "lab/base", "sh", "-c",
                   "mkdir /mnt; mount -t tmpfs none /mnt && hostname x && echo done; "
                   "echo x > /proc/sys/kernel/core_pattern; date -s 2001-01-01")
    assert done.stdout.startswith("done\n"), done.stderr
    assert "denied" in done.stderr and "not permitted" in done.stderr


def test_xdg_directories(ann):
    run = f"{ann.home}/run"
    os.mkdir(run, 0o700)
    os.chown(run, ann.uid, ann.uid)
    changed = {"XDG_DATA_HOME": f"{ann.home}/data", "XDG_RUNTIME_DIR": run}
    assert ann.lab("run", "-d", "lab/base", "sleep", "1000", **changed).returncode == 0
    (ident,) = os.listdir(f"{ann.home}/data/container-lab/containers")
    assert os.listdir(f"{run}/container-lab") == [ident]
    assert "Up" in ann.lab("ps", **changed).stdout
    assert ann.lab("clean", **changed).returncode == 0
    assert not os.path.exists(f"{ann.home}/data/container-lab")


# ------------------------------------------------------------------ limits

@pytest.fixture
def delegated(bob) -> Iterator[User]:
    """With a group in each hierarchy that is his, where there are limits to be had."""
    found = hierarchies.find()
    name = f"cl-user-{os.getpid()}"
    points = {*found.controllers.values(), *filter(None, [found.unified])}
    tops = [f"{point}/{name}" for point in sorted(points)]
    made = []
    for path in tops:
        made += give(path, bob.uid)
        if found.version == 2:  # a group that hands controllers down may hold no process
            made += give(f"{path}/shell", bob.uid)
    bob.groups = [path for path in made if found.version == 1 or path.endswith("/shell")]
    try:
        yield bob
    finally:
        bob.lab("clean")
        bob.groups = []
        for path in reversed(made):
            os.rmdir(path)


def give(path: str, uid: int) -> list[str]:
    """Make a group as an administrator does who gives it to somebody: cgroup-v2.rst."""
    os.mkdir(path)
    for control in ("cpuset.cpus", "cpuset.mems"):
        above = Path(path, "..", control)
        if above.exists() and not Path(path, "cgroup.controllers").exists():
            Path(path, control).write_text(above.read_text())
    for each in (".", "cgroup.procs", "tasks", "cgroup.subtree_control", "cgroup.threads"):
        if os.path.exists(f"{path}/{each}"):
            os.chown(f"{path}/{each}", uid, uid)
    return [path]


@pytest.fixture
def controllers() -> None:
    """On v2 the root group hands down what a user shall have."""
    found = hierarchies.find()
    if found.version == 2:
        Path(f"{found.unified}/cgroup.subtree_control").write_text("+cpu +memory +pids")


def test_limits_in_a_delegated_group(controllers, delegated):
    done = delegated.lab("run", "--name", "hungry", "--memory", "32m", "--memory-swap", "32m",
                         "lab/base", "hog", "200M")
    assert done.returncode == 137, done.stderr
    inspect = delegated.lab("inspect", "-f", "{{.State.OOMKilled}}", "hungry")
    assert inspect.stdout == "true\n"
    started = delegated.lab("run", "-d", "--name", "tea", "--pids-limit", "20", "--cpus", "0.5",
                            "lab/base", "sleep", "1000")
    assert started.returncode == 0, started.stderr
    found = hierarchies.find()
    places = [path for point in {*found.controllers.values(), *filter(None, [found.unified])}
              for path in Path(point, f"cl-user-{os.getpid()}").glob("*/tea")]
    assert places

    def text(*names: str) -> str:
        """The control file of one of these names, whichever generation it is of."""
        return next(path.read_text() for name in names for place in places
                    if (path := place / name).exists())

    assert text("pids.max") == "20\n"
    assert text("cpu.cfs_quota_us", "cpu.max").split()[0] == "50000"
    assert delegated.lab("pause", "tea").returncode == 0
    assert text("freezer.state", "cgroup.freeze").strip() in ("FROZEN", "1")
    assert "Paused" in delegated.lab("ps").stdout
    assert delegated.lab("unpause", "tea").returncode == 0
    assert delegated.lab("stats", "--no-stream", "tea").returncode == 0
    # From a session to which nothing is delegated the same container is the same.
    groups, delegated.groups = delegated.groups, []
    assert "sleep" in delegated.lab("top", "tea").stdout
    assert delegated.lab("rm", "-f", "tea").returncode == 0
    delegated.groups = groups
    assert not [path for path in places if path.exists()]


# ------------------------------------------------------------------ where the host forbids it

@pytest.mark.parametrize("switch, said", [
    ("user/max_user_namespaces", "sudo sysctl -w user.max_user_namespaces=10000"),
    ("kernel/unprivileged_userns_clone", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
])
def test_a_host_without_user_namespaces(monkeypatch, switch, said):
    monkeypatch.setattr(rootless, "setting", {switch: 0}.get)
    with pytest.raises(Denied) as told:
        rootless.check_host()
    assert said in str(told.value)


def test_apparmor_has_its_command(monkeypatch):
    monkeypatch.setattr(rootless, "setting", {rootless.APPARMOR: 1}.get)
    rootless.check_host()
    assert "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0" in rootless.hint()


def test_a_user_in_the_maps():
    linux = {"uidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}],
             "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 1}]}
    root = {"uid": 0, "gid": 0, "additionalGids": [0, 10]}
    assert rootless.fit_user(root, linux, [])["additionalGids"] == []
    with pytest.raises(Unsupported, match="gid 5 without root"):
        rootless.fit_user({"uid": 0, "gid": 5}, linux, [])
    linux["gidMappings"].append({"containerID": 1, "hostID": 100000, "size": 9})
    assert rootless.fit_user(root, linux, [])["additionalGids"] == [0]


