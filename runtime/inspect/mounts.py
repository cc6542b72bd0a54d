"""The mount table of a process, from /proc/PID/mountinfo, and what each row is there for.

The twin of findmnt, in the caller's process; reads only. One line of mountinfo:
  36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
  id │  │    root  target options  tags        fstype source  super options
     parent device              (none or more)
Mount points repeat (a second mount on /dev/pts hides the first), so `id` is the key, never the
target. Spaces, tabs, newlines and backslashes are octal: `\\040`.
Sources: proc_pid_mountinfo(5), mount_namespaces(7), Documentation/filesystems/overlayfs.rst.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from runtime.inspect.source import Source, text


@dataclass(frozen=True, slots=True)
class Mount:
    """One row. `root` is the part of the file system that is shown: a bind mount's origin."""

    id: int
    parent: int
    major_minor: str
    root: str
    target: str
    options: tuple[str, ...]
    tags: tuple[str, ...]
    fstype: str
    source: str
    super_options: tuple[str, ...]

    @property
    def propagation(self) -> str:
        """`private`, `shared`, `slave`, `shared,slave` or `unbindable`, as findmnt says it."""
        words = [word for tag, word in _PROPAGATION if any(t.startswith(tag) for t in self.tags)]
        return ",".join(words) or "private"

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written through this mount, by itself or by its file system."""
        return "ro" in self.options or "ro" in self.super_options

    @property
    def is_bind(self) -> bool:
        """Whether it shows a part of a file system only, as `mount --bind` of a directory does."""
        return self.root != "/" and self.fstype not in ("cgroup", "cgroup2", "nsfs")

    def option(self, name: str) -> str | None:
        """The value of a mount or file system option: `option("lowerdir")`; "" when it has none."""
        for entry in (*self.options, *self.super_options):
            word, _, value = entry.partition("=")
            if word == name:
                return value
        return None


_PROPAGATION = (("shared:", "shared"), ("master:", "slave"), ("unbindable", "unbindable"))
_OCTAL = re.compile(r"\\([0-7]{3})")


def unescape(field: str) -> str:
    r"""`/a b` of `/a\040b`."""
    # The escapes are of bytes; only ASCII ones occur: space, tab, newline, backslash, # , = :
    return _OCTAL.sub(lambda hit: chr(int(hit[1], 8)), field) if "\\" in field else field


def parse(mountinfo: str) -> list[Mount]:
    """The rows of a mountinfo text, in the kernel's order; a line cut short is left out."""
    rows = (parse_line(line) for line in mountinfo.splitlines())
    return [row for row in rows if row is not None]


def parse_line(line: str) -> Mount | None:
    """One row; None for a line that is no whole one."""
    words = line.split(" ")
    try:
        dash = words.index("-", 6)
        fstype, source, super_options = words[dash + 1:dash + 4]
    except ValueError:
        return None
    return Mount(
        id=int(words[0]), parent=int(words[1]), major_minor=words[2], root=unescape(words[3]),
        target=unescape(words[4]), options=tuple(words[5].split(",")), tags=tuple(words[6:dash]),
        fstype=fstype, source=unescape(source), super_options=split_options(super_options),
    )


def split_options(options: str) -> tuple[str, ...]:
    r"""The options between commas; overlay writes a comma inside a path as `\054`."""
    return tuple(unescape(option) for option in options.split(","))


def mounts(source: Source, pid: int | str) -> list[Mount]:
    """The mount table of a process; empty when it is gone."""
    return parse(text(source, f"/proc/{pid}/mountinfo") or "")


def mount_at(table: list[Mount], target: str) -> Mount | None:
    """The mount one sees at exactly this path: the last on it."""
    return next((row for row in reversed(table) if row.target == target), None)


def overlay_layers(mount: Mount) -> tuple[tuple[str, ...], str, str] | None:
    """(lower directories, topmost first; upper; work) of an overlay mount; None of another."""
    if mount.fstype != "overlay":
        return None
    lowers: list[str] = []
    for entry in mount.super_options:
        word, _, value = entry.partition("=")
        if word == "lowerdir":
            lowers += _split_lowers(value)
        elif word in ("lowerdir+", "datadir+"):
            lowers.append(value)
    return tuple(lowers), mount.option("upperdir") or "", mount.option("workdir") or ""


def _split_lowers(value: str) -> list[str]:
    r"""`/a:/b` is two; a backslash takes the next letter as it is. `::` starts data-only layers."""
    parts = re.findall(r"(?:\\.|[^:\\])+", value)
    return [re.sub(r"\\(.)", r"\1", part) for part in parts]


def purpose(mount: Mount) -> str:
    """What this row of a container is for, in one sentence in the present tense."""
    if mount.target in _NAMES:
        return _NAMES[mount.target]
    for fits, sentence in _PURPOSES:
        if fits(mount):
            name = mount.target.rpartition("/")[2]
            return sentence.format(root=mount.root, target=mount.target, name=name)
    return _by_kind(mount)


# The files of the container's own directory that the engine binds over those of the image.
_NAMES = {
    "/etc/resolv.conf": "tells the container which name servers to ask",
    "/etc/hosts": "gives the container its own names for addresses",
    "/etc/hostname": "gives the container its own host name in a file",
    "/dev/console": "is the terminal that the container's pid 1 was given",
}
_MASK_SOURCES = ("/null", "/dev/null")


def is_mask(mount: Mount) -> bool:
    """A mount that hides kernel files: null bound over a file, an empty tmpfs over a directory."""
    below = mount.target.startswith(("/proc/", "/sys/"))
    null = mount.fstype in ("devtmpfs", "tmpfs") and mount.root in _MASK_SOURCES
    return below and (null or mount.fstype == "tmpfs" and mount.target != "/sys/fs/cgroup")


def is_locked(mount: Mount) -> bool:
    """A mount that leaves kernel files readable and takes writing away: /proc/sys on itself."""
    return (mount.target.startswith("/proc/") and mount.fstype == "proc" and mount.read_only
            and not is_mask(mount))


_PURPOSES: tuple[tuple[Callable[[Mount], bool], str], ...] = (
    (lambda m: m.target == "/" and m.fstype == "overlay",
     "is the root: the image's layers below, the container's own writes on top"),
    (lambda m: m.target == "/", "is the root of this mount namespace"),
    (is_mask, "hides {target}: what is there tells of the host, or reaches it"),
    (lambda m: m.fstype == "proc" and m.target == "/proc",
     "shows the processes of this PID namespace"),
    (lambda m: m.fstype == "proc" and m.read_only,
     "keeps {target} readable and lets nothing be written to it"),
    (lambda m: m.fstype == "proc", "leaves {target} writable"),
    (lambda m: m.fstype == "sysfs" and m.read_only,
     "shows the kernel's devices and settings, and lets nothing be changed"),
    (lambda m: m.fstype == "sysfs", "shows the kernel's devices and settings, writable"),
    (lambda m: m.target == "/sys/fs/cgroup" and m.fstype == "tmpfs",
     "holds one directory for each cgroup v1 controller"),
    (lambda m: m.fstype == "cgroup2", "shows the cgroup v2 tree from the container's group down"),
    (lambda m: m.fstype == "cgroup" and m.root != "/",
     "shows the container's own group of the v1 controller {name}"),
    (lambda m: m.fstype == "cgroup", "shows the groups of the v1 controller {name}"),
    (lambda m: m.target == "/dev" and m.fstype in ("tmpfs", "devtmpfs"),
     "holds the few devices that a container may see"),
    (lambda m: m.fstype == "devpts", "gives the container terminals of its own"),
    (lambda m: m.target == "/dev/shm", "is the memory that processes share by name (shm_open)"),
    (lambda m: m.fstype == "mqueue", "shows the message queues of this IPC namespace"),
    (lambda m: m.fstype == "nsfs", "keeps the namespace {root} alive without a process"),
    (lambda m: m.target.startswith("/dev/") and m.fstype in ("devtmpfs", "tmpfs"),
     "is the host's device {target}, bound into the container"),
)


def _by_kind(mount: Mount) -> str:
    if mount.fstype == "tmpfs" and not mount.is_bind:
        return "is memory that looks like a directory; it goes with the mount"
    if mount.is_bind and mount.read_only:
        return f"shows {mount.root} of {mount.source} here, and lets nothing be written"
    if mount.is_bind:
        return f"shows {mount.root} of {mount.source} here: the same files, not a copy"
    if mount.fstype == "overlay":
        return "merges layers: lower directories below, one upper directory for the writes"
    return f"is a file system of kind {mount.fstype} from {mount.source}"
