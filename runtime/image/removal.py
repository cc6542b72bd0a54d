"""Taking images away: which name goes, whether the image goes with it, and who objects.

The twin of moby's daemon/images/image_delete.go, with its sentences. Runs in the engine's process,
off the start path. Names are removed under the store's lock; the image leaves the index first and
its files after that, so that a process killed between the two leaves only what `collect` finds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runtime.errors import Conflict, KernelError, NotFound
from runtime.image import content, reference
from runtime.image.store import FULL, familiar, find

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from runtime.image.store import Store


def remove(store: Store, text: str, force: bool,
           used: Mapping[str, tuple[str, bool]] | Collection[str]) -> list[dict[str, str]]:
    """Take a name away, and the image with its last one; see Store.remove."""
    with store.lock():
        index = store.index()
        ident = find(index, text)
        if ident is None:
            raise NotFound(f"No such image: {familiar(text)}")
        names = sorted(name for name, target in index["names"].items() if target == ident)
        check(text, ident, names, force, user_of(used, ident))
        gone = [familiar(text)] if familiar(text) in names else names
        for name in gone:
            del index["names"][name]
        report = [{"Untagged": name} for name in gone]
        if len(gone) == len(names) and ident not in used:
            delete(store, index, ident)
            report.append({"Deleted": ident})
        else:
            store.write_index(index)
    return report


def check(text: str, ident: str, names: list[str], force: bool,
          user: tuple[str, bool] | None) -> None:
    """Refuse, in Docker's words, to remove what has other names or a container (`user`)."""
    short = ident.removeprefix("sha256:")[:12]
    box = f"container {user[0][:12]}".strip() if user else ""
    if familiar(text) in names:
        if user and len(names) == 1 and not force:
            raise Conflict(f'conflict: unable to remove repository reference "{text}" (must force)'
                           f" - {box} is using its referenced image {short}")
        return
    if user and (not force or not names):
        state = "running" if user[1] else "stopped"
        must = "cannot be forced" if user[1] or force else "must be forced"
        raise Conflict(f"conflict: unable to delete {short} ({must}) - "
                       f"image is being used by {state} {box}")
    if len({reference.parse(name).name for name in names}) > 1 and not force:
        raise Conflict(f"conflict: unable to delete {short} (must be forced) - "
                       "image is referenced in multiple repositories")


def user_of(used: Mapping[str, tuple[str, bool]] | Collection[str],
            ident: str) -> tuple[str, bool] | None:
    """The container of an image and whether it runs; its id is "" if only the image was told."""
    if ident not in used:
        return None
    return used[ident] if isinstance(used, dict) else ("", False)


def delete(store: Store, index: dict[str, Any], ident: str) -> None:
    """Take the image out of the index, then out of the folders; the lock is held."""
    entry = index["images"].pop(ident)
    try:
        store.write_index(index)
    except KernelError as error:
        if error.errno not in FULL:
            raise
        # A full disk must not keep anyone from making room on it. The archives go first: killed
        # now, the image is still in the index, and runs without them.
        content.drop_archives(store, index, entry)
        store.write_index(index)
    content.collect(store, index)
