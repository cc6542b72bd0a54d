"""Who the program will be: user and groups, capabilities, no_new_privs. All of it only goes down.

Runs in init and in exec's process. Input is config.json's process: {"user": {"uid": 0, "gid": 0},
"capabilities": {"bounding": ["CAP_KILL", …], …}, "noNewPrivileges": true}.
Sources: runtime-spec config.md "User", "Linux Process"; capabilities(7).
"""

from __future__ import annotations

from runtime.errors import Invalid
from runtime.kernel import capabilities, processes, users
from runtime.kernel.capabilities import BITS, mask_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What runc gives where config.json is silent; never the caller's own.
DEFAULT_UMASK = 0o022
SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")


def wanted(process: dict[str, Any]) -> dict[str, int]:
    """The five sets as masks. Raises Invalid for a capability no kernel has."""
    named = process.get("capabilities") or {}
    try:
        return {key: mask_of(named.get(key) or []) for key in SETS}
    except KeyError as missing:
        raise Invalid(f"$.process.capabilities: unknown capability {missing.args[0]}") from None


def warnings(process: dict[str, Any]) -> list[str]:
    """Capabilities asked for that cannot be given: said, not hidden."""
    sets = wanted(process)
    lost = sets["bounding"] & ~capabilities.bounding()
    idle = sets["ambient"] & ~can_be_ambient(sets)
    return [f"{name} {why}" for mask, why in (
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


def drop(process: dict[str, Any]) -> None:
    """Go down to the user and the capabilities the program may have: none that are not named.

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
    users.setgroups(user.get("additionalGids") or [])
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
