"""create and run: a container made, up to the first sync point of the specification or past it.

    create ── clone3 ──► init does everything but the program, says "ready"
      │                    │
      │  state: created    │
      ├─ {"go": "wait"} ─► │  from here on init needs nobody: it listens at ROOT/ID/start.sock
      └─ gone              │
    start ── connect, {"go": "start"} ──► │ execve: the connection ends; or {"error": …} comes

Until it is told to wait, init lives for its maker only: a create that is killed at any point takes
it along, for the socket between them ends. After that the state is written, and delete finds it.
runc holds init with a fifo (exec.fifo); over a socket `start` also learns whether execve worked,
and what did not, which runc's start cannot. `run` is both in one process, and needs no such socket.
Sources: runtime-spec runtime.md "Lifecycle"; runc-create(8), runc-run(8).
"""

from __future__ import annotations

import os

from runtime.errors import Conflict, Invalid, LabError
from runtime.kernel import processes
from runtime.oci import create, plan, sealed, state, sync
from runtime.oci.commands import starting, stdio

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cgroup.cgroup import Cgroup
    from runtime.oci.cli import Settings
    from runtime.oci.options import Options
    from runtime.oci.state import Container

# What every container may use, whatever config.json refuses: any node may be made, these be opened.
# runtime-spec config-linux.md "Default Devices"; runc's specconv.AllowedDevices.
NODES: tuple[dict[str, Any], ...] = tuple(
    {"type": "c", "major": major, "minor": minor, "access": "rwm", "allow": True}
    for major, minor in ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2), (136, -1)))
MAKING: tuple[dict[str, Any], ...] = tuple(
    {"type": kind, "major": -1, "minor": -1, "access": "m", "allow": True} for kind in "cb")
REFUSE_ALL: dict[str, Any] = {"type": "a", "access": "rwm", "allow": False}


def create_(settings: Settings, options: Options, arguments: list[str]) -> int:
    """Make the container; its program waits."""
    try:
        making = Making(settings, options, arguments[0], detached=True)
        with state.Lock(making.claim()):
            making.make(waiting=True)
    except (LabError, OSError) as error:
        raise failed(settings, "create", error) from None
    return 0


def run_(settings: Settings, options: Options, arguments: list[str]) -> int:
    """Make it and start it; without --detach wait for its end, and delete it."""
    detached = bool(options.get("detach"))
    try:
        making = Making(settings, options, arguments[0], detached)
        # Nothing is made yet, so nothing is lost: this may begin the command again.
        if not detached and sealed.needed_late(making.plan):
            sealed.start_over()
        with state.Lock(making.claim()):
            making.make(waiting=False)
            if not detached:
                making.stay(orphans=not options.get("no-subreaper"))
            making.start()
    except (LabError, OSError) as error:
        raise failed(settings, "run", error) from None
    if detached:
        return 0
    from runtime.oci.commands import ending, foreground

    code = foreground.follow(making.init.pid, making.init.pidfd, making.init.master)
    if not options.get("keep"):
        with state.Lock(making.container):
            ending.destroy(settings, making.container)
    return code


def failed(settings: Settings, verb: str, error: LabError | OSError) -> LabError:
    """The error as runc's create and run tell it: whose it is, and of the child's, that it is."""
    from runtime.oci.cli import text_of

    text = text_of(error)
    if isinstance(error, sync.ChildFailed):
        text = f"unable to start container process: {text}"
    return LabError(f"{settings.program} {verb} failed: {text}")


class Making:
    """One container in the making: what was asked, the plan, and as far as it is, the rest."""

    def __init__(self, settings: Settings, options: Options, ident: str, detached: bool) -> None:
        self.settings, self.options = settings, options
        bundle = os.path.abspath(options.get("bundle") or ".")
        if not os.path.isdir(bundle):
            raise Invalid(f"chdir {bundle}: no such file or directory")
        if not os.path.isfile(f"{bundle}/config.json"):
            raise Invalid("JSON specification file config.json not found")
        self.ident = state.check_id(ident)
        self.plan = plan.load(bundle, gate=settings.gate)
        self.plan.ident = ident
        self.plan.filmed = settings.log.debugging
        self.plan.move_root = bool(options.get("no-pivot"))
        self.plan.new_keyring = not options.get("no-new-keyring")
        self.plan.passed_on = stdio.passed_on(self.plan.process, options.get("preserve-fds") or 0)
        stdio.check(bool(self.plan.process.get("terminal")), detached,
                    options.get("console-socket") or "")
        allow_devices(self.plan.spec, settings.rootless)
        self.container: Container
        self.init: create.Init

    def claim(self) -> Container:
        """Take the id. Raises Conflict where it, or the group, is another's."""
        linux = self.plan.spec.get("linux") or {}
        path = linux.get("cgroupsPath") or self.ident
        if not path.startswith("/"):
            path = f"{state.GROUPS}/{path}"
        self.container = state.claim(self.settings.root, self.ident, {
            "bundle": self.plan.bundle, "rootfs": os.path.abspath(self.plan.rootfs),
            "annotations": self.plan.spec.get("annotations") or {},
            **(delegated(path) if self.settings.rootless else {"cgroup": path})})
        return self.container

    def make(self, waiting: bool) -> None:
        """Everything but the program. What was made before a failure is taken back."""
        container, group = self.container, self.container.group()
        try:
            if group.exists() and group.processes():
                raise Conflict(f"container's cgroup is not empty: {group.path}",
                               "another container, or whoever made it, has processes there")
            self.leave_out_groups(group)
            # Before anything is made: whoever finds this knows what to take away.
            container.save()
            # A copy: who edits the bundle's meanwhile does not change what exec and delete go by.
            state.replace(f"{container.directory}/config.json",
                          content(f"{self.plan.bundle}/config.json"))
            listener = listen(container.start_socket) if waiting else None
            self.plan.listener = None if listener is None else listener.fileno()
            self.init = create.create(self.plan, group, (0, 1, 2),
                                      state.filters(self.settings.root), self.born,
                                      lambda: container.save(grouped=True))
            try:
                self.hand_over(listener)
            except BaseException:
                create.undo(self.init, group)
                raise
        except BaseException:
            container.remove()
            raise

    def leave_out_groups(self, group: Cgroup) -> None:
        """Where an ordinary user has no group there is none to show in the container. Said."""
        if group.version:
            return
        mounts = self.plan.spec.get("mounts") or []
        kept = [entry for entry in mounts if entry.get("type") not in ("cgroup", "cgroup2")]
        self.plan.spec["mounts"] = kept
        if len(kept) < len(mounts):
            self.settings.log.warning("no control group is delegated to this user: the container "
                                      "has none, and its /sys/fs/cgroup shows none")

    def born(self, init: create.Init) -> None:
        """The first process exists: from now on delete finds it."""
        self.container.save(pid=init.pid, pidStart=processes.start_ticks(init.pid))

    def hand_over(self, listener: _socket.socket | None) -> None:
        """Give the terminal, the pid and the container itself to those who will have them."""
        init, log = self.init, self.settings.log
        for warning in init.warnings:
            log.warning(warning)
        if log.debugging:
            for each in init.birth_certificate():
                log.debug(f"{each['by']}: {each['phase']}: {each['call']} {each['arguments']}")
        stdio.hand_over(init, self.options)
        if listener is not None:
            self.container.save(stage="created")
            sync.send(init.sock, {"go": "wait"})
            listener.close()
            init.close()

    def stay(self, orphans: bool) -> None:
        """We will wait for it: signals are its own, and what it leaves behind is ours."""
        from runtime.oci.commands import foreground

        foreground.forward_signals(self.init.pidfd)
        if orphans:
            processes.set_child_subreaper()

    def start(self) -> None:
        """Let it begin, in the same process that made it."""
        container, group = self.container, self.container.group()
        try:
            self.init.start()
            starting.begun(self.init.pid)
        except BaseException:
            create.undo(self.init, group)
            container.remove()
            raise
        container.save(stage="started")
        starting.after_start(self.settings, container, self.plan.spec)


def delegated(path: str) -> dict[str, Any]:
    """Where an ordinary user's container has its group: below what is his, or nowhere."""
    from runtime.cgroup import delegation

    mine = delegation.found()
    return {"cgroup": mine.path + path, "controllers": list(mine.hierarchies.controllers),
            "beside": mine.hierarchies.unified is not None}


def allow_devices(spec: dict[str, Any], rootless: bool) -> None:
    """Put the devices that every container has behind config.json's rules; without any, alone.

    An ordinary user may not rule devices, and need not: he has those that were bound for him.
    """
    resources = spec.setdefault("linux", {}).setdefault("resources", {})
    if rootless:
        resources.pop("devices", None)
        return
    rules = resources.get("devices") or [REFUSE_ALL]
    resources["devices"] = [*rules, *MAKING, *NODES]


def content(path: str) -> bytes:
    """A file's whole content."""
    with open(path, "rb", buffering=0) as file:
        return file.readall()


def listen(path: str) -> _socket.socket:
    """The socket that init waits behind, made while the state directory can be reached."""
    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    folder, name = os.path.split(path)
    fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        listener.bind(f"/proc/self/fd/{fd}/{name}")
        listener.listen(16)
    finally:
        os.close(fd)
    return listener
