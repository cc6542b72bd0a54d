"""The meanings of directories, nodes, links, owners, and of writing a control file.

A control file is how the kernel is told a number; which file it is says what the number does.
Text only; see meaning.py for the shape. Sources: mkdir(2), mknod(2), proc(5), cgroups(7),
user_namespaces(7), Documentation/admin-guide/cgroup-v1/.
"""

from __future__ import annotations

from runtime.trace.meanings.meaning import Arguments, Meaning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.trace.meanings.meaning import Cases


def _file(*names: str) -> Callable[[Arguments], bool]:
    """The control file has one of these names; "memory." stands for all that begin so."""
    def is_it(a: Arguments) -> bool:
        file = str(a["path"]).rpartition("/")[2]
        return any(file == name or name.endswith(".") and file.startswith(name) for name in names)

    return is_it


def _in_group(a: Arguments) -> bool:
    return str(a["path"]).startswith("/sys/fs/cgroup/")


CONTROL = (
    Meaning(
        "Puts this process into the control group: 0 stands for whoever writes.",
        "After the mounts, so that making the container is not slowed by its own CPU quota; "
        "before anything of the program runs.",
        "Why not from outside?  A pid written by another waits for a grace period, 5 to 17 ms.",
        when=lambda a: _file("tasks", "cgroup.procs")(a) and str(a["text"]).strip() == "0"),
    Meaning(
        "Puts a process into a control group.",
        "From here on what it uses is counted there, and held to the group's numbers.",
        when=_file("tasks", "cgroup.procs")),
    Meaning(
        "Says which devices this group may use: the rule names a kind, a number, and rwm.",
        "While the group is still empty: nobody has opened anything yet.",
        "Why not trust /dev?  Who may mknod makes any device; the group decides whether it opens.",
        when=_file("devices.")),
    Meaning(
        "Asks the kernel to tell the shim when this group is out of memory.",
        "Before anything is in the group, so that not even the first OOM kill is missed.",
        when=_file("cgroup.event_control")),
    Meaning(
        "Sets how much memory the group may use: at the limit the kernel first takes pages back, "
        "then kills.",
        "While the group is empty, so that its first page is counted already.",
        when=_file("memory.")),
    Meaning(
        "Sets the group's share of the CPUs: so many microseconds in each period, then it waits.",
        "While the group is empty; it is joined last, so that the start itself is not throttled.",
        when=_file("cpu.")),
    Meaning(
        "Says on which CPUs and memory nodes the group may run.",
        "A cpuset begins empty, and an empty one takes no process: the numbers come from above.",
        when=_file("cpuset.")),
    Meaning(
        "Sets how many processes and threads the group may have: a fork beyond it fails.",
        "Before the first process is inside; the limit counts the whole tree below it.",
        when=_file("pids.")),
    Meaning(
        "Sets how fast the group may read and write a disk.",
        "While the group is empty, so that the first request is counted.",
        when=_file("io.", "blkio.")),
    Meaning(
        "Turns controllers on for the groups below, or lets those inherit from here.",
        "From the top down: a child has only what its parent gives on.",
        when=_file("cgroup.subtree_control", "cgroup.clone_children")),
    Meaning(
        "Says which users of the host the users inside are: id inside, id outside, how many.",
        "Right after clone3, from outside, while the child waits: until then it is nobody.",
        "Why not from inside?  It may map itself alone; a range needs someone with rights outside.",
        when=_file("uid_map", "gid_map")),
    Meaning(
        "Gives up setgroups in this user namespace, for good.",
        "Asked of an ordinary user before a gid_map: dropping a group could open a file to him.",
        when=_file("setgroups")),
    Meaning(
        "Says how readily the kernel takes this process when memory is short: −1000 never, "
        "1000 first.",
        "Before the capabilities go: to lower the number takes CAP_SYS_RESOURCE.",
        when=_file("oom_score_adj")),
    Meaning(
        "Moves the clocks of the new time namespace.",
        "Before its first process is born: after that the offsets are fixed.",
        when=_file("timens_offsets")),
    Meaning(
        "Sets a kernel parameter of one of the container's own namespaces.",
        "Before /proc/sys becomes read only, a few operations from here.",
        when=lambda a: str(a["path"]).startswith("/proc/sys/")),
    Meaning(
        "Tells the control group one number.",
        "In the group's directory, while nothing is held to it yet.",
        when=_in_group),
    Meaning(
        "Tells the kernel one thing, by writing it to a file that is no file on a disk.",
        "In one write of the whole text, whose error is the kernel's answer."),
)

DIRECTORY = (
    Meaning(
        "Makes a control group. A group is a directory: making it is all there is to it.",
        "Before anything else, so that limits stand when the first process comes in.",
        "Why not limit the process?  A child would start again from nothing; a group counts "
        "whatever is born in it.",
        when=_in_group),
    Meaning(
        "Makes a directory in the container's root.",
        "A mount needs a place that is there. It lands in the writable layer, not in the image."),
)

NEW_FILE = (
    Meaning(
        "Makes an empty file in the container's root.",
        "A file can only be mounted on a file; it lands in the writable layer, not in the image."),
)

OWNER = (
    Meaning(
        "Gives a file to the user who will need it.",
        "While we are still root, and before the user changes: afterwards it could not be done."),
)

CASES: Cases = {
    "mkdir": DIRECTORY,
    "mkdir_at": DIRECTORY,
    "make_file": NEW_FILE,
    "make_file_at": NEW_FILE,
    "symlink": (
        Meaning(
            "Makes a link, such as /dev/stdin, that leads to a name of the process who looks.",
            "Programs expect these names; whose they are is said by /proc/self when they are used.",
            "Why not a device?  Each process has its own descriptors."),
    ),
    "mknod": (
        Meaning(
            "Makes a device node: a name for a driver, by its number.",
            "A container has its own /dev with the harmless ones: null, zero, full, random, tty.",
            "Why not mount the host's /dev?  The disks and the memory of the host are in it."),
    ),
    "chown": OWNER,
    "chown_at": OWNER,
    "chmod": (
        Meaning(
            "Sets who may read, write and run a file.",
            "The umask may have taken something off the mode it was made with."),
    ),
    "chdir": (
        Meaning(
            "Makes the new root the working directory, so that it can be called \".\".",
            "So pivot_root(\".\", \".\") needs no second directory to put the old root in.",
            when=lambda a: str(a["path"]).endswith("/rootfs")),
        Meaning(
            "Steps into the new root.",
            "The working directory still points into the old one: a way out, as long as it does.",
            when=lambda a: a["path"] == "/"),
        Meaning(
            "Sets the working directory.",
            "Inside the new root, where the path means the container's own."),
    ),
    "fchdir": (
        Meaning(
            "Steps into a directory that was opened before.",
            "By descriptor: its name may mean another place meanwhile, or be a link of the image."),
    ),
    "chroot": (
        Meaning(
            "Makes a directory the root of this one process.",
            "Only where pivot_root cannot be used (--no-pivot, --without pivot).",
            "Why not always?  The old root stays below: who may chroot again walks out by \"..\"."),
    ),
    "rmdir": (
        Meaning("Removes an empty directory; of a control group, the group.",
                "What was made on the way is taken back when nobody is in it any more."),
    ),
    "unlink": (
        Meaning("Removes a name.", "What stood there must not be found by the container."),
    ),
    "write_control": CONTROL,
    "write_open_control": CONTROL,
    "copy_directory": (
        Meaning(
            "Copies what the image has in a directory into the tmpfs that will cover it.",
            "Before the tmpfs is put over it (tmpcopyup): afterwards it cannot be seen."),
    ),
}
