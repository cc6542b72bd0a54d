"""A layer: a tar archive in, a folder that overlayfs can use as a lower layer out.

The twin of containerd's archive.Apply and of the overlay snapshotter's whiteouts. Runs in the
engine's process, never on the start path, and believes nothing the archive says: every name is
walked from the layer's own folder, links on the way lead where they would inside a chroot, and what
cannot stay inside is refused with its name. Where tar and overlayfs differ:

    .wh.tea           →  tea, a character device 0:0     "the lower tea is gone"
    .wh..wh..opq      →  trusted.overlay.opaque=y on its folder    "nothing of the lower folder"

Without root overlayfs reads user.overlay.* instead, and a layer is unpacked as root of a user
namespace (`unpack`): with subordinate ids, owners are what the user's containers make of them;
without, all files are his own, who is root in there. Devices only root can make; those of /dev are
left out, for there a container has its own.
Sources: image-spec layer.md (whiteouts), Documentation/filesystems/overlayfs.rst, tar(5).
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tarfile
import zlib
from typing import Any, BinaryIO, cast

from runtime.errors import Invalid, KernelError, LabError
from runtime.image.archive import (
    BAD_HEADER,
    CUT_SHORT,
    Entry,
    Hashing,
    attributes,
    decompressed,
    modified_ns,
    split,
)
from runtime.image.store import FULL
from runtime.kernel import subids, unshared

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"


def unpack(path: str, folder: str) -> tuple[str, int]:
    """Unpack the archive at a path into an empty folder, with its owners as far as we may."""
    if os.geteuid() == 0:
        return extract_file(path, folder)
    diff_id, size = unshared.call("runtime.image.layers:extract_file", path, folder)
    return str(diff_id), int(size)


def extract_file(path: str, folder: str) -> tuple[str, int]:
    """`extract` of a file by its path."""
    with open(path, "rb") as file:
        return extract(file, folder)


def extract(file: BinaryIO, folder: str) -> tuple[str, int]:
    """Unpack a layer into an empty folder; returns its diff id and the bytes its files hold.

    Raises Invalid (a bad archive, or an entry that would leave the folder), Unsupported, or
    KernelError (no space). The folder's content is then worthless, and the caller removes it.
    """
    plain = Hashing(decompressed(file))
    unpacking = Unpacking(folder)
    try:
        with tarfile.open(fileobj=cast(Any, plain), mode="r|", bufsize=1 << 18,
                          tarinfo=Entry) as tar:
            for entry in tar:
                unpacking.add(entry, cast("BinaryIO | None", tar.extractfile(entry))
                              if entry.isreg() else None)
                tar.members.clear()  # type: ignore[attr-defined]
        while plain.read(1 << 18):
            pass
    except LabError:
        raise
    except (EOFError, tarfile.ReadError):
        raise Invalid(CUT_SHORT) from None
    except (tarfile.TarError, ValueError, RecursionError, zlib.error) as error:
        raise Invalid(BAD_HEADER, str(error)) from None
    except OSError as error:
        # gzip and bz2 say OSError without a number for packed data that is damaged.
        if error.errno is None:
            raise Invalid("unpack layer: damaged compressed data", str(error)) from None
        raise
    unpacking.finish()
    return f"sha256:{plain.checksum.hexdigest()}", unpacking.size


class Unpacking:
    """One folder being filled; remembers what must come last, the times of folders."""

    def __init__(self, root: str) -> None:
        self.root = root
        whole = os.geteuid() == 0 and subids.is_whole()
        self.owners = os.geteuid() == 0 and (whole or subids.has_others())
        self.devices = whole
        # trusted.* is for root of the host; root of a user namespace has user.*, as its overlay.
        self.space = "trusted" if whole else "user"
        self.size = 0
        self.times: dict[str, int] = {}

    def add(self, entry: tarfile.TarInfo, content: BinaryIO | None) -> None:
        """Make one member. Raises Invalid with its name when it is not to be trusted."""
        try:
            self._add(entry, content)
        except (ValueError, OverflowError) as error:
            raise Invalid(f"unpack layer: {entry.name}: {error}") from None
        except tarfile.ReadError:
            raise Invalid(CUT_SHORT) from None
        except OSError as error:
            if isinstance(error, LabError) or error.errno is None:
                raise
            raise KernelError("unpack layer:", error.errno, entry.name, _hint(error)) from None

    def _add(self, entry: tarfile.TarInfo, content: BinaryIO | None) -> None:
        parts = split(entry.name)
        if not parts:
            if not entry.isdir():
                raise ValueError("the root of an image is a folder")
            self._finish_entry(entry, self.root)
            return
        folder = self.folder(parts[:-1], entry.name)
        if parts[-1].startswith(WHITEOUT):
            self._white_out(folder, parts[-1])
            return
        if entry.isdev() and not entry.isfifo() and parts[0] == "dev" and not self.devices:
            return
        path = os.path.join(folder, parts[-1])
        hidden = self._make_room(path, entry.isdir())
        self._make(entry, path, content)
        self._finish_entry(entry, path)
        if hidden and entry.isdir():
            self._make_opaque(path)

    def folder(self, parts: list[str], name: str) -> str:
        """The real folder of those parts, made if missing; links are followed inside the root.

        A link to /etc or ../../etc leads to the image's /etc, as after chroot: nothing that was
        unpacked before can redirect what comes after to the host.
        """
        waiting, done, hops = parts[::-1], list[str](), 0
        while waiting:
            part = waiting.pop()
            if part == "..":
                del done[-1:]
                continue
            path = os.path.join(self.root, *done, part)
            kind = _kind(path)
            if kind == stat.S_IFLNK:
                target = os.readlink(path)
                hops += 1
                if hops > 40:
                    raise ValueError("too many symbolic links on the way")
                done = [] if target.startswith("/") else done
                waiting += [p for p in reversed(target.split("/")) if p not in ("", ".")]
                continue
            if kind == 0:
                os.mkdir(path)
                os.chmod(path, 0o755)
            elif kind != stat.S_IFDIR:
                raise ValueError(f"{'/'.join([*done, part])} is not a folder")
            done.append(part)
        return os.path.join(self.root, *done)

    def _white_out(self, folder: str, name: str) -> None:
        if name == OPAQUE:
            self._make_opaque(folder)
            return
        if name.startswith(WHITEOUT + WHITEOUT):
            return  # aufs's own notes, which mean nothing elsewhere
        hidden = name.removeprefix(WHITEOUT)
        if hidden in ("", ".", ".."):
            raise ValueError("a whiteout of no file")
        path = os.path.join(folder, hidden)
        kind = _kind(path)
        if kind == 0:
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(0, 0))
        elif kind == stat.S_IFDIR:
            # A whiteout hides lower layers only, never what its own layer brings.
            self._make_opaque(path)

    def _make_opaque(self, folder: str) -> None:
        os.setxattr(folder, f"{self.space}.overlay.opaque", b"y")

    def _make_room(self, path: str, for_folder: bool) -> bool:
        """Take away what an earlier member left there; True if that was a whiteout."""
        kind = _kind(path)
        if kind == 0 or (kind == stat.S_IFDIR and for_folder):
            return False
        if kind == stat.S_IFDIR:
            shutil.rmtree(path)
            # Their paths may soon lead through a link to the host; finish() must not follow it.
            self.times = {known: time_ns for known, time_ns in self.times.items()
                          if not (known + "/").startswith(path + "/")}
            return False
        hidden = kind == stat.S_IFCHR and os.lstat(path).st_rdev == 0
        os.unlink(path)
        return hidden

    def _make(self, entry: tarfile.TarInfo, path: str, content: BinaryIO | None) -> None:
        if entry.isdir():
            if not os.path.isdir(path):
                os.mkdir(path, 0o700)
        elif entry.issym():
            os.symlink(entry.linkname, path)
        elif entry.islnk():
            os.link(self._link_target(entry), path, follow_symlinks=False)
        elif entry.isfifo():
            os.mkfifo(path, 0o600)
        elif entry.ischr() or entry.isblk():
            kind = stat.S_IFCHR if entry.ischr() else stat.S_IFBLK
            os.mknod(path, kind | 0o600, os.makedev(entry.devmajor, entry.devminor))
        elif content is not None:
            self.size += _write(path, content, entry.size)
        else:
            raise ValueError(f"unknown kind of entry {entry.type!r}")

    def _link_target(self, entry: tarfile.TarInfo) -> str:
        parts = split(entry.linkname)
        if not parts:
            raise ValueError("a hard link to the root")
        target = os.path.join(self.folder(parts[:-1], entry.name), parts[-1])
        if _kind(target) in (0, stat.S_IFDIR):
            raise ValueError(f"a hard link to {entry.linkname}, which is not a file before it")
        return target

    def _finish_entry(self, entry: tarfile.TarInfo, path: str) -> None:
        """Owner, then mode (chown clears set-user-id), attributes, and times last."""
        if entry.islnk():
            return
        if self.owners:
            os.lchown(path, entry.uid, entry.gid)
        if not entry.issym():
            os.chmod(path, entry.mode & 0o7777)
        for name, value in attributes(entry):
            os.setxattr(path, name, value, follow_symlinks=False)
        if entry.isdir():
            self.times[path] = modified_ns(entry)
        else:
            os.utime(path, ns=(modified_ns(entry),) * 2, follow_symlinks=False)

    def finish(self) -> None:
        """Set the folders' times, now that nothing more is put into them."""
        for path, time_ns in self.times.items():
            os.utime(path, ns=(time_ns, time_ns), follow_symlinks=False)


def _kind(path: str) -> int:
    """The file type bits of path itself (S_IFDIR, S_IFLNK …), 0 if there is nothing."""
    try:
        return stat.S_IFMT(os.lstat(path).st_mode)
    except FileNotFoundError:
        return 0


def _write(path: str, content: BinaryIO, size: int) -> int:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        shutil.copyfileobj(content, file, 1 << 18)
        if file.tell() != size:
            raise Invalid(CUT_SHORT)
    return size


def _hint(error: OSError) -> str:
    if error.errno == errno.EPERM:
        return "device nodes and owners need root"
    if error.errno == errno.EINVAL and os.geteuid() == 0 and not subids.is_whole():
        return "its owner has no number among your subordinate ids"
    if error.errno in FULL:
        return "free some space, or choose another place with --root DIR; nothing was left behind"
    return ""
