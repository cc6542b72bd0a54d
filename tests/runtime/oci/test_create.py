"""create and start on the real kernel, seen from outside by tools nobody here wrote."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from runtime.errors import Conflict
from tests.runtime.oci.bundles import Bundle, until

pytestmark = pytest.mark.kernel
KINDS = ("mnt", "pid", "net", "uts", "ipc", "cgroup")


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_created_is_everything_but_the_program(bundle: Bundle) -> None:
    started = bundle.start(stop_at_created=True)
    assert os.readlink(f"/proc/{started.pid}/exe") != "/bin/busybox"
    assert "python" in os.readlink(f"/proc/{started.pid}/exe")
    started.ask(go=1)
    started.run()
    until(lambda: os.readlink(f"/proc/{started.pid}/exe") == "/bin/busybox", "it is the program")


def test_lsns_sees_the_namespaces(bundle: Bundle) -> None:
    started = bundle.start()
    listed = json.loads(output("lsns", "--json", "--task", str(started.pid)))["namespaces"]
    theirs = {entry["type"]: entry["ns"] for entry in listed}
    for kind in KINDS:
        own = os.stat(f"/proc/self/ns/{kind}").st_ino
        assert theirs[kind] != own, kind
        assert theirs[kind] == os.stat(f"/proc/{started.pid}/ns/{kind}").st_ino
    assert theirs["user"] == os.stat("/proc/self/ns/user").st_ino


def test_nsenter_finds_the_host_name_and_lo_up(bundle: Bundle) -> None:
    started = bundle.start()
    target = ("nsenter", "--target", str(started.pid))
    assert output(*target, "--uts", "hostname") == "tea\n"
    links = output(*target, "--net", "ip", "-o", "link") if os.path.exists("/sbin/ip") else ""
    assert not links or ("lo:" in links and "UP" in links)


def test_findmnt_sees_the_root_and_nothing_of_the_host(bundle: Bundle) -> None:
    started = bundle.start()
    targets = output("findmnt", "-N", str(started.pid), "-rno", "TARGET").split()
    assert targets[0] == "/"
    assert not [path for path in targets if str(bundle.folder) in path]
    assert {"/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"
            } <= set(targets)


def mounted(bundle: Bundle) -> list[str]:
    """What is mounted here at a place of the container's, or below its folder."""
    targets = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    places = {"/", *(entry["destination"] for entry in bundle.spec["mounts"])}
    return sorted(path for path in targets if path in places or str(bundle.folder) in path)


def test_the_host_gets_no_mount(bundle: Bundle) -> None:
    before = mounted(bundle)
    bundle.start()
    assert mounted(bundle) == before


def test_the_host_gets_no_mount_where_its_root_is_shared(bundle: Bundle) -> None:
    # As systemd sets it. In a mount namespace of the test's own.
    shared = ("unshare", "-m", "--propagation", "shared")
    started = bundle.start(prefix=shared)
    table = Path(f"/proc/{started.program.pid}/mountinfo").read_text()
    assert "shared:" in table
    assert str(bundle.folder) not in table


def test_it_is_in_its_group_in_every_hierarchy(bundle: Bundle) -> None:
    started = bundle.start()
    lines = Path(f"/proc/{started.pid}/cgroup").read_text().splitlines()
    where = {line.split(":")[1]: line.split(":")[2] for line in lines}
    for controller in bundle.cgroup().paths:
        assert bundle.group in [path for names, path in where.items()
                                if controller in names.split(",")]
    if bundle.cgroup().hierarchies.unified:
        assert where[""] == bundle.group


def test_inside_it_is_the_first_process_and_alone(bundle: Bundle) -> None:
    code, out, _ = bundle.run("echo $$; ls -d /proc/[0-9]* | wc -l; cat /proc/self/cgroup")
    first, processes, *groups = out.splitlines()
    assert (code, first) == (0, "1")
    assert int(processes) <= 3
    assert {line.split(":", 2)[2] for line in groups if "name=" not in line} == {"/"}


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -TERM $$", 143), ("true", 0),
                                              ("sh -c 'kill -9 $$'; exit $?", 137)])
def test_the_exit_code(bundle: Bundle, script: str, code: int) -> None:
    # Process 1 ignores a TERM that it has no handler for; so that one goes to a child.
    if "TERM" in script:
        script = "sh -c 'kill -TERM $$'; exit $?"
    assert bundle.run(script)[0] == code


def test_killed_between_create_and_start_is_one_line(bundle: Bundle) -> None:
    started = bundle.start(stop_at_created=True)
    os.kill(started.pid, 9)
    until(lambda: Path(f"/proc/{started.pid}/stat").read_text().split()[2] == "Z", "it is dead")
    started.ask(go=1)
    with pytest.raises(Conflict, match="its first process died after it was created"):
        started.run()
    started.close()
    assert not bundle.cgroup().exists()


def test_everything_is_gone_after_undo(bundle: Bundle) -> None:
    started = bundle.start()
    started.close()
    assert not os.path.exists(f"/proc/{started.pid}")
    assert not bundle.cgroup().exists()


def test_a_second_start_of_the_same_group_leaves_the_first_alone(bundle: Bundle) -> None:
    first = bundle.start()
    second = bundle.spawn()
    message = second.hear()
    second.close()
    assert "error" in message and "in use" in message["error"]["message"]
    assert os.path.exists(f"/proc/{first.pid}")
    assert bundle.cgroup().processes() == [first.pid]


def test_the_program_missing_is_127_and_nothing_is_left(bundle: Bundle) -> None:
    bundle.process["args"] = ["no-such-program"]
    error = bundle.refused()
    assert error.exit_code == 127
    assert str(error) == 'exec: "no-such-program": executable file not found in $PATH'
