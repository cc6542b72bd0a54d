"""create and start: the specification's two steps, from the side that stays.

Runs in the shim. create makes the group and the first process, and returns when that process has
done everything but the program; start lets it go on, and returns when execve has succeeded. What
was made before a failure is taken back, in reverse, before the error is raised.

    init = create(plan, group, (0, 1, 2), cache)      state "created", init.pid 48213
    init.start()                                      state "running"
    init.birth_certificate()                          every operation so far

Source: runtime-spec runtime.md "Lifecycle", steps 1 to 9.
"""

from __future__ import annotations

import os
from time import monotonic_ns

from runtime.errors import Conflict, LabError
from runtime.kernel import files, namespaces, processes, unmount
from runtime.oci import init as container_init
from runtime.oci import devices, program, seccomp, sync
from runtime.trace.operation import observe, phase
from runtime.trace.recorder import Recorder, in_order, read_film

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    import _socket

    from runtime.cgroup.cgroup import Cgroup
    from runtime.oci.plan import Plan


MAPPED = frozenset(("idmap", "ridmap"))


class Init:
    """The container's first process, as the shim knows it."""

    def __init__(self, pid: int, pidfd: int, sock: _socket.socket, plan: Plan,
                 recorder: Recorder) -> None:
        self.pid, self.pidfd, self.sock, self.plan = pid, pidfd, sock, plan
        self.recorder = recorder
        self.master: int | None = None
        self.path = ""
        self.warnings: list[str] = []
        self.released = self.dead = False
        self.running_ns = 0  # when its program was seen to run

    def be_mapped(self) -> None:
        """Say who is who in its user namespace, if it has a new one; it waits for that."""
        if self.plan.new_namespace("user"):
            from runtime.oci import maps

            maps.write(self.pid, self.plan.spec["linux"])
            sync.send(self.sock, {"go": "mapped"})

    def wait_until_created(self) -> None:
        """Until everything but the program is done. Raises what init could not do."""
        message = self.hear()
        if message is not None and "mounted" in message:
            self.run_hooks()
            message = self.hear()
        if message is None:
            raise Conflict("create the container: its first process died before it was ready",
                           f"wait status {self.reap()}")
        self.path = message["ready"]["path"]
        self.warnings = message["ready"]["warnings"]

    def run_hooks(self) -> None:
        """prestart and createRuntime: on the host's side, when all is mounted, nothing entered."""
        from runtime.oci import hooks

        plan = self.plan
        state = hooks.state(plan.spec, plan.ident, plan.bundle, "creating", self.pid)
        for kind in ("prestart", "createRuntime"):
            hooks.run(kind, plan.spec["hooks"], state)
        sync.send(self.sock, {"go": "hooked", "state": state})

    def release(self) -> None:
        """Say "start"; init hears it when ready. If it died, its last message is still there.

        Not before that where it has to hear another word first: "mapped", "hooked".
        """
        plan = self.plan
        if not self.path and (plan.new_namespace("user") or plan.spec.get("hooks")):
            return
        if not self.released:
            self.released = True
            try:
                sync.send(self.sock, {"go": "start"})
            except BrokenPipeError:
                self.dead = True

    def start(self) -> None:
        """The specification's start. Returns when execve succeeded; raises why it did not."""
        self.release()
        if self.dead:
            raise Conflict("start the container: its first process died after it was created",
                           f"wait status {self.reap()}")
        while self.hear() is not None:
            continue
        # The close-on-exec socket ended: the program runs.
        self.running_ns = monotonic_ns()

    def hear(self) -> dict[str, Any] | None:
        """The next message; None at the end of the socket. Raises an error that was sent."""
        message, fd = sync.receive(self.sock)
        if fd is not None:
            self.master = fd
        if message is not None and "error" in message:
            self.reap()
            raise sync.ChildFailed(message)
        return message

    def reap(self) -> int:
        """Wait for the process to be gone; its wait status."""
        try:
            return os.waitpid(self.pid, 0)[1]
        except ChildProcessError:
            return 0

    def close(self) -> None:
        """Let go of the socket and the pidfd."""
        self.sock.close()
        os.close(self.pidfd)

    def birth_certificate(self) -> list[dict[str, Any]]:
        """Every operation of the start, of shim and init, numbered in the order of time."""
        assert self.plan.record is not None
        film = in_order(self.recorder.data() + read_film(self.plan.record),
                        started=self.running_ns > 0)
        if self.running_ns:
            film.append({"n": len(film) + 1, **self.execve(film[-1]["start_ns"])})
        return film

    def execve(self, after_ns: int) -> dict[str, Any]:
        """The last operation, of which init can tell nothing: its socket ended, so it happened."""
        return {"phase": "exec", "name": "execve", "call": "execve(2)",
                "arguments": {"path": self.path, "arguments": self.plan.process["args"]},
                "pid": self.pid, "symbol": "runtime/oci/init.py:become_container", "result": 0,
                "errno": 0, "start_ns": after_ns, "ns": self.running_ns - after_ns, "by": "init"}


def create(plan: Plan, group: Cgroup, stdio: tuple[int, int, int], cache: str,
           born: Callable[[Init], None] | None = None,
           grouped: Callable[[], None] | None = None) -> Init:
    """Make the group and the first process.

    `grouped` is told when the group is there and empty, `born` when the first process is there and
    has done nothing yet.
    """
    plan.record = os.memfd_create("operations", os.MFD_CLOEXEC)
    recorder = Recorder("shim")
    if plan.gate:
        from runtime.trace.wire import Wire

        recorder.then = Wire(plan.gate)
    outer = observe(recorder if plan.filmed or plan.gate else None)
    init: Init | None = None
    made: Cgroup | None = None
    try:
        load_filter(plan, cache)
        open_ahead(plan)
        # Not yet "limit": nothing is held to these numbers before it is inside.
        with phase("prepare"):
            group.create()
            made = group
            group.apply(devices.with_default_rules(
                (plan.spec.get("linux") or {}).get("resources") or {}))
            if grouped is not None:
                grouped()
        init = clone_init(plan, group, stdio, recorder)
        plan.let_go()
        # What the newborn is given from outside is part of its birth.
        with phase("isolate"):
            grant(init)
            if born is not None:
                born(init)
            init.be_mapped()
        init.wait_until_created()
    except BaseException as error:
        # Held starts may be refused at any point: the way back must not ask the gate again.
        observe(None)
        plan.let_go()
        # Only what is ours: where create failed, the group may be another container's.
        undo(init, made)
        if isinstance(error, LabError):
            film = recorder.data() + read_film(plan.record)
            error.operations = in_order(film, started=False)
        raise
    finally:
        observe(outer)
    return init


def open_ahead(plan: Plan) -> None:
    """What init cannot open or import itself, once it is where it has to go."""
    program.import_ahead(plan.process)
    if plan.spec.get("hooks"):
        from runtime.oci import hooks  # noqa: F401
    if plan.joins():
        from runtime.oci import namespaces as joined

        plan.doors = joined.open_all(plan)


def grant(init: Init) -> None:
    """Do for the first process what its own rights may not be enough for."""
    plan = init.plan
    program.set_oom_score(plan.process, init.pid)
    if "user" in plan.namespaces:
        program.raise_limits(plan.process, init.pid)


def load_filter(plan: Plan, cache: str) -> None:
    """Get the seccomp filter's bytes ready: in memory before anything is made."""
    profile = (plan.spec.get("linux") or {}).get("seccomp")
    if profile:
        plan.filter = seccomp.filter_for(profile, cache)
        plan.filter_flags = seccomp.filter_flags(profile)
        if any(entry["action"] == "SCMP_ACT_NOTIFY" for entry in profile.get("syscalls") or ()):
            from runtime.oci import agent, hooks

            state = hooks.state(plan.spec, plan.ident, plan.bundle, "creating", 0)
            plan.agent = agent.connect(profile, state)


def clone_init(plan: Plan, group: Cgroup, stdio: tuple[int, int, int],
               recorder: Recorder) -> Init:
    """Fork the first process into its new namespaces (and on v2 into its group)."""
    with phase("isolate"):
        outer_time = -1
        if plan.new_namespace("time"):
            outer_time = os.open("/proc/self/ns/time", os.O_RDONLY | os.O_CLOEXEC)
            make_time_namespace(plan.spec["linux"].get("timeOffsets") or {})
        open_sources(plan)
        ours, theirs = sync.pair()
        # Opened here: root of a user namespace may not, and after pivot_root they are out of reach.
        joins, birth = group.open_joins(), group.birth_fd()
        try:
            pid, pidfd = clone(plan, birth)
            if pid == 0:
                be_init(plan, group, joins, stdio, theirs)
        finally:
            for fd in joins if birth is None else (*joins, birth):
                os.close(fd)
            theirs.close()
            if outer_time >= 0:
                # Hooks and whatever else is born of the shim are none of the container's.
                namespaces.setns(outer_time, namespaces.Flags(namespaces.CLONE_NEWTIME))
                os.close(outer_time)
    return Init(pid, pidfd, ours, plan, recorder)


def clone(plan: Plan, birth: int | None) -> tuple[int, int]:
    """The first process, in new namespaces and in those that were there: (pid, pidfd)."""
    if not plan.joins():
        return namespaces.clone3(namespaces.Flags(plan.clone_flags()), birth)
    from runtime.oci import namespaces as joined

    return joined.clone(plan, birth)


def open_sources(plan: Plan) -> None:
    """Open the binds that init will not be able to: id-mapped ones, and what it may not reach."""
    if "user" in plan.namespaces or any(
            entry.get("uidMappings") or entry.get("gidMappings")
            or not MAPPED.isdisjoint(entry.get("options") or ())
            for entry in plan.spec.get("mounts") or []):
        from runtime.oci import sources

        plan.trees = sources.open_all(plan)


def be_init(plan: Plan, group: Cgroup, joins: list[int], stdio: tuple[int, int, int],
            sock: _socket.socket) -> None:
    """In the child: put stdio in place and never come back."""
    try:
        container_init.move_stdio(stdio, plan.process)
        # Whatever the shim and its caller hold open, the image's words (cwd, args) shall not find.
        assert plan.record is not None
        processes.close_others([sock.fileno(), plan.record, *joins, *plan.inherited(),
                                *range(3, 3 + plan.passed_on)])
        container_init.run(plan, group, joins, sock)
    finally:
        os._exit(1)


def make_time_namespace(offsets: dict[str, Any]) -> None:
    """A time namespace for the children, and its offsets before the first of them is born."""
    namespaces.unshare(namespaces.Flags(namespaces.CLONE_NEWTIME))
    for clock, offset in ((clock, found or {}) for clock, found in offsets.items()):
        files.write_control("/proc/self/timens_offsets",
                            f"{clock} {offset.get('secs') or 0} {offset.get('nanosecs') or 0}")


def undo(init: Init | None, group: Cgroup | None) -> None:
    """Take back a start that failed: the process, then the group it was in."""
    if init is not None:
        try:
            processes.pidfd_send_signal(init.pidfd, 9)
        except OSError:
            pass  # gone already, which is what we want
        init.reap()
        init.close()
    if group is not None:
        group.kill()
        group.remove()
    if init is not None and not init.plan.own_mounts:
        unmount.detach_all(init.plan.rootfs)
