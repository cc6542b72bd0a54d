"""The root a container sees: made of mounts, entered by pivot_root, with the host's let go.

Runs in init, in its own mount namespace, so that nothing here shows on the host. Before pivot_root
a path of the container is never used as it is: mounts.py opens it inside the root. After it, every
path is the container's own. Sources: runtime-spec config.md "Root", config-linux.md "Rootfs Mount
Propagation", "Masked Paths"; pivot_root(2), mount_namespaces(7).
"""

from __future__ import annotations

import os
import stat

from runtime.errors import Denied
from runtime.kernel import files, links, mounts
from runtime.kernel.mounts import (
    MS_BIND, MS_PRIVATE, MS_REC, MS_SHARED, MS_SLAVE, MS_UNBINDABLE, PROPAGATION,
)
from runtime.oci import cgroups, devices
from runtime.oci.mounts import Options, attach, target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cgroup.cgroup import Cgroup
    from runtime.oci.plan import Plan

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
        # In the host's table: what is mounted below must not spread to those who share it.
        mounts.mount(None, plan.rootfs, None, mounts.Flags(MS_PRIVATE | MS_REC))
    root_fd = os.open(plan.rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for entry in plan.spec.get("mounts") or []:
            if entry.get("type") == "cgroup":
                cgroups.mount_view(root_fd, entry, group, group_open=target)
            else:
                attach(root_fd, entry, plan.bundle)
        devices.fill_dev(root_fd, plan)
    finally:
        os.close(root_fd)


def detach_from_host(plan: Plan) -> None:
    """Cut the ties to the host's mounts, or keep as much of them as config.json asks for."""
    wanted = PROPAGATION.get((plan.spec.get("linux") or {}).get("rootfsPropagation") or "")
    # Whatever the host's propagation (systemd makes / shared): from here nothing gets out, unless
    # `shared` asks for it. An unbindable tree could not be bound to make the root: that comes last.
    flags = MS_PRIVATE | MS_REC if wanted is None or wanted & MS_UNBINDABLE else wanted
    mounts.mount(None, "/", None, mounts.Flags(flags))
    if flags & MS_SHARED:
        # pivot_root refuses a new root whose parent mount is shared, and so would the host see it.
        mounts.mount(None, mount_of(plan.rootfs), None, mounts.Flags(MS_PRIVATE))


def mount_of(path: str) -> str:
    """The mount point that the path lies on: "/" for "/srv/rootfs"."""
    path, best = os.path.realpath(path), "/"
    for line in (files.read("/proc/self/mountinfo") or "").splitlines():
        point = line.split(" ", 5)[4]
        for escape, character in ESCAPES:
            point = point.replace(escape, character)
        if (path == point or path.startswith(f"{point.rstrip('/')}/")) and len(point) > len(best):
            best = point
    return best


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
    for path in linux.get("readonlyPaths") or []:
        make_read_only(path)
    for path in linux.get("maskedPaths") or []:
        mask(path)
    if plan.spec["root"].get("readonly"):
        mounts.mount_setattr("/", mounts.MOUNT_ATTR_RDONLY)
    propagation = PROPAGATION.get(linux.get("rootfsPropagation") or "", 0)
    if propagation & (MS_SHARED | MS_SLAVE | MS_UNBINDABLE):
        mounts.mount(None, "/", None, mounts.Flags(propagation))


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
        with_null(path)


def with_null(path: str) -> None:
    """Bind /dev/null over a file: the device, not what an image put there under its name.

    A link in its place would uncover any file of /proc, writable (CVE-2025-31133).
    """
    null = os.open("/dev/null", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(null)
        if not stat.S_ISCHR(found.st_mode) or found.st_rdev != os.makedev(1, 3):
            raise Denied(f"mask {path}: /dev/null of the image is not the null device")
        mounts.mount(files.Opened(null, "/dev/null"), path, None, mounts.Flags(MS_BIND))
    finally:
        os.close(null)


def loopback_up() -> None:
    """A new network namespace has lo, and it is down."""
    links.set_link_up("lo")
