"""Reading a layer's tar archive as what it says, and never as more than that.

Runs in the engine's process, off the start path; may not write anything. Adds to tarfile what an
image needs: packing told by its first bytes, broken archives as errors, the hash of the plain
stream (the diff id), names as parts below the image's root, the attributes worth keeping, and times
to the nanosecond. Sentences as Go's archive/tar has them, which is what Docker's users see.
Sources: tar(5), pax(1), image-spec layer.md, Go's archive/tar.
"""

from __future__ import annotations

import hashlib
import tarfile
from typing import TYPE_CHECKING, BinaryIO, cast

from runtime.errors import Invalid, Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"(\xb5/\xfd": "zstd"}
BAD_HEADER = "archive/tar: invalid tar header"
CUT_SHORT = "unexpected EOF"


class Entry(tarfile.TarInfo):
    """A member; a broken one is an error anywhere, where tarfile takes it for the archive's end."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> Entry:
        try:
            return super().fromtarfile(tar)
        except tarfile.EmptyHeaderError:  # type: ignore[attr-defined]
            # Many programs leave the two closing blocks of zeros out; GNU tar and Go accept it.
            raise tarfile.EOFHeaderError("end of file") from None  # type: ignore[attr-defined]
        except tarfile.TruncatedHeaderError:  # type: ignore[attr-defined]
            raise Invalid(CUT_SHORT) from None
        except tarfile.InvalidHeaderError:  # type: ignore[attr-defined]
            raise Invalid(BAD_HEADER) from None


class Hashing:
    """Passes reads on and keeps the sha256 of all that was read: the diff id."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.checksum = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.checksum.update(data)
        return data


def compression(file: BinaryIO) -> str:
    """How the file is packed: "", "gzip", "bzip2", "xz" or "zstd"; the position stays."""
    start = file.tell()
    head = file.read(8)
    file.seek(start)
    return next((name for magic, name in MAGIC.items() if head.startswith(magic)), "")


def decompressed(file: BinaryIO) -> BinaryIO:
    """The file's content without its packing. Raises Unsupported for zstd."""
    packed = compression(file)
    if packed == "gzip":
        import gzip

        return cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if packed == "bzip2":
        import bz2

        return cast(BinaryIO, bz2.BZ2File(file))
    if packed == "xz":
        import lzma

        return cast(BinaryIO, lzma.LZMAFile(file))
    if packed == "zstd":
        raise Unsupported("unpack layer: it is compressed with zstd", "pack it with gzip")
    return file


def split(name: str) -> list[str]:
    """The parts of a member's name below the root: "./etc//passwd" → ["etc", "passwd"]."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError("the name leads out of the image (..)")
    return parts


def attributes(entry: tarfile.TarInfo) -> Iterator[tuple[str, bytes]]:
    """The extended attributes to keep: file capabilities and user.*; labels are the host's own.

    trusted.* is refused: trusted.overlay.redirect in a layer would show files from elsewhere.
    """
    for key, text in entry.pax_headers.items():
        if not key.startswith("SCHILY.xattr."):
            continue
        name = key.removeprefix("SCHILY.xattr.")
        value = text.encode("utf-8", "surrogateescape")
        if name == "security.capability" or (name.startswith("user.")
                                             and not name.startswith("user.overlay.")):
            yield name, value
        elif name.startswith(("trusted.", "user.overlay.")):
            raise ValueError(f"a layer may not set {name}")


def modified_ns(entry: tarfile.TarInfo) -> int:
    """When it was changed, in whole nanoseconds; the float of tarfile has only about 200."""
    seconds, _, fraction = entry.pax_headers.get("mtime", "").partition(".")
    if seconds.isdigit() and fraction[:9].isdigit():
        return int(seconds) * 10**9 + int(fraction[:9].ljust(9, "0"))
    return int(entry.mtime) * 10**9
