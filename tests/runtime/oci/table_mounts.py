"""The rows of the table about the root: mounts, devices, what is hidden. See table_cases.py."""

from __future__ import annotations

from tests.runtime.oci.bundles import Bundle
from tests.runtime.oci.table_cases import (
    DISK, FUSE, SEALED, Case, bind, bind_of_bundle, both, folder, linux, mount,
    options_of, own, process, user_namespace, without,
)

SEEN = own("stat -c '%a %u %g' /data; ls -lnA /data | cut -c 1-10,55-; cat /data/*")
LOOSE = {"crun": "crun 1.8.1 makes every mount private again at the end"}
OPEN = {"runc": "runc 1.1.5 sets the mode afterwards, by chmod; since 1.2 by the option, as ours",
        "crun": "crun 1.8.1 leaves it to tmpfs, which opens the directory to everybody: 1777"}


def nested(bundle: Bundle) -> None:
    """A tmpfs that is read-only, and something that is mounted in it."""
    mount("/data", "tmpfs", "ro", "mode=755")(bundle)
    mount("/data/inner", "tmpfs", "mode=700", "size=1m")(bundle)


def link(bundle: Bundle) -> None:
    folder("/real/conf")(bundle)
    (bundle.rootfs / "conf").symlink_to("/real/conf")
    mount("/conf/stack", "tmpfs", "ro", "nodev", "nosuid")(bundle)


def relative(bundle: Bundle) -> None:
    (bundle.folder / "inside").mkdir()
    bind("bind", source="inside")(bundle)


def own_dev(bundle: Bundle) -> None:
    """The image's /dev, no tmpfs over it."""
    folder("/dev")(bundle)
    bundle.spec["mounts"] = [each for each in bundle.spec["mounts"]
                             if not each["destination"].startswith("/dev")]


def overlay(bundle: Bundle) -> None:
    for name in ("lower", "upper", "work"):
        (bundle.folder / name).mkdir()
    (bundle.folder / "lower/file").write_text("below\n")
    mount("/data", "overlay", *(f"{key}={bundle.folder}/{name}" for key, name in (
        ("lowerdir", "lower"), ("upperdir", "upper"), ("workdir", "work"))))(bundle)


MOUNTS = [
    Case("a tmpfs", both(mount("/data", "tmpfs"), SEEN)),
    Case("a tmpfs over a directory", both(folder("/data", 0o701), mount("/data", "tmpfs"), SEEN),
         {"mounts": OPEN, "own": {"crun": OPEN["crun"]}}),
    Case("a tmpfs with a size", mount("/data", "tmpfs", "size=1m", "mode=711", "nr_inodes=99")),
    Case("a sealed tmpfs", mount("/data", "tmpfs", "nosuid", "nodev", "noexec")),
    Case("a read-only tmpfs", mount("/data", "tmpfs", "ro", "mode=755")),
    Case("a tmpfs in a read-only one", nested),
    Case("noatime", mount("/data", "tmpfs", "noatime")),
    Case("strictatime", mount("/data", "tmpfs", "strictatime")),
    Case("relatime, nodiratime", mount("/data", "tmpfs", "relatime", "nodiratime")),
    Case("sync", mount("/data", "tmpfs", "sync", "dirsync")),
    Case("nosymfollow", mount("/data", "tmpfs", "nosymfollow"), {
        "*": {"crun": "crun 1.8.1 hands the word to tmpfs, which refuses it"}}),
    Case("a shared tmpfs", mount("/data", "tmpfs", "shared"), {"mounts": LOOSE}),
    Case("an unbindable tmpfs", mount("/data", "tmpfs", "unbindable"), {"mounts": LOOSE}),
    Case("tmpcopyup", both(folder("/data", 0o750, "one", "two"),
                           mount("/data", "tmpfs", "tmpcopyup"), SEEN),
         {"mounts": OPEN, "own": {"crun": OPEN["crun"]}}),
    Case("below a link", link),
    Case("an overlay", both(overlay, SEEN)),
    Case("another proc", options_of("/proc", "nosuid", "noexec", "nodev", "hidepid=2")),
    Case("a sysfs to write", options_of("/sys", "nosuid", "noexec", "nodev", "rw")),
    Case("a read-only /dev", options_of("/dev", "nosuid", "ro", "strictatime", "mode=755",
                                        "size=65536k")),
    Case("groups to write", options_of("/sys/fs/cgroup", "nosuid", "noexec", "nodev", "rw")),
    Case("no mqueue", lambda bundle: bundle.spec["mounts"].remove(next(
        each for each in bundle.spec["mounts"] if each["type"] == "mqueue"))),
]
BINDS = [
    Case("a bind", bind_of_bundle("bind")),
    Case("a read-only bind", bind_of_bundle("bind", "ro")),
    Case("a bind of a file", bind_of_bundle("bind", "ro", "nosuid", file=True)),
    Case("a bind of the bundle's", relative),
    Case("a bind, sealed", bind_of_bundle("rbind", "nosuid", "nodev", "noexec")),
    Case("a bind, noatime", bind_of_bundle("bind", "noatime")),
    Case("a bind, nodiratime", bind_of_bundle("bind", "nodiratime")),
    Case("a bind that hears", bind_of_bundle("rbind", "rslave")),
    Case("a bind that tells", bind_of_bundle("rbind", "rshared"), {"mounts": LOOSE}),
    Case("all of /dev", bind("rbind")),
    Case("all of /dev, its top read-only", bind("rbind", "ro")),
    Case("all of /dev read-only", bind("rbind", "rro")),
    Case("all of /dev sealed", bind("rbind", "rnosuid", "rnoexec", "rnoatime"),
         {"*": {"crun": "crun 1.8.1 hands rnoatime on in a way that the kernel refuses"}}),
    Case("the flags of the source", bind("bind", source="/proc", destination="/data")),
    Case("one flag, and no other of the source's", bind("bind", "ro", source="/proc/sys")),
]
ROOT = [
    Case("a read-only root", lambda bundle: bundle.spec["root"].update(readonly=True)),
    *[Case(f"a root that is {word}", linux(rootfsPropagation=word), {
        "mounts": {"runc": "runc 1.1.5 leaves the root private"} if "shared" in word else {},
        "*": {"runc": "runc 1.1.5 cannot do unbindable"} if "unbind" in word else {}})
        for word in ("private", "slave", "rslave", "shared", "rshared", "unbindable")],
    Case("more that is hidden", both(
        folder("/data", 0o755, "one"), folder("/other", 0o755, "one"), lambda bundle: (
            bundle.linux["maskedPaths"].extend(["/data", "/other/one", "/no/such"])),
        own("ls /data; cat /other/one"))),
    Case("nothing hidden", linux(maskedPaths=[], readonlyPaths=[])),
    Case("more that is sealed", both(folder("/data", 0o755, "one"), lambda bundle: (
        bundle.linux["readonlyPaths"].extend(["/data", "/no/such"])), own("touch /data/x"))),
    Case("a sysctl of the network", linux(sysctl={"net.ipv4.ip_forward": "1"})),
    Case("sysctls of ipc", linux(sysctl={"kernel.shmmni": "77", "fs.mqueue.msg_max": "9"})),
]
DEVICES = [
    Case("a device", linux(devices=[FUSE])),
    Case("a disk, a fifo, and u for c", linux(devices=[
        {"path": "/dev/disk", "type": "b", **DISK, "fileMode": 0o600},
        {"path": "/dev/fifo", "type": "p", "fileMode": 0o622},
        {"path": "/dev/raw", "type": "u", "major": 1, "minor": 3}])),
    Case("a device below a directory", linux(devices=[
        {"path": "/dev/net/tun", "type": "c", "major": 10, "minor": 200}])),
    Case("a device that is there already", linux(devices=[
        {"path": "/dev/tty", "type": "c", "major": 5, "minor": 0}])),
    Case("the image's own /dev", own_dev),
    Case("devices in a user namespace", both(user_namespace, linux(devices=[
        {"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11}])),
        {"mounts": SEALED, "devices": {"crun": "crun 1.8.1 leaves an empty file there"}}),
]
REFUSED = [
    Case("a file system nobody has", mount("/data", "nosuchfs")),
    Case("an option nobody has", mount("/data", "tmpfs", "nosuchoption=1")),
    Case("a bind of nothing", bind("bind", source="/no/such")),
    Case("a bind with an option of a file system", bind("bind", "size=1m"), {
        "*": {"runc": "refused since runc 1.2", "crun": "crun leaves it out"}}),
    Case("a mount on /proc", mount("/proc", "tmpfs")),
    Case("a mount below /proc", mount("/proc/sys", "tmpfs"), {"*": {
        "runc": "refused of binds, and since runc 1.2 of all", "crun": "crun has no such rule"}}),
    Case("a program that is not there", process(args=["/no/such"])),
    Case("the host's sysctl", linux(sysctl={"kernel.panic": "0"})),
    Case("a sysctl of the host's network", both(
        without("network"), linux(sysctl={"net.ipv4.ip_forward": "0"}))),
    Case("an impossible limit", process(rlimits=[
        {"type": "RLIMIT_NOFILE", "soft": 9, "hard": 3}])),
    Case("a file of v2", lambda bundle: bundle.linux["resources"].update(
        unified={"memory.high": "64M"})),
    Case("no arguments", process(args=[])),
    Case("a namespace twice", lambda bundle: bundle.linux["namespaces"].append({"type": "pid"}),
         {"*": {"crun": "crun has no such rule"}}),
]
