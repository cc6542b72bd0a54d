"""Putting content into the store, whole or not at all; the twin of containerd's ingest and commit.

Runs in the engine's process, never on the start path. A writer works in a draft folder of its own
and at the end renames what it made into place, under the store's lock, the index last:

    drafts/k3x…/blob-1   ──rename──►  blobs/sha256/<digest>
    drafts/k3x…/layer-2  ──rename──►  layers/<diff id>/
                                      references.json     from here on the image exists

A draft is held by an flock on its folder. So a draft whose lock is free belongs to nobody alive,
and the next writer sweeps it: a writer may die by SIGKILL anywhere. As in containerd, the files of
a layer are not synced one by one (only blobs and the index are): after a power cut, remove the
image and load it again.
Sources: image-spec manifest.md, image-layout.md; containerd docs/content-flow.md.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from typing import TYPE_CHECKING, Any, BinaryIO

from runtime import documents
from runtime.errors import LabError
from runtime.image import archive, layers
from runtime.image.store import write_error
from runtime.kernel import unshared

if TYPE_CHECKING:
    from types import TracebackType

    from runtime.image.store import Store

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_TAR = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
CHUNK = 1 << 20


class Layer:
    """A layer in a draft. Example: diff_id "sha256:d1…", blob "sha256:9f…", size 1986812."""

    __slots__ = ("diff_id", "blob", "media", "size", "blob_size", "folder")

    def __init__(self, diff_id: str, blob: str, media: str, size: int, blob_size: int,
                 folder: str) -> None:
        self.diff_id, self.blob, self.media = diff_id, blob, media
        self.size, self.blob_size, self.folder = size, blob_size, folder


class Draft:
    """A writer's own folder for the length of a block: `with Draft(store) as draft:`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.folder = ""
        self.blobs: dict[str, str] = {}
        self.fd = -1
        self._count = 0

    def __enter__(self) -> Draft:
        drafts = self.store.path("drafts")
        with self.store.lock():
            try:
                os.makedirs(drafts, mode=0o700, exist_ok=True)
                sweep(drafts)
                self.folder = tempfile.mkdtemp(dir=drafts)
            except OSError as error:
                raise write_error("begin an image", error) from None
            self.fd = os.open(self.folder, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(self.fd, fcntl.LOCK_EX)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        try:
            remove_tree(self.folder)
        except OSError:
            pass  # what stays is swept by the next writer
        os.close(self.fd)
        if isinstance(error, OSError) and not isinstance(error, LabError):
            raise write_error("write an image", error) from None

    def _path(self, kind: str) -> str:
        self._count += 1
        return os.path.join(self.folder, f"{kind}-{self._count}")

    def blob(self, source: BinaryIO) -> str:
        """Take in all of source; returns its digest, "sha256:…"."""
        path = self._path("blob")
        checksum = hashlib.sha256()
        with open(path, "xb", buffering=0) as file:
            while chunk := source.read(CHUNK):
                checksum.update(chunk)
                view = memoryview(chunk)
                while view:
                    view = view[file.write(view):]
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        digest = f"sha256:{checksum.hexdigest()}"
        self.blobs[digest] = path
        return digest

    def document(self, value: Any) -> tuple[str, int]:
        """Take in a JSON document; returns its digest and size."""
        import io

        data = documents.encode(value).encode()
        return self.blob(io.BytesIO(data)), len(data)

    def layer(self, digest: str) -> Layer:
        """Unpack the layer archive that was taken in as that blob."""
        folder = self._path("layer")
        os.mkdir(folder)
        os.chmod(folder, 0o755)
        path = self.blobs[digest]
        with open(path, "rb") as file:
            packed = archive.compression(file)
        diff_id, size = layers.unpack(path, folder)
        # The OCI names media types for plain and gzip only: others are kept as plain tar.
        if packed not in ("", "gzip"):
            with open(path, "rb") as file, archive.decompressed(file) as plain:
                digest = self.blob(plain)
            path = self.blobs[digest]
        media = LAYER_GZIP if packed == "gzip" else LAYER_TAR
        return Layer(diff_id, digest, media, size, os.path.getsize(path), folder)

    def finish(self, config: dict[str, Any], chain: list[Layer], name: str = "") -> str:
        """Make it an image, called name if one is given; returns its id.

        `config` is the image's config document; its rootfs is filled in from the layers.
        """
        config["rootfs"] = {"type": "layers", "diff_ids": [layer.diff_id for layer in chain]}
        ident, config_size = self.document(config)
        manifest, _ = self.document({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": ident, "size": config_size},
            "layers": [{"mediaType": layer.media, "digest": layer.blob, "size": layer.blob_size}
                       for layer in chain],
        })
        wanted = {ident, manifest, *(layer.blob for layer in chain)}
        with self.store.lock():
            index = self.store.index()
            self._place(wanted, chain)
            for layer in chain:
                index["layers"][layer.diff_id] = {"size": layer.size}
            index["images"][ident] = {"manifest": manifest,
                                      "layers": [layer.diff_id for layer in chain],
                                      "blobs": [layer.blob for layer in chain]}
            if name:
                index["names"][name] = ident
            self.store.write_index(index)
        return ident

    def _place(self, wanted: set[str], chain: list[Layer]) -> None:
        """Rename blobs and layers to their names; what is there already has the same content."""
        os.makedirs(self.store.path("blobs", "sha256"), exist_ok=True)
        # Layers hold set-user-id programs: nobody but the owner of the store may reach them.
        os.makedirs(self.store.path("layers"), mode=0o700, exist_ok=True)
        for digest in wanted:
            os.rename(self.blobs[digest], self.store.blob_path(digest))
        for layer in chain:
            target = self.store.layer_path(layer.diff_id)
            if not os.path.isdir(target):
                os.rename(layer.folder, target)


def sweep(drafts: str) -> int:
    """Remove the drafts that no living process holds; the store's lock is held. Returns bytes."""
    freed = 0
    for name in os.listdir(drafts):
        path = os.path.join(drafts, name)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # its writer just finished
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            freed += take_away(path)
        finally:
            os.close(fd)
    return freed


def collect(store: Store, index: dict[str, Any]) -> int:
    """Remove every blob, layer and draft that the index does not need; the lock is held."""
    kept_layers = {diff_id for image in index["images"].values() for diff_id in image["layers"]}
    unused = set(index["layers"]) - kept_layers
    if unused:
        for diff_id in unused:
            del index["layers"][diff_id]
        store.write_index(index)
    kept = set(index["images"]) | {image["manifest"] for image in index["images"].values()}
    kept |= {digest for image in index["images"].values() for digest in image["blobs"]}
    freed = 0
    for folder, wanted in ((store.path("blobs", "sha256"), kept),
                           (store.path("layers"), kept_layers)):
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            if f"sha256:{name}" not in wanted:
                freed += take_away(os.path.join(folder, name))
    if os.path.isdir(store.path("drafts")):
        freed += sweep(store.path("drafts"))
    # A writer killed just before the index was replaced; nobody else writes it, we hold the lock.
    for name in os.listdir(store.directory):
        if name.startswith("references.json."):
            freed += take_away(store.path(name))
    return freed


def drop_archives(store: Store, index: dict[str, Any], gone: dict[str, Any]) -> None:
    """Remove the archives that only an image being removed has: its layers run without them."""
    kept = {digest for image in index["images"].values() for digest in image["blobs"]}
    for digest in set(gone["blobs"]) - kept:
        take_away(store.blob_path(digest))


def take_away(path: str) -> int:
    """Remove a file or a whole folder; returns the bytes its files held."""
    if not os.path.isdir(path):
        size = os.lstat(path).st_size
        os.unlink(path)
        return size
    size = sum(os.lstat(os.path.join(folder, name)).st_size
               for folder, _, files in os.walk(path) for name in files)
    remove_tree(path)
    return size


def remove_tree(path: str) -> None:
    """Remove a folder whole; one that belongs to a user's subordinate ids as root of those."""
    try:
        shutil.rmtree(path)
    except PermissionError:
        if os.geteuid() == 0:
            raise
        unshared.call("shutil:rmtree", path)
