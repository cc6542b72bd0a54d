"""A container's table of contents as a story: every operation in order, with no kernel behind it.

The functions of runtime/kernel are replaced by ones that only tell; so no root is needed, and the
order is compared with what it has to be, and why.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import runtime.kernel
from runtime.errors import Denied, KernelError, LabError
from runtime.oci import identity, init, program, sync, teller
from runtime.oci.plan import Plan
from runtime.oci.teller import Teller
from runtime.trace.operation import observe, operation, set_phase
from runtime.trace.recorder import Recorder
from tests.runtime.oci.bundles import config

HELD = ("open_tree", "fsmount")  # they return a descriptor
REAL = ("mkdir_at", "make_file_at")  # below the test's own folder


class Ended(Exception):
    """The fake execve worked."""


class FakeGroup:
    def join_self(self, joins: list[int]) -> None:
        from runtime.kernel import files

        files.write_open_control(-1, "0", "/sys/fs/cgroup/memory/tea/tasks")

    def namespace_mounts(self) -> list[tuple[str, str]]:
        return [("/sys/fs/cgroup/memory/tea", "memory")]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """Every operation of runtime/kernel tells, and does nothing."""
    def fake(name: str, call: str) -> Callable[..., Any]:
        def tell(*args: Any, **kwargs: Any) -> Any:
            if name == "execve":
                raise Ended
            if name in HELD:
                return os.open("/dev/null", os.O_PATH)
            return (7, 8, 0) if name == "open_pty" else None
        tell.__name__ = name
        return operation(call)(tell)

    for module in pkgutil.iter_modules(runtime.kernel.__path__):
        found = importlib.import_module(f"runtime.kernel.{module.name}")
        for name, function in list(vars(found).items()):
            if hasattr(function, "call") and name not in REAL:
                monkeypatch.setattr(found, name, fake(name, function.call))
    monkeypatch.setattr(program, "reset_signals", lambda: None)
    monkeypatch.setattr(identity.capabilities, "bounding", lambda: (1 << 41) - 1)
    monkeypatch.setattr(sync, "send", lambda *args: None)
    monkeypatch.setattr(sync, "wait_for_go", lambda *args: None)
    recorder = Recorder("init")
    outer = observe(recorder)
    yield recorder
    observe(outer)
    set_phase("prepare")


@pytest.fixture
def spec(tmp_path: Path) -> dict[str, Any]:
    made = config()
    (tmp_path / "rootfs").mkdir()
    made["mounts"] = [{"destination": "/proc", "type": "proc", "source": "proc"}]
    made["linux"].update(maskedPaths=["/proc/keys"], readonlyPaths=["/proc/sys"])
    return made


def story(spec: dict[str, Any], told: Recorder, tmp_path: Path, filter_: bytes = b"") -> list[str]:
    plan = Plan(str(tmp_path), spec)
    plan.filter = filter_
    with pytest.raises(Ended):
        init.become_container(plan, FakeGroup(), [], None, Teller(None))  # type: ignore
    return [each.name for each in told.operations]


def before(names: list[str], first: str, second: str) -> bool:
    return names.index(first) < len(names) - 1 - names[::-1].index(second)


def test_the_whole_story(spec: dict[str, Any], told: Recorder, tmp_path: Path) -> None:
    assert story(spec, told, tmp_path, b"\0" * 8) == [
        "umask", "setsid", "join_session_keyring",                     # isolate
        "mount", "mount", "mkdir_at", "mount",                         # root: private, bind, proc
        "mkdir_at", *["mknod"] * 6, *["symlink"] * 5,                  # /dev
        "chdir", "pivot_root", "umount2", "chdir", "sethostname", "set_link_up",
        "open_tree", "mount_setattr", "move_mount",                    # read-only
        "open_tree", "move_mount", "fchdir",                           # masked, cwd
        "write_open_control", "unshare",                               # limit
        "drop_bounding", "setgroups", "setresgid", "setresuid", "umask", "capset",
        "set_no_new_privs", "close_range_on_exec",                     # drop
        "set_filter", "execve"]                                        # exec
    phases = list(dict.fromkeys(each.phase for each in told.operations))
    assert phases == ["isolate", "root", "limit", "drop", "exec"]


def test_a_filter_without_no_new_privs_comes_before_the_drop(
        spec: dict[str, Any], told: Recorder, tmp_path: Path) -> None:
    spec["process"]["noNewPrivileges"] = False
    names = story(spec, told, tmp_path, b"\0" * 8)
    assert names.index("set_filter") < names.index("drop_bounding")
    assert "set_no_new_privs" not in names


def test_sysctls_before_their_files_become_read_only(
        spec: dict[str, Any], told: Recorder, tmp_path: Path) -> None:
    spec["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1", "net/ipv4/conf/eth0.5/x": "1"}
    story(spec, told, tmp_path)
    written = [each for each in told.operations if each.name == "write_control"]
    sealed = next(each for each in told.operations if each.name == "mount_setattr")
    assert all(told.operations.index(each) < told.operations.index(sealed) for each in written)


def test_the_files_of_sysctls() -> None:
    assert init.sysctl_file("net.ipv4.ip_forward") == "/proc/sys/net/ipv4/ip_forward"
    assert init.sysctl_file("net/ipv4/conf/eth0.5/x") == "/proc/sys/net/ipv4/conf/eth0.5/x"


def test_groups_before_user_and_ambient_last(
        spec: dict[str, Any], told: Recorder, tmp_path: Path) -> None:
    spec["process"]["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5]}
    spec["process"]["capabilities"].update(ambient=["CAP_KILL"], inheritable=["CAP_KILL"])
    names = story(spec, told, tmp_path)
    drop = [each for each in names if each in (
        "drop_bounding", "keep_capabilities", "setgroups", "setresgid", "setresuid", "capset",
        "set_ambient", "set_no_new_privs")]
    assert drop == ["drop_bounding", "keep_capabilities", "setgroups", "setresgid", "setresuid",
                    "capset", "set_ambient", "set_no_new_privs"]


def test_limits_while_still_root_and_in_the_group(
        spec: dict[str, Any], told: Recorder, tmp_path: Path) -> None:
    spec["process"].update(oomScoreAdj=5,
                           rlimits=[{"type": "RLIMIT_NOFILE", "soft": 5, "hard": 5}])
    names = story(spec, told, tmp_path)
    assert before(names, "write_open_control", "setrlimit")
    assert before(names, "setrlimit", "setresuid")


def test_a_joined_network_is_not_brought_up_and_a_hosts_name_not_set(
        spec: dict[str, Any], told: Recorder, tmp_path: Path) -> None:
    spec["linux"]["namespaces"] = [{"type": kind} for kind in ("mount", "pid")]
    del spec["hostname"]
    names = story(spec, told, tmp_path)
    assert not {"set_link_up", "sethostname", "unshare"} & set(names)


def test_what_goes_wrong_travels_as_data(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(sync, "send", lambda sock, message, fd=None: sent.append(message))
    own = Teller(None)
    teller.tell_failure(None, Denied("no"), own)  # type: ignore[arg-type]
    teller.tell_failure(None, KernelError("mount", 1, "/x"), own)  # type: ignore[arg-type]
    try:
        {}["missing"]
    except KeyError as error:
        teller.tell_failure(None, error, own)  # type: ignore[arg-type]
    kinds = [each["error"]["kind"] for each in sent]
    assert kinds == ["Denied", "KernelError", LabError.__name__]
    assert "KeyError" in sent[2]["error"]["message"]


def test_stdio_may_stand_anywhere(tmp_path: Path) -> None:
    """Each of the three where another has to go."""
    child = os.fork()
    if child == 0:
        os.closerange(3, 4096)  # the tests' own, which may stand at these numbers
        fds = [os.open(tmp_path / name, os.O_RDWR | os.O_CREAT) for name in "abc"]
        for fd, place in zip(fds, (52, 50, 51)):
            os.dup2(fd, place)
        for place, fd in enumerate((52, 50, 51)):
            os.dup2(fd, place)
        init.move_stdio((2, 0, 1), {})
        for fd, text in enumerate(("zero", "one", "two")):
            os.write(fd, text.encode())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    texts = {name: (tmp_path / name).read_text() for name in "abc"}
    assert texts == {"a": "one", "b": "two", "c": "zero"}
