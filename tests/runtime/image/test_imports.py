from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
from pathlib import Path

import pytest

from runtime import documents
from runtime.errors import Invalid
from runtime.image.imports import import_tar
from runtime.image.store import Store


def test_as_the_transcripts_import_it(store: Store, tar) -> None:
    ident = import_tar(store, tar(("kept", b"kept\n")), "lab/flat:2", ['CMD ["cat","/kept"]'],
                       "from export")
    image = store.resolve("lab/flat:2")
    assert (image.id, image.config["Config"]) == (ident, {"Cmd": ["cat", "/kept"]})
    assert image.config["Comment"] == "from export"
    plain = store.resolve(import_tar(store, tar(("kept", b"kept\n"))))
    assert (plain.names, plain.config["Comment"]) == ([], "Imported from -")


def test_the_id_is_the_digest_of_the_config(store: Store, tar) -> None:
    image = store.resolve(import_tar(store, tar(("a", b"x"))))
    data = Path(store.blob_path(image.id)).read_bytes()
    assert "sha256:" + documents.digest(data) == image.id
    manifest = documents.read(store.blob_path(image.manifest))
    assert manifest["config"]["digest"] == image.id
    assert manifest["layers"][0]["size"] == os.path.getsize(
        store.blob_path(manifest["layers"][0]["digest"]))


@pytest.mark.parametrize(("pack", "media"), [
    (gzip.compress, "application/vnd.oci.image.layer.v1.tar+gzip"),
    (bz2.compress, "application/vnd.oci.image.layer.v1.tar"),
    (lzma.compress, "application/vnd.oci.image.layer.v1.tar"),
])
def test_packed_archives(store: Store, tar, pack, media: str) -> None:
    plain = tar(("a", b"x")).getvalue()
    image = store.resolve(import_tar(store, io.BytesIO(pack(plain)), "lab/packed"))
    assert image.config["RootFS"]["DiffIDs"] == ["sha256:" + documents.digest(plain)]
    assert Path(image.layers[0], "a").read_text() == "x"
    assert documents.read(store.blob_path(image.manifest))["layers"][0]["mediaType"] == media


def test_from_a_pipe(store: Store, tar) -> None:
    reader, writer = os.pipe()
    os.write(writer, tar(("a", b"x")).getvalue())
    os.close(writer)
    with open(reader, "rb") as pipe:
        assert store.resolve(import_tar(store, pipe, "lab/pipe")).size_bytes == 1


class Unread(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise AssertionError("read, though the rest of the request was wrong")


@pytest.mark.parametrize(("reference", "changes", "message"), [
    ("UPPER", [], "invalid reference format: repository name (library/UPPER) must be lowercase"),
    ("bad name", [], "invalid reference format"),
    ("x@sha256:" + "0" * 64, [], "cannot import digest reference"),
    (None, ["BOGUS x"], "BOGUS is not a valid change command"),
])
def test_what_is_wrong_is_said_before_reading(store: Store, reference, changes,
                                              message: str) -> None:
    with pytest.raises(Invalid) as caught:
        import_tar(store, Unread(), reference, changes)  # type: ignore[arg-type]
    assert str(caught.value) == message
    assert not os.path.exists(store.directory)


def test_junk_makes_no_image(store: Store) -> None:
    with pytest.raises(Invalid, match="^unexpected EOF$"):
        import_tar(store, io.BytesIO(b"not a tar"), "lab/junk")
    assert store.images() == [] and os.listdir(store.path("drafts")) == []
