"""The meanings of the drop: users, capabilities, limits, seccomp.

Text only; see meaning.py for the shape. Here as in kernel/users.py, capabilities.py, limits.py,
seccomp.py. Sources: capabilities(7), credentials(7), setrlimit(2), seccomp(2), prctl(2).
"""

from __future__ import annotations

from runtime.trace.meanings.meaning import Meaning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.trace.meanings.meaning import Cases

CASES: Cases = {
    "drop_bounding": (
        Meaning(
            "Takes capabilities out of the bounding set: no program started from here can ever "
            "get them back, set-user-id root or not.",
            "While still root: it takes CAP_SETPCAP, which goes with the next ones.",
            "Why not capset alone?  The next execve as root would fill the sets up again."),
    ),
    "keep_capabilities": (
        Meaning(
            "Asks the kernel to keep the capabilities when the user changes from root to another, "
            "or to do so no more.",
            "Around setresuid: the kernel drops them all there, and some of them are to stay."),
    ),
    "capset": (
        Meaning(
            "Sets what this process may do: root's power in some forty pieces, of which a "
            "container keeps fourteen.",
            "Last of the drop: changing user and groups needed what goes here.",
            "Why not just be another user?  Then nothing of root would work, not even ping."),
    ),
    "set_ambient": (
        Meaning(
            "Sets the capabilities that a program keeps across execve without being root.",
            "After capset: only what is permitted and inheritable can be ambient."),
    ),
    "setgroups": (
        Meaning(
            "Sets the additional groups, and with that gives up those of whoever started it.",
            "Before setresgid and setresuid: who is no longer root may not change groups.",
            "Why not leave them?  A group of the host's, such as disk, would come along."),
    ),
    "setresgid": (
        Meaning(
            "Becomes the group that has no rights outside the map yet: root's, of its own "
            "namespace.",
            "As soon as the maps are written, and before the user.",
            when=lambda a: a["phase"] == "isolate"),
        Meaning(
            "Becomes the group: real, effective and saved, so that none of the three leads back.",
            "Before the user: afterwards there would be no right to."),
    ),
    "setresuid": (
        Meaning(
            "Becomes the user who has no rights outside the map yet: root of its own namespace.",
            "As soon as the maps are written; every file operation failed until here.",
            when=lambda a: a["phase"] == "isolate"),
        Meaning(
            "Becomes the user of the program: real, effective and saved, so that none of the "
            "three leads back.",
            "After groups and bounding set, which only root may change."),
    ),
    "umask": (
        Meaning(
            "Lets the modes that follow through as they are written.",
            "First of all: the umask of whoever typed the command must not shape the container.",
            when=lambda a: a["mask"] in (0, "0")),
        Meaning(
            "Sets which mode bits new files do not get.",
            "Last, for the program; while the root was made, the mask was 0."),
    ),
    "setrlimit": (
        Meaning(
            "Sets a limit of this process, such as how many files it may have open.",
            "Before the capabilities go: to raise a hard limit takes CAP_SYS_RESOURCE.",
            "Why not the control group?  It counts the whole container; this counts one process."),
    ),
    "prlimit": (
        Meaning(
            "Raises the hard limit of a process, its soft one as it is.",
            "From outside, while init waits for its maps: the root of a user namespace may not, "
            "for CAP_SYS_RESOURCE counts on the host only.",
            when=lambda a: a["pid"] != 0),
        Meaning(
            "Raises the hard limit of this process, its soft one as it is.",
            "While it still may. The limit itself comes last, for it would cut short what we do."),
    ),
    "set_filter": (
        Meaning(
            "Installs the seccomp filter: a program that the kernel runs at every system call, and "
            "that says yes, no, or which error.",
            "As late as can be: it judges our own calls as well.",
            "Why not after execve?  There is no after: the next instruction is the program's."),
    ),
    "set_filter_with_listener": (
        Meaning(
            "Installs the seccomp filter, and gets a descriptor at which another program is asked "
            "about the calls that the filter leaves to it.",
            "The descriptor goes to the listener that config.json names, before execve closes it."),
    ),
    "set_no_new_privs": (
        Meaning(
            "Promises that no execve from here on gives rights, be the file set-user-id or not.",
            "It cannot be taken back, and is inherited; with it a filter needs no capability."),
    ),
    "set_dumpable": (
        Meaning(
            "Says whether others with the same user may look into this process's memory.",
            "While it holds what is not the container's, nobody inside shall read it."),
    ),
}
