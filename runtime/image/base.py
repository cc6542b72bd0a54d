"""lab/base: the image that every lesson starts from, made of the host's own files, without network.

    /bin/busybox, and a link for each of its applets    or, where no busybox is, the host's own sh,
    /lib …                                              cat, ls, ps … with the libraries they need
    /bin/hog burn forkbomb chatter                      programs.py
    /etc/passwd /etc/group                              root, daemon, student (1000), nobody
    /dev /home/student /proc /root /sys /tmp /usr /var

Runs in the engine's process the first time someone asks for lab/base, never on the start path after
that. The same host files give the same archive, byte for byte: names are sorted, and all times are
0 (1970). It is in every way an ordinary image: it can be removed, tagged, and replaced by another.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile
import tempfile
import time
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from runtime.image import binaries, programs
from runtime.image.content import Draft
from runtime.image.store import BASE, Lock, write_error

if TYPE_CHECKING:
    from runtime.image.store import Store

FOLDERS = ("bin", "dev", "etc", "home", "proc", "root", "sys", "tmp", "usr", "var", "home/student")
MODES = {"tmp": 0o1777}
OWNERS = {"home/student": 1000}
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def provide(store: Store) -> str:
    """Make lab/base unless somebody else just did; returns its id."""
    try:
        os.makedirs(store.directory, exist_ok=True)
    except OSError as error:
        raise write_error("make lab/base", error) from None
    with Lock(store.path("base.lock")):
        ident = store.index()["names"].get(BASE)
        return str(ident) if ident else build(store)


def build(store: Store) -> str:
    """Write the layer, unpack it, and name it lab/base."""
    created = now()
    with Draft(store) as draft:
        with tempfile.TemporaryFile(dir=draft.folder) as file:
            write_layer(cast(BinaryIO, file), gather(os.uname().machine))
            file.seek(0)
            digest = draft.blob(cast(BinaryIO, file))
        comment = "made from the host's own files"
        return draft.finish({
            "architecture": architecture(), "os": "linux", "created": created,
            "config": {"Cmd": ["sh"]},
            "history": [{"created": created, "comment": comment}],
        }, [draft.layer(digest)], BASE)


def gather(machine: str) -> dict[str, bytes | str]:
    """All files of the image by path: bytes are content, a text is where a link points.

    Example: {"bin/busybox": b"\\x7fELF…", "bin/cat": "busybox", "etc/passwd": b"root:…"}.
    """
    own = programs.programs(machine)
    files: dict[str, bytes | str] = {}
    found = binaries.busybox()
    if found:
        box, applets = found
        files.update({f"bin/{name}": "busybox" for name in applets})
        tools = {"busybox": box}
    else:
        tools = binaries.host_tools()
    for name, program in tools.items():
        files[f"bin/{name}"] = content(program.path)
    for path, source in binaries.libraries(list(tools.values())).items():
        files[path.lstrip("/")] = content(source)
    files.update({f"bin/{name}": data for name, data in own.items()})
    files["etc/passwd"] = programs.PASSWD.encode()
    files["etc/group"] = programs.GROUP.encode()
    return files


def content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def write_layer(file: BinaryIO, files: dict[str, bytes | str]) -> None:
    """Write the tar archive: folders first, everything in the order of its name, no times."""
    parents = {os.path.dirname(path) for path in files}
    for path in list(parents):
        while path := os.path.dirname(path):
            parents.add(path)
    with tarfile.open(fileobj=cast(Any, file), mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted({*FOLDERS, *parents} - {""}):
            folder = member(name, tarfile.DIRTYPE, MODES.get(name, 0o755))
            folder.uid = folder.gid = OWNERS.get(name, 0)
            tar.addfile(folder)
        for name, data in sorted(files.items()):
            if isinstance(data, str):
                link = member(name, tarfile.SYMTYPE, 0o777)
                link.linkname = data
                tar.addfile(link)
                continue
            plain = member(name, tarfile.REGTYPE, 0o644 if name.startswith("etc/") else 0o755)
            plain.size = len(data)
            tar.addfile(plain, io.BytesIO(data))


def member(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = kind, stat.S_IMODE(mode)
    return entry


def architecture() -> str:
    """What Docker (and Go) calls this machine: "amd64"."""
    machine = os.uname().machine
    return ARCHITECTURES.get(machine, machine)


def now() -> str:
    """The time as Docker writes it: "2026-11-24T12:16:28.123456789Z"."""
    stamp = time.time_ns()
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(stamp // 10**9))
    return f"{seconds}.{stamp % 10**9:09d}Z"
