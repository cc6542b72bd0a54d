"""The live host as a Source; the contract and the recordings are beside it, and given from here.

In the caller's process (TUI, course, command line), which only ever reads. An errno becomes Gone
(no such path, or its process died between open and read), Denied, or KernelError.
  Live().readlink("/proc/self/ns/pid")       "pid:[4026531836]"
Sources: proc(5), path_resolution(7).
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

from runtime.errors import KernelError
from runtime.inspect.reading import Denied, Gone, Source, Stat, link, names, text
from runtime.inspect.recording import Recorder, Recording, record

__all__ = ["Denied", "Gone", "Live", "Recorder", "Recording", "Source", "Stat", "link", "names",
           "record", "text"]

T = TypeVar("T")

# A process that ends while we read gives ESRCH from read(2) of an open file, ENOENT else. ENOTDIR
# is a path below something that became a file; EINVAL is readlink of what is no link; EOPNOTSUPP
# is a pressure file on a kernel that was booted without PSI.
_GONE = {errno.ENOENT, errno.ESRCH, errno.ENOTDIR, errno.ENODEV, errno.ENXIO, errno.EINVAL,
         errno.EOPNOTSUPP, errno.ENAMETOOLONG, errno.ELOOP}
_DENIED = {errno.EACCES, errno.EPERM}
_NO_ATTRIBUTE = {errno.ENODATA, errno.EOPNOTSUPP}


def _translate(doing: str, path: str, error: OSError) -> Exception:
    number = error.errno or 0
    if number in _GONE:
        return Gone(f"{doing} {path}: not there")
    if number in _DENIED:
        return Denied(f"{doing} {path}: not allowed", "the owner or root may")
    return KernelError(doing, number, path)


class Live:
    """The host we run on, now."""

    def read(self, path: str) -> str:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                return _read_all(fd).decode(errors="replace")
            finally:
                os.close(fd)
        except OSError as error:
            raise _translate("read", path, error) from None

    def readlink(self, path: str) -> str:
        return self._ask("read link", path, os.readlink)

    def listdir(self, path: str) -> list[str]:
        return sorted(self._ask("list", path, os.listdir))

    def exists(self, path: str) -> bool:
        return os.path.lexists(path)

    def lstat(self, path: str) -> Stat:
        it = self._ask("stat", path, os.lstat)
        return Stat(it.st_mode, it.st_ino, (os.major(it.st_rdev), os.minor(it.st_rdev)), it.st_dev,
                    it.st_uid, it.st_gid, it.st_size, it.st_nlink, it.st_mtime)

    def stat_inode(self, path: str) -> int:
        return self._ask("stat", path, os.stat).st_ino

    def lxattr(self, path: str, name: str) -> bytes | None:
        try:
            return os.getxattr(path, name, follow_symlinks=False)
        except OSError as error:
            if error.errno in _NO_ATTRIBUTE:
                return None
            raise _translate("read attribute of", path, error) from None

    def hostname(self, pid: int) -> str:
        from runtime.inspect.hostname import hostname_of

        return self._ask("read host name of", f"/proc/{pid}/ns/uts", hostname_of)

    def links(self, path: str) -> list[dict[str, Any]]:
        from runtime.inspect.links import links_of

        return self._ask("list the links of", path, links_of)

    def ns_related(self, path: str, relation: str) -> int:
        from runtime.inspect.nsfs import related

        return self._ask(f"read {relation} of", path, lambda it: related(it, relation))

    def now(self) -> float:
        return time.time()

    def _ask(self, doing: str, path: str, call: Callable[[str], T]) -> T:
        try:
            return call(path)
        except OSError as error:
            raise _translate(doing, path, error) from None


def _read_all(fd: int) -> bytes:
    # One large read keeps a small /proc file consistent: it is made anew for each read(2).
    pieces = [os.read(fd, 1 << 16)]
    while pieces[-1]:
        pieces.append(os.read(fd, 1 << 16))
    return b"".join(pieces)
