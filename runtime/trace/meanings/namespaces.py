"""The meanings of clone3, unshare, setns, and of what is set in a namespace right after.

Text only; see meaning.py for the shape. Here as in kernel/namespaces.py, links.py, ipc.py.
Sources: namespaces(7) and its kind, clone(2), unshare(2), setns(2), netdevice(7).
"""

from __future__ import annotations

from runtime.trace.meanings.meaning import Meaning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.trace.meanings.meaning import Cases

CASES: Cases = {
    "clone3": (
        Meaning(
            "Makes the container's first process, and in the same step the namespaces it is born "
            "into. It will be pid 1 inside.",
            "After the group is ready; everything that follows is done by the newborn itself.",
            "Why not unshare?  A PID namespace is for children: who unshares it never gets in."),
    ),
    "unshare": (
        Meaning(
            "Gives this process a cgroup namespace: the group it is in now looks like the root.",
            "After joining the groups: where it stands at this moment is what the namespace shows.",
            when=lambda a: "CLONE_NEWCGROUP" in str(a["flags"])),
        Meaning(
            "Makes a time namespace for the children to come.",
            "Before the first child: its clocks can be moved only while nobody lives in it.",
            when=lambda a: "CLONE_NEWTIME" in str(a["flags"])),
        Meaning(
            "Moves this process into new namespaces.",
            "What it sees of the kernel from here on is its own."),
    ),
    "setns": (
        Meaning(
            "Enters a namespace that is there already, by a descriptor of it.",
            "Its path stands in config.json: the container shares this side of the kernel with "
            "another."),
    ),
    "sethostname": (
        Meaning(
            "Sets the host name of this UTS namespace.",
            "Once it is our own namespace, and before CAP_SYS_ADMIN goes.",
            "Why not before clone3?  It would have renamed the host."),
    ),
    "setdomainname": (
        Meaning(
            "Sets the NIS domain name of this UTS namespace.",
            "Beside the host name, for the same reasons."),
    ),
    "set_link_up": (
        Meaning(
            "Turns on the loopback interface.",
            "A new network namespace has lo and nothing else, and lo is down: 127.0.0.1 would not "
            "answer.",
            "Why not lo of the host?  Services that listen only there would be reachable."),
    ),
    "make_segment": (
        Meaning("Makes a segment of shared memory.",
                "To see whether another IPC namespace sees it."),
    ),
    "remove_segment": (
        Meaning("Removes a segment of shared memory.",
                "Left alone it would stay until the namespace ends."),
    ),
}
