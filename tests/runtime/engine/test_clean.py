"""clean removes what this lab made, all of it and nothing else, whatever was killed before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.engine.engine import Engine

pytestmark = pytest.mark.kernel

HERE = Path(__file__).resolve().parents[3]


def body(*command: str) -> dict:
    return {"Image": "lab/base", "Cmd": list(command), "HostConfig": {"NetworkMode": "none"}}


def host(*groups: str) -> dict[str, object]:
    """What is ours or anybody's on this host; of control groups only those of the labs asked for,
    for other tests make and remove theirs at the same time."""
    found = [path for mount in ("", *os.listdir("/sys/fs/cgroup"))
             for group in groups for path in Path(f"/sys/fs/cgroup/{mount}{group}").rglob("")]
    table = Path("/proc/self/mountinfo").read_text().splitlines()
    mounts = [line.split(" - ")[1] for line in table]
    run = Path("/run/container-lab")
    return {"groups": sorted(map(str, found)), "mounts": sorted(mounts),
            "run": sorted(os.listdir(run)) if run.exists() else None}


def gone(pid: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_after_sigkill_of_everything(new_root, eventually):
    ours, theirs = Engine(new_root()), Engine(new_root())
    # The same name in both labs: nothing of theirs is found by it.
    other = theirs.create("tea", body("sleep", "1000"))
    theirs.start(other)
    labs = (ours.places.group, theirs.places.group)
    before = host(*labs)
    files = sorted(os.listdir(theirs.root))
    pids = []
    for name in ("tea", "ink", "paused"):
        ours.start(ours.create(name, body("sh", "-c", "sleep 1000 & sleep 1000")))
        state = ours.find(name).state
        pids += [state["Pid"], state["ShimPid"]]
    ours.create("never", body("true"))
    ours.pause("paused")
    for pid in reversed(pids):
        os.kill(pid, signal.SIGKILL)
    done = ours.clean()
    assert not [line for line in done if line.startswith("could not")], done
    for pid in pids:
        eventually(lambda pid=pid: gone(pid))
    assert host(*labs) == before
    assert not os.path.exists(ours.root)
    assert theirs.find("tea").status == "running"
    assert sorted(os.listdir(theirs.root)) == files
    assert theirs.exec("tea", {"Cmd": ["echo", "hi"]}).read() == ("stdout", b"hi\n")


def test_what_runs_is_ended(engine, started, eventually):
    tea = engine.find(started("sleep", "1000", name="tea"))
    pids = [tea.pid, tea.state["ShimPid"]]
    done = engine.clean()
    assert f"ended tea, pid {pids[0]}" in done
    assert f"removed control group {tea.cgroup}" in done
    for pid in pids:
        eventually(lambda pid=pid: gone(pid))


def test_the_students_own_files_stay(engine, make, root):
    make("true")
    Path(root, "progress.json").write_text("{}")
    engine.clean()
    assert os.listdir(root) == ["progress.json"]
    assert engine.clean() == []


def test_clean_of_nothing(tmp_path):
    assert Engine(str(tmp_path / "never")).clean() == []
    assert not (tmp_path / "never").exists()


def test_a_directory_without_a_container(engine, make):
    """A create that was killed before container.json; and a group the ledger does not know."""
    make("true", name="tea")
    os.unlink(f"{engine.find('tea').directory}/container.json")
    assert engine.containers() == []
    group = Path(f"/sys/fs/cgroup/memory{engine.places.group}/stray")
    if group.parent.parent.exists():
        group.mkdir(parents=True)
    engine.clean()
    assert not group.exists() and not os.path.exists(engine.root)


def test_at_the_command_line(engine, started, typed):
    started("sleep", "1000", name="tea")
    done = typed("clean")
    assert done.returncode == 0 and "ended tea" in done.stdout, done
    assert not os.path.exists(engine.root)


# ------------------------------------------------------------------ places

def test_two_labs_with_the_same_name(new_root):
    labs = [Engine(new_root()), Engine(new_root())]
    for number, lab in enumerate(labs):
        lab.start(lab.create("tea", body("sh", "-c", f"sleep 1000; exit {number}")))
    groups = {Path(f"/proc/{lab.find('tea').pid}/cgroup").read_text() for lab in labs}
    assert len(groups) == 2
    labs[0].remove("tea", force=True)
    assert labs[1].find("tea").status == "running"


def test_a_long_root(new_root, tmp_path):
    """A socket's name has 107 bytes; the path of the state directory may have more."""
    short = new_root()
    long = f"{short}/{'x' * 90}/{'y' * 90}"
    os.makedirs(long)
    os.rename(f"{short}/images", f"{long}/images")
    lab = Engine(long)
    tea = lab.create("tea", {**body("cat"), "OpenStdin": True})
    attachment = lab.attach(tea)
    lab.start(tea)
    attachment.write(b"hi\n")
    assert attachment.read() == ("stdout", b"hi\n")
    assert lab.exec(tea, {"Cmd": ["echo", "in"]}).read() == ("stdout", b"in\n")
    lab.stop(tea, 0)
    assert lab.wait(tea) == 137
    assert not [line for line in lab.clean() if line.startswith("could not")]


# ------------------------------------------------------------------ a full disk

FULL = """
import os, sys
sys.path.insert(0, sys.argv[1])
root, images = sys.argv[2:4]
from runtime.engine.engine import Engine
os.mkdir(root + "/lab")
os.symlink(images, root + "/lab/images")
engine = Engine(root + "/lab")
body = {"Image": "lab/base", "HostConfig": {"NetworkMode": "none"}}
def fill():
    with open(root + "/ballast", "ab", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                pass
def room():
    os.unlink(root + "/ballast")
def read_to(attachment, wanted):
    data = b""
    while not data.endswith(wanted):
        data += attachment.read()[1]
    return data
try:
    exec(sys.argv[4])
finally:
    if os.path.exists(root + "/ballast"):
        room()
    print(*[line for line in engine.clean() if line.startswith("could not")])
"""


@pytest.fixture
def on_a_small_disk(tmp_path, base_images):
    """Run a script whose lab is on a file system of 400 KB, mounted where nobody else sees it."""

    def run(script: str) -> str:
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", f"mount -t tmpfs -o size=400k none {tmp_path} && "
             'exec "$@"', "sh", sys.executable, "-c", FULL, str(HERE), str(tmp_path), base_images,
             script], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == ""
        return done.stdout

    return run


def test_create_on_a_full_disk_leaves_nothing(on_a_small_disk):
    on_a_small_disk("""
engine.create("first", {**body, "Cmd": ["true"]})
fill()
for name in ("tea", None):
    try:
        engine.create(name, {**body, "Cmd": ["true"]})
    except OSError as error:
        assert error.errno == 28 and "nothing was left behind" in str(error), error
        assert "\\n" not in str(error)
    else:
        raise AssertionError("it was created")
assert [container.name for container in engine.containers()] == ["first"]
assert len(os.listdir(engine.root + "/containers")) == 1
assert os.listdir(engine.root + "/names") == ["first"]
engine.remove("first")
room()
engine.create("tea", {**body, "Cmd": ["true"]})
""")


def test_a_log_on_a_full_disk(on_a_small_disk):
    """The reader misses nothing, the log tells in one note that it does, and is readable."""
    on_a_small_disk("""
tea = engine.create("tea", {**body, "Cmd": ["sh", "-c",
    "seq 1 100000; echo all; read x; echo more; exit 7"], "OpenStdin": True})
attachment = engine.attach(tea)
engine.start(tea)
with open(root + "/ballast", "wb") as file:
    file.write(b"x" * 65536)
data = read_to(attachment, b"all\\n")
assert data == b"".join(b"%d\\n" % n for n in range(1, 100001)) + b"all\\n"
assert engine.find("tea").status == "running"
room()
attachment.write(b"\\n")
assert read_to(attachment, b"more\\n") == b"more\\n"
assert attachment.read() == ("exit", b"7")
assert engine.wait("tea") == 7
notes = [each for each in engine.evidence("tea") if each["what"].startswith("write the log")]
assert [each["what"] for each in notes] == ["write the log: no space left on device"], notes
lines = [line["log"] for line in engine.logs("tea")]
assert lines[0] == "1\\n" and lines[-1] == "more\\n" and 100 < len(lines) < 100000
""")


def test_an_end_on_a_full_disk(on_a_small_disk):
    """The exit code is kept, though there is no room for a second state.json."""
    on_a_small_disk("""
tea = engine.create("tea", {**body, "Cmd": ["sh", "-c", "read x; exit 7"], "OpenStdin": True})
attachment = engine.attach(tea)
engine.start(tea)
fill()
attachment.write(b"\\n")
assert attachment.read() == ("exit", b"7")
assert engine.wait("tea") == 7
assert engine.find("tea").status == "exited"
engine.stop("tea")
engine.remove("tea")
assert engine.containers() == []
""")


def test_stop_pause_and_kill_on_a_full_disk(on_a_small_disk):
    on_a_small_disk("""
tea = engine.create("tea", {**body, "Cmd": ["sleep", "1000"]})
engine.start(tea)
fill()
engine.pause(tea)
assert engine.find("tea").status == "paused"
engine.unpause(tea)
engine.kill(tea)
assert engine.wait(tea) == 137
""")


def test_a_start_on_a_full_disk(on_a_small_disk):
    """It starts or it says why; then nothing of it is left."""
    on_a_small_disk("""
tea = engine.create("tea", {**body, "Cmd": ["sleep", "1000"]})
fill()
try:
    engine.start(tea)
except Exception as error:
    assert "\\n" not in str(error), error
    assert engine.find("tea").status == "created"
else:
    assert engine.find("tea").status == "running"
room()
engine.remove(tea, force=True)
""")
