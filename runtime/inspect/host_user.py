"""The doctor's questions to the user's side: root, Docker, QEMU, terminal, Python, disk.

In the caller's process; each function takes the Facts and returns an Item.
Sources: capabilities(7), no-color.org.
"""

from __future__ import annotations

from runtime.inspect.capabilities import NAMES, decode, encode
from runtime.inspect.facts import MISSING, OK, PARTLY, Facts, Item
from runtime.inspect.host_kernel import userns_command
from runtime.inspect.host_rootless import blocked_by
from runtime.inspect.mounts import Mount
from runtime.inspect.processes import parse_status
from runtime.inspect.source import link, names, text

# What making a container takes of root's capabilities; the rest is for what it may do later.
NEEDED = encode(("SYS_ADMIN", "SETUID", "SETGID", "SETPCAP", "CHOWN", "MKNOD", "SYS_CHROOT"))
PYTHON = (3, 11)
SMALL_DISK, FULL_DISK = 1 << 30, 100 << 20
SMALLEST_SCREEN = (80, 24)
# Upper layers need these file systems' rename and attributes; on others overlay refuses.
NO_UPPER = ("overlay", "nfs", "nfs4", "9p", "cifs", "fuse", "vfat", "exfat", "squashfs")


def user(facts: Facts) -> Item:
    """Root with its capabilities, or a user who can do without (host_rootless.py)."""
    held = int(parse_status(text(facts.source, "/proc/self/status") or "").get("CapEff", "0"), 16)
    who = f"{facts.around.user} (uid {facts.around.uid})"
    if not facts.is_root:
        blocked = blocked_by(facts)
        if blocked:
            return Item("root", MISSING, f"you are {who}", f"containers run as root, or in a user "
                        f"namespace: {blocked}", userns_command(facts), needed=True)
        return Item("root", PARTLY, f"you are {who}: containers run rootless", "what only root can "
                    "give is refused by name; lessons are made for root", "sudo container-lab",
                    needed=True)
    lacking = decode(NEEDED & ~held)
    if lacking:
        return Item("root", MISSING, f"root without {' '.join(lacking)}",
                    "it was started with fewer capabilities, as in a container",
                    "run it outside, or give the container --privileged", needed=True)
    dropped = [name for name in decode(encode(NAMES) & ~held) if name in ("SYS_RESOURCE",)]
    also = f", without {' '.join(dropped)}: hard limits cannot be raised" if dropped else ""
    return Item("root", OK, f"you are {who}{also}", needed=True)


# ------------------------------------------------------------------ programs for some lessons


def qemu(facts: Facts) -> Item:
    """For a machine with cgroup v2 of its own, on hosts whose controllers are on v1."""
    binary = facts.program(f"qemu-system-{facts.around.machine}")
    images = [n for n in names(facts.source, "/boot") if n.startswith(("vmlinuz", "vmlinux"))]
    kvm = ", /dev/kvm" if facts.source.exists("/dev/kvm") else ""
    if binary and images:
        return Item("QEMU", OK, f"{binary}, kernel /boot/{images[-1]}{kvm}")
    if binary:
        return Item("QEMU", PARTLY, f"{binary}{kvm}, no kernel image in /boot",
                    "a virtual machine needs a kernel to boot", facts.install("kernel"))
    return Item("QEMU", MISSING, f"no qemu-system-{facts.around.machine}{kvm}",
                "needed only for a virtual machine with another kernel", facts.install("qemu"))


def docker(facts: Facts) -> Item:
    """The real Docker, beside which the lab can be laid; the lab itself needs none."""
    client, answer = docker_client(facts), facts.tried.get("docker")
    if client and answer == 0:
        return Item("Docker", OK, f"{client}, and its daemon answers")
    if client:
        return Item("Docker", PARTLY, f"{client}, but no daemon answers",
                    "only lessons about the real Docker need it", "sudo systemctl start docker"
                    if facts.program("dockerd") else facts.install("docker"))
    return Item("Docker", MISSING, "not installed", "only lessons about the real Docker need it",
                facts.install("docker"))


def docker_client(facts: Facts) -> str | None:
    """The real docker command; in the lab's own shell `docker` first on PATH is a link to us."""
    for directory in facts.around.search:
        path = f"{directory}/docker"
        if facts.source.exists(path) and "container-lab" not in (link(facts.source, path) or ""):
            return path
    return None


# ------------------------------------------------------------------ terminal, Python, disk


def terminal(facts: Facts) -> Item:
    around = facts.around
    if not around.terminal:
        return Item("terminal", PARTLY, "input or output is no terminal",
                    "the screen needs one; the lessons also run line by line",
                    "container-lab lesson list")
    size, colours = f"{around.columns}×{around.lines}", _colour_words(around.colours)
    if around.columns < SMALLEST_SCREEN[0] or around.lines < SMALLEST_SCREEN[1]:
        return Item("terminal", PARTLY, f"{size}, {colours}", "the screen is made for 80×24",
                    "make the window larger")
    if not around.utf8:
        return Item("terminal", PARTLY, f"{size}, {colours}, not UTF-8",
                    "glyphs are shown as letters", "export LANG=C.UTF-8")
    return Item("terminal", OK, f"{size}, {colours}, UTF-8")


def _colour_words(colours: int) -> str:
    return {0: "no colours", 1 << 24: "true colour"}.get(colours, f"{colours} colours")


def python(facts: Facts) -> Item:
    """The runtime needs the standard library only; the screen needs Textual."""
    version = ".".join(str(part) for part in facts.around.python)
    if facts.around.python < PYTHON:
        return Item("Python", MISSING, version, "3.11 is the oldest that works",
                    facts.install("python"), needed=True)
    lacking = [p for p in ("textual", "rich", "psutil", "pyroute2")
               if p not in facts.around.packages]
    if lacking:
        return Item("Python", PARTLY, f"{version}, without {', '.join(lacking)}",
                    "the screen needs them; containers run without", "make lab")
    return Item("Python", OK, f"{version}, with {', '.join(facts.around.packages)}", needed=True)


def state_root(facts: Facts) -> Item:
    """Where containers and images are kept: writable, enough room, fit for upper layers."""
    around, row = facts.around, facts.mount_of(facts.around.root_parent)
    free, kind = size_words(around.root_free_bytes), row.fstype if row else "unknown"
    found = f"{facts.root}: {free} free on {kind}"
    elsewhere = "container-lab --root DIR, or export CONTAINER_LAB_ROOT=DIR"
    if not around.root_writable:
        return Item("state", MISSING, f"{facts.root} is not yours to write",
                    f"{around.root_parent} belongs to another user, or is read-only", elsewhere,
                    needed=True)
    if around.root_free_bytes < FULL_DISK:
        return Item("state", MISSING, found, "a container needs about 100 MB", elsewhere,
                    needed=True)
    if kind.split(".")[0] in NO_UPPER:
        return Item("state", PARTLY, found, f"overlay takes no {kind} directory as its upper layer",
                    elsewhere, needed=True)
    if around.root_free_bytes < SMALL_DISK:
        return Item("state", PARTLY, found, "images may not fit", elsewhere, needed=True)
    return Item("state", OK, found, needed=True)


def block_device(facts: Facts) -> Mount | None:
    """The mount under the state root, when a real block device is behind it: io limits need one."""
    row = facts.mount_of(facts.around.root_parent)
    return row if row and not row.major_minor.startswith("0:") else None


def size_words(size_bytes: int) -> str:
    """`12.3 GiB`, `512 MiB`."""
    if size_bytes >= 1 << 30:
        return f"{size_bytes / (1 << 30):.1f} GiB"
    return f"{size_bytes >> 20} MiB"
