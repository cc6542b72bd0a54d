"""Sources of binds that only the host's side can open: id-mapped ones, and those out of reach.

Runs in the shim, before init is cloned, and only for a bundle that needs it. To map the ids of a
mount needs CAP_SYS_ADMIN over the file system, which the root of a user namespace has not; and that
root may not walk through the host's 0700 directories (an ordinary user's may: he is that user, and
nobody else can open more). So the shim makes the detached mount, and init, which inherits its
descriptor, shows it (mounts.py:attach_bind).

    {"destination": "/data", "options": ["rbind", "ridmap"],
     "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}], "gidMappings": […]}

A file of uid 0 on disk then belongs to 100000, who is root in a container with the same map.
Sources: runtime-spec config.md "Mounts" (idmap, ridmap); mount_setattr(2) "ID-mapped mounts".
"""

from __future__ import annotations

import os

from runtime.errors import Invalid, KernelError
from runtime.kernel import files, mounts, namespaces, trees
from runtime.kernel.mounts import MS_REC
from runtime.oci.mounts import Options, is_bind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.oci.plan import Plan


def is_mapped(entry: dict[str, Any]) -> bool:
    """Does the entry ask for ids of its own?"""
    options = entry.get("options") or ()
    return bool(entry.get("uidMappings") or entry.get("gidMappings")
                or "idmap" in options or "ridmap" in options)


def check_maps(entry: dict[str, Any], path: str, linux: dict[str, Any]) -> None:
    """Refuse maps that mean nothing. Raises Invalid."""
    if not is_bind(entry):
        raise Invalid(f"{path}: invalid mount: id-mapped mounts are only supported for bind-mounts")
    given = [bool(entry.get(key)) for key in ("uidMappings", "gidMappings")]
    if given[0] != given[1]:
        raise Invalid(f"{path}: invalid mount: id-mapped mounts must have both uid and gid "
                      "mappings specified")
    users = [each for each in linux.get("namespaces") or [] if each.get("type") == "user"]
    if not given[0] and not users:
        raise Invalid(f"{path}: invalid mount: an id-mapped mount without mappings takes those of "
                      "the container's user namespace, and it has none")


def open_all(plan: Plan) -> dict[int, int]:
    """Descriptors of the sources that init cannot open, by their place in config.json's mounts."""
    opened: dict[int, int] = {}
    try:
        for index, entry in enumerate(plan.spec.get("mounts") or []):
            if is_mapped(entry):
                opened[index] = open_mapped(plan, entry)
            elif "user" in plan.namespaces and is_bind(entry) and os.geteuid() == 0:
                source = os.path.join(plan.bundle, entry["source"])
                if out_of_reach(source):
                    recursive = bool(Options(entry.get("options") or []).flags & MS_REC)
                    opened[index] = trees.open_tree(source, recursive)
    except BaseException:
        for fd in opened.values():
            os.close(fd)
        raise
    return opened


def out_of_reach(path: str) -> bool:
    """Is there a directory on the way that others may not walk through?"""
    above = os.path.dirname(os.path.realpath(path))
    while os.stat(above).st_mode & 1:
        if above == "/":
            return False
        above = os.path.dirname(above)
    return True


def open_mapped(plan: Plan, entry: dict[str, Any]) -> int:
    """A detached copy of the source with other ids."""
    options = Options(entry.get("options") or [])
    source = os.path.join(plan.bundle, entry["source"])
    users = user_namespace(plan, entry)
    try:
        tree = trees.open_tree(source, bool(options.flags & MS_REC))
        try:
            mounts.mount_setattr(source, mounts.Attributes(mounts.MOUNT_ATTR_IDMAP),
                                 options.idmap == "ridmap", fd=tree, userns_fd=users)
        except KernelError as error:
            os.close(tree)
            hint = "its file system cannot map ids" if error.errno == 22 else \
                "an ordinary user may not map the ids of a mount"
            raise KernelError("mount_setattr", error.errno or 0, source, hint) from None
        return tree
    finally:
        os.close(users)


def user_namespace(plan: Plan, entry: dict[str, Any]) -> int:
    """A descriptor of a user namespace with the entry's maps, or else the container's."""
    joined = plan.namespaces.get("user")
    if not entry.get("uidMappings") and joined:
        return os.open(joined, os.O_RDONLY | os.O_CLOEXEC)
    holder = entry if entry.get("uidMappings") else plan.spec["linux"]
    reader, writer = os.pipe()
    pid, pidfd = namespaces.clone3(namespaces.Flags(namespaces.CLONE_NEWUSER))
    if pid == 0:
        wait_for_end(reader, writer)
    try:
        os.close(pidfd)
        for kind in ("uid", "gid"):
            text = "".join(f"{each['containerID']} {each['hostID']} {each['size']}\n"
                           for each in holder[f"{kind}Mappings"])
            files.write_control(f"/proc/{pid}/{kind}_map", text)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(reader)
        os.close(writer)
        os.waitpid(pid, 0)


def wait_for_end(reader: int, writer: int) -> None:
    """In the process that keeps the namespace alive meanwhile: until the other end closes."""
    try:
        os.close(writer)
        os.read(reader, 1)
    finally:
        os._exit(0)
