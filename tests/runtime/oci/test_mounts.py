"""Mounts of config.json on the real kernel: ids, copies, flags of the source, and who is told."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import KernelError
from runtime.kernel import mounts as kernel
from runtime.kernel import namespaces, trees
from runtime.oci.mounts import Options, is_attribute, labelled, set_bind
from tests.runtime.kernel.conftest import child  # noqa: F401  (a fixture)
from tests.runtime.oci.bundles import ROOT, Bundle

MAP = [{"containerID": 0, "hostID": 100000, "size": 65536}]
Run = Callable[[Callable[[], Any]], Any]


def options_of(pid: int, target: str) -> str:
    """The last line of a target in a process's table: "ro,nosuid shared:3 tmpfs"."""
    lines = [line for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
             if line.split()[4] == target]
    before, _, after = lines[-1].partition(" - ")
    return " ".join([*before.split()[5:], after.split()[0]])


@pytest.mark.parametrize("word", ["ro", "rw", "suid", "nosuid", "nodev", "noexec", "noatime",
                                  "relatime", "nodiratime", "strictatime", "nosymfollow"])
def test_words_that_may_be_said_of_all_below(word: str) -> None:
    options = Options([f"r{word}"])
    assert (options.data, options.flags) == (None, 0)
    assert options.recursive or options.recursive_clear


@pytest.mark.parametrize("word", ["rsync", "rbindd", "rdefaults", "rremount", "rmand", "r", ""])
def test_words_that_may_not(word: str) -> None:
    options = Options([word])
    assert (options.recursive, options.recursive_clear) == (0, 0)
    assert options.data == (word or None)
    assert not is_attribute(None)


def test_one_setting_of_access_times_takes_the_place_of_another() -> None:
    assert Options(["rrelatime"]).recursive_clear == kernel.MOUNT_ATTR__ATIME
    assert Options(["rnoatime"]).recursive_clear == kernel.MOUNT_ATTR__ATIME
    assert Options(["rnodiratime"]).recursive_clear == 0


def test_a_label_is_an_option_of_the_file_systems_own() -> None:
    label = "system_u:object_r:container_file_t:s0:c1,c2"
    assert labelled({"type": "tmpfs"}, "mode=755", label) == f'mode=755,context="{label}"'
    assert labelled({"type": "proc"}, None, label) is None
    assert labelled({"type": "tmpfs"}, None, None) is None


@pytest.mark.kernel
def test_a_label_without_selinux_is_refused(bundle: Bundle) -> None:
    if os.path.exists("/sys/fs/selinux/enforce"):
        pytest.skip("SELinux is here")
    bundle.linux["mountLabel"] = "system_u:object_r:container_file_t:s0"
    assert "$.linux.mountLabel: selinux label is specified" in str(bundle.refused())


# What a bind of a mount with these flags has, asked for with those words. runc 1.2: all flags
# that are not named are gone, but where none is named, and where the host has locked them.
FLAGS = [
    (["ro", "nosuid"], ["bind"], {"ro", "nosuid"}),
    (["ro", "nosuid"], ["bind", "rw"], {"rw"}),
    (["ro", "nosuid"], ["bind", "noexec"], {"rw", "noexec"}),
    (["nodev", "noatime"], ["bind", "ro"], {"ro", "noatime"}),
    (["nodev", "noatime"], ["bind", "relatime"], {"rw", "relatime"}),
    (["noatime"], ["bind", "nodiratime"], {"rw", "nodiratime", "relatime"}),
    (["noexec"], ["rbind", "exec", "nosymfollow"], {"rw", "nosymfollow"}),
]


@pytest.mark.kernel
@pytest.mark.parametrize(("source", "asked", "wanted"), FLAGS)
def test_the_flags_of_a_bind(child: Run, tmp_path: Path, source: list[str],  # noqa: F811
                             asked: list[str], wanted: set[str]) -> None:
    def action() -> list[str]:
        namespaces.unshare(namespaces.CLONE_NEWNS)
        kernel.mount(None, "/", None, kernel.MS_PRIVATE | kernel.MS_REC)
        for name in ("from", "to"):
            os.mkdir(tmp_path / name)
        kernel.mount("none", str(tmp_path / "from"), "tmpfs", Options(source).flags)
        tree = trees.open_tree(str(tmp_path / "from"))
        set_bind(tree, "/to", Options(asked))
        trees.move_mount(tree, os.open(tmp_path / "to", os.O_PATH), "/to")
        return options_of(os.getpid(), str(tmp_path / "to")).split()[0].split(",")

    found = set(child(action))
    assert found - {"relatime"} == wanted - {"relatime"}
    assert "relatime" not in wanted or "relatime" in found


@pytest.mark.kernel
@pytest.mark.parametrize(("asked", "fine"), [
    (["bind", "ro"], True), (["bind", "noexec"], True), (["bind", "suid"], False),
    (["bind", "noatime"], False), (["bind", "rw"], True)])
def test_flags_that_the_host_has_locked_stay(
        child: Run, tmp_path: Path, asked: list[str], fine: bool) -> None:  # noqa: F811
    """In a user namespace: what was not named by the other word is kept, else it is refused."""
    def action() -> str:
        namespaces.unshare(namespaces.CLONE_NEWNS)
        kernel.mount(None, "/", None, kernel.MS_PRIVATE | kernel.MS_REC)
        kernel.mount("none", str(tmp_path), "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV)
        os.mkdir(tmp_path / "to")
        namespaces.unshare(namespaces.CLONE_NEWUSER | namespaces.CLONE_NEWNS)
        tree = trees.open_tree(str(tmp_path))
        try:
            set_bind(tree, "/to", Options(asked))
        except KernelError as error:
            return error.strerror or ""
        trees.move_mount(tree, os.open(tmp_path / "to", os.O_PATH), "/to")
        return options_of(os.getpid(), str(tmp_path / "to"))

    said = child(action)
    assert said == "Operation not permitted" if not fine else "nosuid,nodev" in said


def mapped(bundle: Bundle, tmp_path: Path, *options: str, **maps: Any) -> Path:
    """A bind of a directory with a file of root's and one of another's, at /data."""
    source = tmp_path / "source"
    source.mkdir(mode=0o777)
    (source / "root").write_text("")
    (source / "other").write_text("")
    os.chown(source / "other", 1, 1)
    source.chmod(0o777)
    bundle.spec["mounts"].append({"destination": "/data", "type": "bind", "source": str(source),
                                  "options": ["rbind", *options], **maps})
    return source


def in_user_namespace(bundle: Bundle) -> None:
    bundle.linux["namespaces"].append({"type": "user"})
    bundle.linux.update(uidMappings=MAP, gidMappings=MAP)
    for path in (bundle.rootfs, *bundle.rootfs.rglob("*")):
        os.lchown(path, 100000, 100000)


@pytest.mark.kernel
@pytest.mark.parametrize(("options", "maps"), [
    ((), {"uidMappings": MAP, "gidMappings": MAP}), (("idmap",), {}), (("ridmap", "shared"), {}),
    (("ridmap",), {"uidMappings": MAP, "gidMappings": MAP})])
def test_ids_as_the_container_has_them(
        bundle: Bundle, tmp_path: Path, options: tuple[str, ...], maps: dict[str, Any]) -> None:
    in_user_namespace(bundle)
    source = mapped(bundle, tmp_path, *options, **maps)
    code, out, err = bundle.run("stat -c '%u %g' /data/root /data/other; touch /data/new")
    assert (code, out) == (0, "0 0\n1 1\n"), err
    assert os.stat(source / "new").st_uid == 0


@pytest.mark.kernel
def test_ids_of_their_own_without_a_user_namespace(bundle: Bundle, tmp_path: Path) -> None:
    maps = [{"containerID": 0, "hostID": 1000, "size": 2}]
    mapped(bundle, tmp_path, uidMappings=maps, gidMappings=maps)
    assert bundle.run("stat -c '%u %g' /data/root /data/other")[1] == "1000 1000\n1001 1001\n"


@pytest.mark.kernel
@pytest.mark.parametrize("entry", [
    {"uidMappings": MAP}, {"gidMappings": MAP}, {"options": ["rbind", "idmap"]},
    {"uidMappings": MAP, "gidMappings": MAP, "options": [], "type": "tmpfs"}])
def test_maps_that_mean_nothing(bundle: Bundle, tmp_path: Path, entry: dict[str, Any]) -> None:
    mapped(bundle, tmp_path)
    bundle.spec["mounts"][-1].update(entry)
    assert "invalid mount" in str(bundle.refused())


@pytest.mark.kernel
def test_a_file_system_that_cannot_map(bundle: Bundle) -> None:
    bundle.spec["mounts"].append({"destination": "/data", "type": "bind", "source": "/proc",
                                  "options": ["bind"], "uidMappings": MAP, "gidMappings": MAP})
    assert "its file system cannot map ids" in str(bundle.refused())


@pytest.mark.kernel
def test_a_source_out_of_the_containers_reach(bundle: Bundle, tmp_path: Path) -> None:
    """The root of a user namespace may not walk through a directory of 0700; we do for it."""
    in_user_namespace(bundle)
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    (hidden / "data").mkdir(mode=0o755)
    (hidden / "data/file").write_text("seen\n")
    bundle.spec["mounts"].append({"destination": "/data", "type": "bind", "options": ["bind", "ro"],
                                  "source": str(hidden / "data")})
    assert bundle.run("cat /data/file")[:2] == (0, "seen\n")


@pytest.mark.kernel
def test_a_copy_of_what_lies_below(bundle: Bundle) -> None:
    data = bundle.rootfs / "data"
    (data / "inner").mkdir(parents=True)
    (data / "inner/file").write_text("below\n")
    (data / "inner/file").chmod(0o4750)
    (data / "link").symlink_to("/etc/passwd")
    os.mkfifo(data / "fifo")
    os.chown(data / "inner/file", 1000, 5)
    os.chmod(data / "inner/file", 0o4750)
    data.chmod(0o701)
    bundle.spec["mounts"].append({"destination": "/data", "type": "tmpfs", "source": "tmpfs",
                                  "options": ["tmpcopyup", "size=1m"]})
    code, out, err = bundle.run("cd /data; stat -c '%a %u %g %F' . inner/file fifo; readlink link;"
                                "cat inner/file; echo changed > inner/file; rm fifo")
    assert code == 0, err
    assert out.splitlines() == ["701 0 0 directory", "4750 1000 5 regular file", "644 0 0 fifo",
                                "/etc/passwd", "below"]
    assert (data / "inner/file").read_text() == "below\n" and (data / "fifo").exists()


@pytest.mark.kernel
def test_a_relative_destination_is_from_the_root(bundle: Bundle) -> None:
    bundle.spec["mounts"].append({"destination": "data/./here", "type": "tmpfs", "source": "x"})
    assert "tmpfs" in options_of(bundle.start().pid, "/data/here")


@pytest.mark.kernel
def test_what_is_mounted_already_changed(bundle: Bundle) -> None:
    bundle.spec["mounts"].append({"destination": "/dev/shm", "options": ["remount", "ro"]})
    bundle.spec["mounts"][-1].update(type="tmpfs", source="shm")
    assert bundle.run("touch /dev/shm/x 2>&1")[1].endswith("Read-only file system\n")


@pytest.mark.kernel
@pytest.mark.parametrize("namespace", [True, False])
def test_the_v2_tree(bundle: Bundle, namespace: bool) -> None:
    if bundle.cgroup().hierarchies.unified is None:
        pytest.skip("this host has no v2 tree")
    if not namespace:
        bundle.linux["namespaces"].remove({"type": "cgroup"})
    bundle.spec["mounts"].append({"destination": "/groups", "type": "cgroup2", "source": "cgroup2",
                                  "options": ["ro"]})
    code, out, _ = bundle.run(f"cat /groups{'' if namespace else bundle.group}/cgroup.procs;"
                              "mkdir /groups/x 2>&1")
    assert code == 1 and out.startswith("1\n") and "Read-only" in out


@pytest.mark.kernel
def test_without_pivot_root(bundle: Bundle) -> None:
    """MS_MOVE and chroot: the root is the container's, and no whole procfs of the host is left."""
    bundle.script("echo ready; exec sleep 1000")
    bundle.write()
    ident = bundle.group.strip("/")
    command = [sys.executable, "-I", "-S", f"{ROOT}/lab/start.py", "oci", "--root",
               str(bundle.folder / "state")]
    with open(bundle.folder / "init.out", "w") as out:
        subprocess.run([*command, "run", "--detach", "--no-pivot", "--pid-file",
                        str(bundle.folder / "pid"), "--bundle", str(bundle.folder), ident],
                       check=True, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        pid = int((bundle.folder / "pid").read_text())
        assert sorted(os.listdir(f"/proc/{pid}/root/etc")) == ["passwd"]
        kinds = [line.split(" - ")[1].split()[0]
                 for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
                 if line.split()[3] == "/"]
        assert kinds.count("proc") == 1 and kinds.count("sysfs") == 1
    finally:
        subprocess.run([*command, "delete", "--force", ident], capture_output=True)
