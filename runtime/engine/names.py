"""Names of containers: who has which, given once, and made up where none is asked for.

Runs in the engine. A name is a file under names/ that holds the id of its owner. It is claimed with
the container's directory already there, and given back before the directory goes: so a name whose
owner has no directory was left by a command that was killed, and anyone may take it.
"""

from __future__ import annotations

import fcntl
import os

from runtime import documents
from runtime.engine import store
from runtime.errors import Conflict, Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.engine.store import Places

LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
ADJECTIVES = [
    "amber", "brave", "calm", "clever", "cosy", "eager", "early", "fair", "fond", "gentle",
    "glad", "happy", "keen", "kind", "light", "lively", "merry", "mild", "neat", "nimble",
    "plain", "proud", "quick", "quiet", "sharp", "sunny", "swift", "tidy", "warm", "wise",
]
# People without whom there would be nothing to contain.
PEOPLE = [
    "allen", "bach", "corbato", "dijkstra", "goldberg", "hamilton", "hopper", "kernighan",
    "kilburn", "knuth", "lamport", "liskov", "lovelace", "mcilroy", "perlman", "pike", "rashid",
    "ritchie", "sammet", "saltzer", "strachey", "tanenbaum", "thompson", "torvalds", "turing",
    "wilkes", "wirth",
]


def check(name: str) -> str:
    """The name, if Docker would take it. Raises Invalid in Docker's words."""
    bare = name.removeprefix("/")
    if len(bare) < 2 or bare[0] not in LETTERS or not set(bare) <= LETTERS | set("_.-"):
        raise Invalid(f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are "
                      "allowed")
    return bare


def claim(places: Places, name: str | None, ident: str) -> str:
    """Take a name for the container, or find a free one. Raises Invalid, Conflict."""
    folder = os.open(f"{places.root}/names", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # One at a time: who looked at a name's file while its owner was writing it would find it
        # empty, take it for one left behind, and both would have the name.
        fcntl.flock(folder, fcntl.LOCK_EX)
        return _claim_given(places, name, ident) if name is not None else _claim_any(places, ident)
    finally:
        os.close(folder)


def _claim_given(places: Places, name: str, ident: str) -> str:
    bare = check(name)
    if not _claim(places, bare, ident):
        owner = store.text(f"{places.root}/names/{bare}")
        raise Conflict(f'Conflict. The container name "/{bare}" is already in use by container '
                       f'"{owner}". You have to remove (or rename) that container to be able '
                       "to reuse that name.")
    return bare


def _claim_any(places: Places, ident: str) -> str:
    for attempt in range(100):
        number = int.from_bytes(os.urandom(4), "big")
        bare = f"{ADJECTIVES[number % len(ADJECTIVES)]}_{PEOPLE[number // 64 % len(PEOPLE)]}"
        bare += str(attempt) if attempt > 3 else ""
        if _claim(places, bare, ident):
            return bare
    raise Conflict("find a free name: a hundred were taken", "give one with --name")


def _claim(places: Places, name: str, ident: str) -> bool:
    path = f"{places.root}/names/{name}"
    owner = store.text(path)
    if owner and os.path.isdir(places.container(owner)):
        return False
    documents.replace_file(path, ident.encode())
    return True


def release(places: Places, name: str, ident: str) -> None:
    """Give the name back, if it is this container's; before its directory goes (see above)."""
    path = f"{places.root}/names/{name}"
    if store.text(path) == ident:
        try:
            os.unlink(path)
        except FileNotFoundError:
            return  # the shim of a container with --rm was quicker
