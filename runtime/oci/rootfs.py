"""The root a container sees: made of mounts, entered by pivot_root, with the host's let go.

Runs in init, in its own mount namespace, so that nothing here shows on the host. Every path inside
the new root is resolved by openat2(RESOLVE_IN_ROOT) and acted on by descriptor: an image may hold
links that point anywhere, and a mount through one would land on the host (CVE-2021-30465).
Sources: runtime-spec config.md "Mounts", config-linux.md "Default Devices"; pivot_root(2).
"""

from __future__ import annotations

import errno
import os

from runtime.errors import KernelError
from runtime.kernel import devices, files, links, mounts
from runtime.kernel.mounts import FLAGS, MS_BIND, MS_PRIVATE, MS_REC, PROPAGATION
from runtime.oci import cgroups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cgroup.cgroup import Cgroup
    from runtime.oci.plan import Plan

# What every container has under /dev: runtime-spec config-linux.md "Default Devices".
NODES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9),
         ("tty", 5, 0))
LINKS = (("/proc/self/fd", "fd"), ("/proc/self/fd/0", "stdin"), ("/proc/self/fd/1", "stdout"),
         ("/proc/self/fd/2", "stderr"), ("pts/ptmx", "ptmx"))


def prepare(plan: Plan, group: Cgroup) -> None:
    """Mount the root and everything below it, at its place in the host's tree."""
    # Whatever the host's propagation (systemd makes / shared): from here nothing gets out.
    propagation = (plan.spec.get("linux") or {}).get("rootfsPropagation")
    flags = PROPAGATION[propagation] if propagation else MS_PRIVATE | MS_REC
    mounts.mount(None, "/", None, mounts.Flags(flags))
    if plan.root_mounts:
        for entry in plan.root_mounts:
            flag_bits, _, data = split_options(entry.get("options") or [])
            mounts.mount(entry.get("source"), plan.rootfs, entry["type"],
                         mounts.Flags(flag_bits), data)
    else:
        # pivot_root wants a mount point, so the directory is bound on itself.
        mounts.mount(plan.rootfs, plan.rootfs, None, mounts.Flags(MS_BIND | MS_REC))
    root_fd = os.open(plan.rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for entry in plan.spec.get("mounts") or []:
            if entry.get("type") == "cgroup":
                cgroups.mount_view(root_fd, entry, group, group_open=target)
            else:
                attach(root_fd, entry)
        fill_dev(root_fd, plan)
    finally:
        os.close(root_fd)


def split_options(options: list[str]) -> tuple[int, list[int], str | None]:
    """(flags, propagation changes, the file system's own text) of a mount's options."""
    flags, propagation, data = 0, [], []
    for option in options:
        if option in FLAGS:
            add, remove = FLAGS[option]
            flags = (flags | add) & ~remove
        elif option in PROPAGATION:
            propagation.append(PROPAGATION[option])
        else:
            data.append(option)
    return flags, propagation, ",".join(data) or None


def attach(root_fd: int, entry: dict[str, Any]) -> None:
    """Mount one entry of config.json's mounts at its destination inside the root."""
    flags, propagation, data = split_options(entry.get("options") or [])
    kind, source = entry.get("type"), entry.get("source")
    bind = bool(flags & MS_BIND) or kind == "bind"
    folder = not bind or source is None or os.path.isdir(source)
    fd = target(root_fd, entry["destination"], folder)
    place = files.Opened(fd, entry["destination"])
    try:
        if bind:
            mounts.mount(source, place, None, mounts.Flags(flags & MS_REC | MS_BIND))
        else:
            mounts.mount(source, place, kind, mounts.Flags(flags), data)
    finally:
        os.close(fd)
    # A bind takes no flags but MS_REC; the rest is set on what now lies at the destination.
    extra = flags & ~(MS_BIND | MS_REC)
    if (bind and extra) or propagation:
        fd = target(root_fd, entry["destination"], folder)
        place = files.Opened(fd, entry["destination"])
        try:
            if bind and extra:
                mounts.mount_setattr(place, attributes(extra), bool(flags & MS_REC))
            for change in propagation:
                mounts.mount(None, place, None, mounts.Flags(change))
        finally:
            os.close(fd)


def attributes(flags: int) -> int:
    """mount(2)'s flags as mount_setattr(2) spells them."""
    spelled = ((mounts.MS_RDONLY, mounts.MOUNT_ATTR_RDONLY),
               (mounts.MS_NOSUID, mounts.MOUNT_ATTR_NOSUID),
               (mounts.MS_NODEV, mounts.MOUNT_ATTR_NODEV),
               (mounts.MS_NOEXEC, mounts.MOUNT_ATTR_NOEXEC))
    return sum(new for old, new in spelled if flags & old)


def target(root_fd: int, destination: str, folder: bool) -> int:
    """A descriptor of the destination inside the root, made if it is missing. Close it."""
    inside = destination.strip("/") or "."
    try:
        return files.open_in_root(root_fd, inside, os.O_PATH)
    except KernelError as error:
        if error.errno != errno.ENOENT:
            raise KernelError("open the mount target", error.errno or 0, destination) from None
    above, _, name = inside.rpartition("/")
    above_fd = target(root_fd, above, True)
    try:
        if folder:
            files.mkdir_at(above_fd, name)
        else:
            files.make_file_at(above_fd, name)
    except FileExistsError:
        raise KernelError("make the mount target", errno.EEXIST, destination,
                          "a link inside the image leads nowhere") from None
    finally:
        os.close(above_fd)
    return files.open_in_root(root_fd, inside, os.O_PATH)


def fill_dev(root_fd: int, plan: Plan) -> None:
    """Device nodes and links under /dev; in a user namespace the host's nodes, bound."""
    dev = target(root_fd, "/dev", True)
    place = files.Opened(dev, "/dev")
    try:
        for name, major, minor in NODES:
            make_node(place, name, "c", major, minor, 0o666, plan.new_namespace("user"))
        for entry in (plan.spec.get("linux") or {}).get("devices") or []:
            name = entry["path"].removeprefix("/dev/")
            make_node(place, name, entry["type"], entry["major"], entry["minor"],
                      entry.get("fileMode", 0o666), plan.new_namespace("user"))
        for goal, name in LINKS:
            files.symlink(goal, place.below(name))
    finally:
        os.close(dev)


def make_node(place: files.Opened, name: str, kind: str, major: int, minor: int, mode: int,
              bound: bool) -> None:
    """One device node; where mknod is not allowed (user namespace) the host's is bound over."""
    try:
        if bound:
            files.make_file(place.below(name))
            mounts.mount(f"/dev/{name}", place.below(name), None, mounts.Flags(MS_BIND))
        else:
            devices.mknod(place.below(name), kind, major, minor, mode)
    except FileExistsError:
        return


def enter_rootfs(rootfs: str) -> None:
    """Make rootfs the root of this mount namespace, and let the host's go.

    Why not chroot: a process with CAP_SYS_CHROOT walks out of one. After pivot_root(".", ".") the
    old root is stacked on the new one at the same place, and the detach lets go of it: no path, no
    descriptor, no `..` leads back. The trick with two dots is from pivot_root(2), NOTES.
    """
    files.chdir(rootfs)
    mounts.pivot_root(".", ".")
    mounts.umount2(".", mounts.MNT_DETACH)
    files.chdir("/")


def finish(plan: Plan) -> None:
    """What can only be done from inside: masked and read-only paths, and the root itself.

    After pivot_root, when every absolute path means the container's own.
    """
    linux = plan.spec.get("linux") or {}
    for path in linux.get("readonlyPaths") or []:
        make_read_only(path)
    for path in linux.get("maskedPaths") or []:
        mask(path)
    if plan.spec["root"].get("readonly"):
        mounts.mount_setattr("/", mounts.MOUNT_ATTR_RDONLY)


def make_read_only(path: str) -> None:
    """Bind the path on itself, then take writing away. A path this kernel lacks is fine."""
    if not os.path.lexists(path):
        return
    mounts.mount(path, path, None, mounts.Flags(MS_BIND | MS_REC))
    mounts.mount_setattr(path, mounts.MOUNT_ATTR_RDONLY, recursive=True)


def mask(path: str) -> None:
    """Hide a file behind /dev/null, a directory behind an empty read-only tmpfs."""
    if os.path.isdir(path):
        mounts.mount("tmpfs", path, "tmpfs", mounts.Flags(mounts.MS_RDONLY))
    elif os.path.lexists(path):
        mounts.mount("/dev/null", path, None, mounts.Flags(MS_BIND))


def loopback_up() -> None:
    """A new network namespace has lo, and it is down."""
    links.set_link_up("lo")
