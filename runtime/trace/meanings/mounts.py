"""The meanings of mount, pivot_root and their kind. Sources: mount(2), pivot_root(2),
mount_namespaces(7), runtime-spec config.md "Mounts", Documentation/filesystems/overlayfs.rst.

Text only; see meaning.py for the shape. Here as in kernel/mounts.py and kernel/trees.py.
"""

from __future__ import annotations

from runtime.trace.meanings.meaning import Arguments, Meaning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.trace.meanings.meaning import Cases


def _flag(a: Arguments, word: str) -> bool:
    return word in str(a["flags"]).split("|")


# What is mounted, by its kind: mount(2) attaches it at once, fsmount(2) keeps it in the hand first.
KINDS = (
    Meaning(
        "The container's root: the image's layers, read only, stacked under one empty writable "
        "directory, and shown as a single tree.",
        "First of the mounts, because every other one is made on a place inside it.",
        "Why not copy the image?  Every container would cost its whole size; here it costs "
        "what it writes.",
        when=lambda a: a["kind"] == "overlay"),
    Meaning(
        "A procfs: /proc shows the processes of the PID namespace it is made in.",
        "Only now: the namespace exists, and whoever mounts decides whose processes are shown.",
        "Why not bind the host's?  It would list every process of the host.",
        when=lambda a: a["kind"] == "proc"),
    Meaning(
        "A sysfs, read only: the kernel's view of devices and of this network namespace.",
        "Programs look things up there; writing would change the host's hardware settings.",
        when=lambda a: a["kind"] == "sysfs"),
    Meaning(
        "A set of pseudo terminals of the container's own.",
        "After /dev, on which it lies; before the terminal of `-t`, which is opened in it.",
        "Why not the host's?  Whoever opens another's /dev/pts/N types into his shell.",
        when=lambda a: a["kind"] == "devpts"),
    Meaning(
        "The message queues of this IPC namespace.",
        "A view of the namespace that clone3 made, as procfs is one of the PID namespace.",
        when=lambda a: a["kind"] == "mqueue"),
    Meaning(
        "The control groups, as this cgroup namespace sees them.",
        "Programs read their limits there; read only, so that they cannot raise them.",
        when=lambda a: a["kind"] in ("cgroup", "cgroup2")),
    Meaning(
        "Covers a directory with an empty read-only tmpfs, so that what is in it cannot be seen.",
        "These files are the host's whatever the namespaces say. After pivot_root, when the "
        "path means the container's own.",
        "Why not forbid it?  Root inside may read every file it finds; what is covered it "
        "does not find.",
        when=lambda a: a["kind"] == "tmpfs" and _flag(a, "MS_RDONLY")),
    Meaning(
        "An empty file system that lives in memory and is gone with the container.",
        "For what has to be writable and belongs to no layer: /dev, shared memory, --tmpfs.",
        when=lambda a: a["kind"] == "tmpfs"),
)

# What is shown at a second place: by a bind, or by a copy of the mount in the hand.
BINDS = (
    Meaning(
        "Hides a file behind the null device: it can still be opened, and is empty.",
        "These files are the host's whatever the namespaces say: keys, timers, interrupts.",
        "Why not remove it?  A file of /proc cannot be removed, only covered.",
        when=lambda a: a["source"] == "/dev/null"),
    Meaning(
        "Shows the container its own control group, and only that, under /sys/fs/cgroup.",
        "On cgroup v1 there is one tree a controller, so one such mount each.",
        "Why not the whole tree?  It would show every group of the host.",
        when=lambda a: str(a["source"]).startswith("/sys/fs/cgroup")),
)

CASES: Cases = {
    "mount": (
        *KINDS,
        *BINDS,
        Meaning(
            "Moves a mount to another place in the tree.",
            "Where pivot_root cannot be used, the container's root is moved over the old one.",
            when=lambda a: _flag(a, "MS_MOVE")),
        Meaning(
            "Changes how a mount behaves that is there already.",
            "A bind takes its flags only in a second step: the first one ignores them.",
            when=lambda a: _flag(a, "MS_REMOUNT")),
        Meaning(
            "Shows a file or directory of the host at a second place: a bind mount.",
            "This is all that a volume is. Before pivot_root, while the host's path can be named.",
            "Why not a copy?  Both sides should see what either of them writes.",
            when=lambda a: _flag(a, "MS_BIND")),
        Meaning(
            "Cuts the tie between these mounts and the host's: what is mounted from here on "
            "stays in this namespace.",
            "First of all mounts. A new namespace begins as a copy, and systemd makes the host's "
            "mounts shared: without this the host would get every one of ours.",
            when=lambda a: not a["kind"]),
        Meaning(
            "Attaches a file system at a path of the tree.",
            "In the container's own mount namespace, so that the host's table does not change.",
        ),
    ),
    "mount_setattr": (
        Meaning(
            "Changes the flags of a mount and of all below it in one step: read only, no devices, "
            "no set-user-id programs.",
            "After the mount is complete: what is read only takes no more mount points.",
            "Why not MS_REMOUNT?  It sets all flags anew, and one mount at a time."),
    ),
    "umount2": (
        Meaning(
            "Lets go of the old root: with MNT_DETACH it leaves the tree at once, and ends when "
            "its last user does.",
            "Right after pivot_root, which stacked the host's root on this place. From here on no "
            "path leads back to the host.",
            "Why not a plain umount?  The old root is busy: processes of the host live in it.",
            when=lambda a: a["target"] in (".", "/")),
        Meaning(
            "Takes the topmost mount off a place.",
            "What was only needed on the way must not be left for the container to find."),
    ),
    "pivot_root": (
        Meaning(
            "Makes the overlay the root of this mount namespace. The host's root is not gone: it "
            "is stacked on the same place, and the next call lets go of it.",
            "After every mount that needs a path of the host; before all that means the "
            "container's own paths.",
            "Why not chroot?  A process with CAP_SYS_CHROOT can walk out of a chroot."),
    ),
    "open_tree": (
        *BINDS,
        Meaning(
            "Takes a copy of a part of /proc in the hand, to cover the part itself with it, read "
            "only.",
            "These settings are the host's, or change how the namespace behaves. After the "
            "sysctls that config.json asks for are written.",
            "Why not read only at once?  /proc is one mount; this is the part that may not be "
            "written.",
            when=lambda a: str(a["source"]).startswith("/proc/")),
        Meaning(
            "Takes a copy of a mount in the hand: it is attached nowhere, and has no path yet.",
            "So that its flags can be set, and its place be looked at, before anyone can use it.",
            "Why not bind at once?  A path can be exchanged between look and mount; a descriptor "
            "cannot."),
    ),
    "move_mount": (
        Meaning(
            "Puts a mount that is held by a descriptor at its place in the tree.",
            "The place is a descriptor as well: opened inside the root, where no link leads out.",
            "Why not by path?  An image could have a link there that leads to the host "
            "(CVE-2021-30465)."),
    ),
    "fsmount": (
        *KINDS,
        Meaning(
            "Makes a file system and keeps it in the hand, attached nowhere.",
            "The place for it is opened first, and it is moved there in one step of its own."),
    ),
}
