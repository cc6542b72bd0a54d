"""`docker import`: an archive of a file system becomes an image of one layer.

Runs in the engine's process, off the start path. The archive may be plain or packed, and may come
from a pipe. Nothing exists before all of it is there:

    import_tar(store, file, "lab/flat:1", ['CMD ["sh"]'], "from export")  → "sha256:4f…"

Source: moby daemon/containerd/image_import.go, Docker's documentation of `docker image import`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from runtime.errors import Invalid
from runtime.image import base
from runtime.image import changes as dockerfile
from runtime.image import reference as references
from runtime.image.content import Draft

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime.image.store import Store


def import_tar(store: Store, file: BinaryIO, reference: str | None = None,
               changes: Iterable[str] = (), message: str = "") -> str:
    """Make an image of the archive, under a name if one is given; returns its id.

    Raises Invalid for a bad name, a bad change or a bad archive, KernelError without space.
    """
    # All that can be refused without reading the archive comes first: it may be large.
    target = full_name(reference) if reference else ""
    config = dockerfile.apply({}, changes)
    created = base.now()
    with Draft(store) as draft:
        layer = draft.layer(draft.blob(file))
        return draft.finish({
            "architecture": base.architecture(), "os": "linux", "created": created,
            "config": config,
            "history": [{"created": created, "comment": message or "Imported from -"}],
        }, [layer], target)


def full_name(text: str) -> str:
    """The name with its tag: `lab/flat` → "lab/flat:latest"."""
    parsed = references.parse(text)
    if parsed.digest:
        raise Invalid("cannot import digest reference")
    return str(parsed.with_tag())
