"""A store in a folder of its own, and archives made entry by entry, honest ones and others."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.image.store import Store

Tar = Callable[..., io.BytesIO]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "images"))


@pytest.fixture
def tar() -> Tar:
    """tar(("etc/passwd", b"root"), ("etc/link", "SYMTYPE", "passwd")): an archive."""

    def make(*entries: tuple, **options: dict[str, str]) -> io.BytesIO:
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name, *rest in entries:
                entry = tarfile.TarInfo(name)
                entry.mode = 0o755
                entry.pax_headers = options.get(name, {})
                content = b""
                if rest and isinstance(rest[0], bytes):
                    content = rest[0]
                    entry.mode = rest[1] if len(rest) > 1 else 0o644
                elif rest:
                    entry.type = getattr(tarfile, rest[0])
                    entry.linkname = rest[1] if len(rest) > 1 else ""
                else:
                    entry.type = tarfile.DIRTYPE
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        file.seek(0)
        return file

    return make
