"""The root a container sees: made of mounts, entered by pivot_root, with the host's let go.

Runs in init, in its own mount namespace, so that nothing here shows on the host. Before pivot_root
a path of the container is never used as it is: places.py opens it inside the root. After it, every
path is the container's own; and what is hidden or sealed is still opened first and covered by
descriptor, for /proc/self/fd is then the container's as well, and may be a lie. Sources:
runtime-spec config.md "Root", config-linux.md "Rootfs Mount Propagation", "Masked Paths";
pivot_root(2), mount_namespaces(7).
"""

from __future__ import annotations

import errno
import os
import stat

from runtime.errors import Denied, KernelError, LabError
from runtime.kernel import files, links, mounts, trees
from runtime.kernel.mounts import (
    MS_BIND, MS_MOVE, MS_PRIVATE, MS_REC, MS_SHARED, MS_SLAVE, MS_UNBINDABLE, PROPAGATION,
)
from runtime.oci import cgroups, devices
from runtime.oci.mounts import Options, attach, is_bind
from runtime.oci.places import whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cgroup.cgroup import Cgroup
    from runtime.oci.plan import Plan

HEARING = ("slave", "rslave", "shared", "rshared")
# How mountinfo writes what would break its lines, the backslash last. proc_pid_mountinfo(5)
ESCAPES = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))


def prepare(plan: Plan, group: Cgroup) -> None:
    """Mount the root and everything below it, at its place in the host's tree."""
    if plan.own_mounts:
        detach_from_host(plan)
    if plan.root_mounts:
        for entry in plan.root_mounts:
            options = Options(entry.get("options") or [])
            mounts.mount(entry.get("source"), plan.rootfs, entry["type"],
                         mounts.Flags(options.flags), options.data)
    else:
        # pivot_root wants a mount point, so the directory is bound on itself.
        mounts.mount(plan.rootfs, plan.rootfs, None, mounts.Flags(MS_BIND | MS_REC))
    if not plan.own_mounts:
        seclude(plan.rootfs)
    root_fd = os.open(plan.rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for index, entry in enumerate(plan.spec.get("mounts") or []):
            try:
                mount_entry(root_fd, index, entry, plan, group)
            except LabError as error:
                raise explained(entry, error) from None
        devices.fill_dev(root_fd, plan)
    finally:
        os.close(root_fd)
    if not plan.own_mounts:
        seclude(plan.rootfs)  # a bind of what the host shares is shared as well


def seclude(rootfs: str) -> None:
    """In the host's own table: what is mounted here must not spread to those who share it."""
    mounts.mount(None, rootfs, None, mounts.Flags(MS_PRIVATE | MS_REC))


def mount_entry(root_fd: int, index: int, entry: dict[str, Any], plan: Plan, group: Cgroup) -> None:
    """One of config.json's mounts: the container's groups, or anything else."""
    if entry.get("type") in cgroups.TYPES and not is_bind(entry):
        # podman mounts systemd's own hierarchy in it.
        inside = f"{whole(entry['destination'])}/"
        more = any(whole(each["destination"]).startswith(inside)
                   for each in plan.spec["mounts"][index + 1:])
        fd = cgroups.mount_view(root_fd, entry, group, plan.has_cgroup_namespace(), more)
    else:
        fd = attach(root_fd, entry, plan, plan.trees.get(index))
    if fd is not None:
        plan.sealed_later.append(fd)


def explained(entry: dict[str, Any], error: LabError) -> LabError:
    """The error with the mount it is about, in runc's words."""
    what = f'error mounting "{entry.get("source") or ""}" to rootfs at "{entry["destination"]}"'
    if isinstance(error, KernelError):
        return KernelError(f"{what}: {error.doing}", error.errno or 0, error.target, error.hint)
    return type(error)(f"{what}: {error.message}", error.hint)


def detach_from_host(plan: Plan) -> None:
    """Cut the ties to the host's mounts, or keep as much of them as config.json asks for."""
    wanted = PROPAGATION.get((plan.spec.get("linux") or {}).get("rootfsPropagation") or "")
    # Whatever the host's propagation (systemd makes / shared): from here nothing gets out, unless
    # `shared` asks for it. An unbindable tree could not be bound to make the root: that comes last.
    if wanted is None or wanted & MS_UNBINDABLE:
        # A bind that wants to hear of the host's mounts has to be a copy of one that does.
        hears = any(word in HEARING for entry in plan.spec.get("mounts") or []
                    for word in entry.get("options") or [])
        wanted = (MS_SLAVE if hears else MS_PRIVATE) | MS_REC
    mounts.mount(None, "/", None, mounts.Flags(wanted))
    if wanted & MS_SHARED or not wanted & MS_REC:
        # pivot_root refuses a new root whose parent mount is shared, and so would the host see it.
        point, shared = mount_of(plan.rootfs)
        if shared:
            mounts.mount(None, point, None, mounts.Flags(MS_PRIVATE))


def mount_of(path: str) -> tuple[str, bool]:
    """The mount point that the path lies on, and whether it is shared: ("/", False)."""
    path, best, shared = os.path.realpath(path), "/", False
    for line in (files.read("/proc/self/mountinfo") or "").splitlines():
        point = line.split(" ", 5)[4]
        for escape, character in ESCAPES:
            point = point.replace(escape, character)
        # Of two on the same place the later lies on top.
        if (path == point or path.startswith(f"{point.rstrip('/')}/")) and len(point) >= len(best):
            best, shared = point, " shared:" in line.partition(" - ")[0]
    return best, shared


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


def move_root(rootfs: str) -> None:
    """Without pivot_root (--no-pivot): move rootfs over the root, and chroot there.

    For a host that runs from its initial ramdisk, which pivot_root refuses. The old root stays
    underneath, so its whole procfs and sysfs go first: the kernel lets a user namespace mount new
    ones only while it sees a whole old one, and what is masked in ours would be open there.
    """
    inside = f"{os.path.realpath(rootfs).rstrip('/')}/"
    for line in (files.read("/proc/self/mountinfo") or "").splitlines():
        before, _, after = line.partition(" - ")
        top, point = before.split(" ")[3:5]
        if top != "/" or after.split(" ")[0] not in ("proc", "sysfs") or point.startswith(inside):
            continue
        try:
            mounts.mount(None, point, None, mounts.Flags(MS_SLAVE | MS_REC))
            mounts.umount2(point, mounts.MNT_DETACH)
        except KernelError as error:
            if error.errno == errno.ENOENT:
                continue  # it went with one above it
            if error.errno not in (errno.EINVAL, errno.EPERM):
                raise
            # Locked, in a user namespace: covered instead.
            mounts.mount("tmpfs", point, "tmpfs")
    files.chdir(rootfs)
    mounts.mount(rootfs, "/", None, mounts.Flags(MS_MOVE))
    files.chroot(".")
    files.chdir("/")


def enter_by_chroot(rootfs: str) -> None:
    """The same by chroot, for `--without pivot` and `--without mount`: a lesson, not a container.

    The host's root stays where it was, below: whoever may chroot once more comes to it by "..".
    Without a mount namespace there is no other way, for pivot_root would move every process of it.
    """
    files.chdir(rootfs)
    files.chroot(".")
    files.chdir("/")


def finish(plan: Plan) -> None:
    """What can only be done from inside: masked and read-only paths, and the root itself.

    After pivot_root, when every absolute path means the container's own.
    """
    linux = plan.spec.get("linux") or {}
    for fd in plan.sealed_later:
        mounts.mount_setattr("a mount", mounts.Attributes(mounts.MOUNT_ATTR_RDONLY), fd=fd)
        os.close(fd)
    for path in linux.get("readonlyPaths") or []:
        make_read_only(path)
    mask_all(linux.get("maskedPaths") or [])
    if plan.spec["root"].get("readonly"):
        mounts.mount_setattr("/", mounts.Attributes(mounts.MOUNT_ATTR_RDONLY))
    propagation = PROPAGATION.get(linux.get("rootfsPropagation") or "", 0)
    if propagation & (MS_SHARED | MS_SLAVE | MS_UNBINDABLE):
        mounts.mount(None, "/", None, mounts.Flags(propagation))


def find(path: str) -> int | None:
    """A descriptor of what is at a path inside; None when there is no such thing here."""
    try:
        return os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None


def make_read_only(path: str) -> None:
    """Cover the path with a copy of itself that cannot be written."""
    place = find(path)
    if place is None:
        return
    try:
        tree = trees.open_tree(path, True, place)
        try:
            mounts.mount_setattr(path, mounts.Attributes(mounts.MOUNT_ATTR_RDONLY), True, fd=tree)
            trees.move_mount(tree, place, path)
        finally:
            os.close(tree)
    finally:
        os.close(place)


def mask_all(paths: list[str]) -> None:
    """Hide each file behind the null device, each directory behind an empty read-only tmpfs."""
    null: int | None = None
    for path in paths:
        place = find(path)
        if place is None:
            continue
        try:
            if stat.S_ISDIR(os.fstat(place).st_mode):
                # "." after fchdir is the directory that was opened, whatever its name is now.
                files.fchdir(place, path)
                mounts.mount("tmpfs", files.Shown(".", path), "tmpfs",
                             mounts.Flags(mounts.MS_RDONLY))
            else:
                null = open_null(path) if null is None else null
                cover(place, path, null)
        finally:
            os.close(place)
    if null is not None:
        os.close(null)


def cover(place: int, path: str, null: int) -> None:
    """Put the null device over a file that is open."""
    tree = trees.open_tree("/dev/null", False, null)
    try:
        trees.move_mount(tree, place, path)
    finally:
        os.close(tree)


def open_null(path: str) -> int:
    """The container's null device: the device, not what an image put there under its name.

    A link in its place would uncover any file of /proc, writable (CVE-2025-31133).
    """
    null = os.open("/dev/null", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    found = os.fstat(null)
    if not stat.S_ISCHR(found.st_mode) or found.st_rdev != os.makedev(1, 3):
        os.close(null)
        raise Denied(f"mask {path}: /dev/null of the image is not the null device")
    return null


def loopback_up() -> None:
    """A new network namespace has lo, and it is down."""
    links.set_link_up("lo")
