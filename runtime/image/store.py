"""The image store: which images there are, what they are called, where their layers lie.

The twin of containerd's image store (and of `docker images`, `tag`, `rmi`). Runs in the engine's
process, also on the start path: `resolve` reads two small files and imports nothing heavy. It may
not unpack anything (layers.py) nor write content (content.py). references.json, the one index:

    {"names":  {"lab/base:latest": "sha256:4f…"},
     "images": {"sha256:4f…": {"manifest": "sha256:9a…", "layers": ["sha256:d1…"],   diff ids
                               "blobs": ["sha256:d1…"]}},                            archives
     "layers": {"sha256:d1…": {"size": 1986812}}}                                    files' bytes

An image's id is the digest of its config document. Only what the index names exists; everything
else in the folders is left over from a crash, and `collect` takes it away.
Sources: image-spec config.md (id, diff ids), moby daemon/images/image_delete.go (the sentences).
"""

from __future__ import annotations

import errno
import fcntl
import os

from runtime import documents
from runtime.errors import Invalid, KernelError, NotFound
from runtime.image import reference as references

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from types import TracebackType
    from typing import Any

BASE = "lab/base:latest"
FULL = (errno.ENOSPC, errno.EDQUOT)


class Image:
    """One image. Example: id "sha256:4f…", names ["lab/base:latest"], layers ["…/layers/d1…"]."""

    __slots__ = ("id", "names", "layers", "layer_sizes", "manifest", "created", "document")

    def __init__(self, ident: str, names: list[str], layers: list[str], layer_sizes: list[int],
                 manifest: str, document: dict[str, Any]) -> None:
        self.id, self.names = ident, names
        # Folders, lowest first: the order of the config's diff_ids, the reverse of overlayfs's.
        self.layers, self.layer_sizes = layers, layer_sizes
        self.manifest, self.document = manifest, document
        self.created: str = document.get("created", "")

    @property
    def size_bytes(self) -> int:
        """What its files hold, all layers together; a file hidden by a higher layer counts."""
        return sum(self.layer_sizes)

    @property
    def config(self) -> dict[str, Any]:
        """The config document in the spelling of Docker's API: Config, RootFS.DiffIDs, Created."""
        document = self.document
        history = document.get("history") or []
        return {
            "Id": self.id, "RepoTags": self.names, "Created": self.created,
            "Author": document.get("author", ""),
            "Comment": history[-1].get("comment", "") if history else "",
            "Architecture": document.get("architecture", ""), "Os": document.get("os", ""),
            "Config": document.get("config") or {},
            "RootFS": {"Type": "layers", "DiffIDs": document["rootfs"]["diff_ids"]},
            "History": history,
        }


class Store:
    """The images under one folder. Making one touches nothing."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def path(self, *parts: str) -> str:
        """A path inside the store: path("layers", "d1…")."""
        return os.path.join(self.directory, *parts)

    def blob_path(self, digest: str) -> str:
        return self.path("blobs", "sha256", digest.removeprefix("sha256:"))

    def layer_path(self, diff_id: str) -> str:
        return self.path("layers", diff_id.removeprefix("sha256:"))

    def index(self) -> dict[str, Any]:
        """The index as it is now; an empty one before the first image."""
        try:
            index: dict[str, Any] = documents.read(self.path("references.json"))
        except FileNotFoundError:
            return {"names": {}, "images": {}, "layers": {}}
        return index

    def lock(self) -> Lock:
        """Hold the index: `with store.lock():` around every read, change and write of it."""
        return Lock(self.path("lock"))

    def resolve(self, text: str) -> Image:
        """The image of that name, id, or beginning of an id (2 hex digits at least).

        Raises NotFound("No such image: tea:latest"), or Invalid for what cannot be a name. Asking
        for lab/base when there is none makes it, from the host's own files.
        """
        index = self.index()
        ident = find(index, text)
        if ident is None and names_base(text):
            from runtime.image import base

            ident = base.provide(self)
            index = self.index()
        if ident is None:
            raise NotFound(f"No such image: {familiar(text)}")
        image = self._image(index, ident)
        for folder in image.layers:
            if not os.path.isdir(folder):
                raise NotFound(f"read image {text}: {folder} is missing",
                               "remove the image and load it again")
        return image

    def images(self) -> list[Image]:
        """All images, newest first."""
        index = self.index()
        images = [self._image(index, ident) for ident in index["images"]]
        return sorted(images, key=lambda image: (image.created, image.id), reverse=True)

    def _image(self, index: dict[str, Any], ident: str) -> Image:
        entry = index["images"][ident]
        names = sorted(name for name, target in index["names"].items() if target == ident)
        try:
            document = documents.read(self.blob_path(ident))
        except FileNotFoundError as error:
            raise NotFound(f"read image {ident}: {error.filename} is missing",
                           "remove the image and load it again") from None
        folders = [self.layer_path(diff_id) for diff_id in entry["layers"]]
        sizes = [index["layers"][diff_id]["size"] for diff_id in entry["layers"]]
        return Image(ident, names, folders, sizes, entry["manifest"], document)

    def tag(self, source: str, target: str) -> None:
        """Give the image one more name; the name leaves the image that had it."""
        name = str(parse_target(target))
        ident = self.resolve(source).id
        with self.lock():
            index = self.index()
            if ident not in index["images"]:
                raise NotFound(f"No such image: {familiar(source)}")
            index["names"][name] = ident
            self.write_index(index)

    def remove(self, text: str, force: bool = False,
               used: Mapping[str, tuple[str, bool]] | Collection[str] = ()
               ) -> list[dict[str, str]]:
        """Take a name away, and the image itself with its last one; answers as Docker's API.

        Example: [{"Untagged": "lab/tea:1"}, {"Deleted": "sha256:4f…"}]. `used` tells which image
        has a container, and whether that runs: {"sha256:4f…": ("0c1d…", True)}, or only the ids of
        such images. They lose their last name only by force, and then stay without one.
        """
        from runtime.image import removal

        return removal.remove(self, text, force, used)

    def write_index(self, index: dict[str, Any]) -> None:
        """Replace the index, the lock held. It is what makes an image exist, so it is synced."""
        try:
            documents.write(self.path("references.json"), index, durable=True)
        except OSError as error:
            raise write_error("write the image index", error) from None

    def collect(self) -> int:
        """Take away what no image needs: remains of a crash or of a removal. Returns the bytes."""
        if not os.path.isdir(self.directory):
            return 0
        from runtime.image import content

        with self.lock():
            return content.collect(self, self.index())


class Lock:
    """An flock for the length of a block; the kernel lets go of it when its holder dies."""

    __slots__ = ("path", "fd")

    def __init__(self, path: str) -> None:
        self.path, self.fd = path, -1

    def __enter__(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            self.fd = os.open(self.path, flags, 0o644)
        except OSError as error:
            raise write_error("lock the image store", error) from None
        fcntl.flock(self.fd, fcntl.LOCK_EX)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        os.close(self.fd)


def write_error(doing: str, error: OSError) -> KernelError:
    """The kernel's refusal with its object: `write the image index …: ENOSPC …`."""
    if isinstance(error, KernelError):
        return error
    hint = ""
    if error.errno in FULL:
        hint = "free some space, or choose another place with --root DIR; nothing was left behind"
    return KernelError(doing, error.errno or errno.EIO, str(error.filename or ""), hint)


def find(index: dict[str, Any], text: str) -> str | None:
    """The id that text stands for, names before ids, or None. Raises Invalid for no name at all."""
    prefix = text.removeprefix("sha256:")
    if references.is_hex(prefix) and len(prefix) == 64:
        ident = f"sha256:{prefix}"
        return ident if ident in index["images"] else None
    name = references.parse(text).with_tag()
    if name.digest:
        return _by_manifest(index, name)
    if str(name) in index["names"]:
        return str(index["names"][str(name)])
    if not references.is_hex(prefix) or len(prefix) < 2:
        return None
    found = [ident for ident in index["images"] if ident.startswith(f"sha256:{prefix}")]
    return found[0] if len(found) == 1 else None


def _by_manifest(index: dict[str, Any], name: references.Reference) -> str | None:
    """The image of `lab/tea@sha256:9a…`: one of that repository with that manifest."""
    for tagged, ident in index["names"].items():
        if (references.parse(tagged).name == name.name
                and index["images"][ident]["manifest"] == name.digest):
            return str(ident)
    return None


def familiar(text: str) -> str:
    """What Docker calls it in a message: `tea` → `tea:latest`, an id as it is."""
    try:
        return str(references.parse(text).with_tag())
    except Invalid:
        return text


def names_base(text: str) -> bool:
    return familiar(text) == BASE


def parse_target(text: str) -> references.Reference:
    """A name that an image can be given: with a tag, without a digest. Raises Invalid."""
    name = references.parse(text)
    if name.digest:
        raise Invalid("refusing to create a tag with a digest reference")
    return name.with_tag()
