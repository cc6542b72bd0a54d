"""Who the program will be: user and groups, capabilities, no_new_privs. All of it only goes down.

Runs in init and in exec's process. Input is config.json's process: {"user": {"uid": 0, "gid": 0},
"capabilities": {"bounding": ["CAP_KILL", …], …}, "noNewPrivileges": true}.
Sources: runtime-spec config.md "User", "Linux Process"; capabilities(7).
"""

from __future__ import annotations

import errno

from runtime.errors import Denied, KernelError
from runtime.kernel import capabilities, files, processes, users
from runtime.kernel.capabilities import BITS, mask_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What runc gives where config.json is silent; never the caller's own.
DEFAULT_UMASK = 0o022
SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")


def wanted(process: dict[str, Any]) -> dict[str, int]:
    """The five sets as masks, of those names that a kernel knows."""
    named = process.get("capabilities") or {}
    return {key: mask_of([name for name in named.get(key) or [] if name in BITS]) for key in SETS}


def warnings(process: dict[str, Any], have: int) -> list[str]:
    """Capabilities asked for that cannot be given: said, not hidden, and no reason to fail.

    `have` is what this host can give. runtime-spec config.md "Linux Process": values that cannot be
    granted MUST be logged.
    """
    named = process.get("capabilities") or {}
    unknown = dict.fromkeys(name for key in SETS for name in named.get(key) or []
                            if name not in BITS)
    sets = wanted(process)
    lost = sets["bounding"] & ~have
    idle = sets["ambient"] & ~can_be_ambient(sets)
    return [f"ignoring unknown capability {name}" for name in unknown] + [
        f"{name} {why}" for mask, why in (
            (lost, "is not in this host's bounding set"),
            (idle, "cannot be ambient, for it is not permitted and inheritable"))
        for name, bit in BITS.items() if mask >> bit & 1]


def can_be_ambient(sets: dict[str, int]) -> int:
    """Only what is permitted and inheritable; `runc spec` asks for more, and runc goes on."""
    return sets["permitted"] & sets["inheritable"]


def become_root_inside() -> None:
    """After the maps are written: take uid and gid 0, else new files belong to nobody."""
    users.setresgid(0, 0, 0)
    users.setresuid(0, 0, 0)


def drop(process: dict[str, Any]) -> list[str]:
    """Go down to the user and the capabilities the program may have: none that are not named.

    Returns what could not be given, as warnings.

    The order is forced. Bounding first: dropping from it needs CAP_SETPCAP. Groups before the user:
    setgroups needs CAP_SETGID, which the change of user takes away. Ambient last: a change of user
    clears it, and a bit must be permitted and inheritable first.
    """
    sets = wanted(process)
    have = capabilities.bounding()
    sets = {key: mask & have for key, mask in sets.items()}
    user = process.get("user") or {}
    uid, gid = user.get("uid", 0), user.get("gid", 0)
    capabilities.drop_bounding(capabilities.Mask(sets["bounding"]), have)
    if uid:
        capabilities.keep_capabilities(True)
    set_groups(user.get("additionalGids") or [])
    users.setresgid(gid, gid, gid)
    users.setresuid(uid, uid, uid)
    users.umask(DEFAULT_UMASK if user.get("umask") is None else user["umask"])
    capabilities.capset(*(capabilities.Mask(sets[key])
                          for key in ("effective", "permitted", "inheritable")))
    ambient = sets["ambient"] & can_be_ambient(sets)
    if ambient:
        capabilities.set_ambient(capabilities.Mask(ambient))
    if process.get("noNewPrivileges"):
        processes.set_no_new_privs()
    return warnings(process, have)


def set_groups(groups: list[int]) -> None:
    """Exactly these and none of the caller's, who may have been in the group of the disks.

    A user namespace of an ordinary user has given up setgroups for its map (user_namespaces(7));
    there the caller's groups stay, and have no number inside. Raises Denied for groups asked for.
    """
    try:
        users.setgroups(groups)
    except KernelError as error:
        if error.errno != errno.EPERM or files.read("/proc/self/setgroups") != "deny\n":
            raise
        if groups:
            raise Denied("cannot set any additional groups in a rootless container") from None
