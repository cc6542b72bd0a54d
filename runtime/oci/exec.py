"""exec: one more process in a container that runs.

Runs in the shim (enter_container) and in the new process. It joins every namespace of the
container's init through init's pidfd, its groups, and goes down to the same privileges; nothing
else tells it from a child of init, but that its parent is outside (PPid 0 inside).

    shim ── fork ──► joiner: setns(pidfd, all) ── clone3(CLONE_PARENT) ──► the process
                                └── exits                                    child of the shim

Two forks, because entering a PID namespace counts for children only; CLONE_PARENT, so that the
shim is the parent and gets the exit status. Source: setns(2), clone(2); runc's setns_init_linux.go.
"""

from __future__ import annotations

import os

from runtime.errors import Conflict
from runtime.kernel import namespaces, processes
from runtime.kernel.namespaces import KINDS
from runtime.oci import identity, program, seccomp, sync, terminal
from runtime.oci.init import move_stdio
from runtime.oci.properties import VERSION
from runtime.oci.rootfs import enter_by_chroot
from runtime.oci.teller import Teller, tell_failure
from runtime.trace.operation import observe, phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import _socket

    from runtime.cgroup.cgroup import Cgroup
    from runtime.oci.agent import Agent
    from runtime.oci.plan import Plan


class Process:
    """A process of exec, as the shim knows it."""

    __slots__ = ("pid", "pidfd", "master")

    def __init__(self, pid: int, pidfd: int, master: int | None) -> None:
        self.pid, self.pidfd, self.master = pid, pidfd, master


class Entering:
    """A process on its way in, heard message by message; the shim has others to listen to.

    Those inside see it before it is theirs, and may stop it (SIGSTOP) for as long as they like.
    """

    __slots__ = ("sock", "ready", "pid", "pidfd", "master", "failure")

    def __init__(self, sock: _socket.socket) -> None:
        self.sock, self.ready = sock, False
        self.pid, self.pidfd = 0, -1
        self.master: int | None = None
        self.failure: sync.ChildFailed | None = None

    def fileno(self) -> int:
        """Readable when there is a message."""
        return self.sock.fileno()

    def hear(self) -> bool:
        """Take one message. False at the end: its program runs, or never will.

        To the end, also after an error: the joiner's word of the pid may come behind it.
        """
        message, fd = sync.receive(self.sock)
        if message is None:
            return False
        if "pid" in message:
            self.pid = message["pid"]
            self.pidfd = processes.pidfd_open(self.pid)
        if fd is not None:
            self.master = fd
        if "ready" in message:
            self.ready = True
            try:
                sync.send(self.sock, {"go": "start"})
            except BrokenPipeError:
                pass  # killed meanwhile; its wait status tells
        if "error" in message:
            self.failure = sync.ChildFailed(message)
        return True

    def outcome(self) -> Process:
        """After the end: the process, or raises why there is none."""
        if self.failure is None and self.ready and self.pid:
            self.sock.close()
            return Process(self.pid, self.pidfd, self.master)
        self.give_up()
        raise self.failure or Conflict("join the container: killed on the way in")

    def give_up(self) -> None:
        """Kill it, wherever it is, and let go. Waited for it is with the orphans, if not now."""
        self.sock.close()
        if self.master is not None:
            os.close(self.master)
        if self.pid:
            processes.pidfd_send_signal(self.pidfd, 9)
            os.close(self.pidfd)
            os.waitpid(self.pid, os.WNOHANG)


class Order:
    """What is to be started inside, and how: made by the shim, read by joiner and process."""

    __slots__ = ("process", "init_pid", "init_pidfd", "group", "stdio", "filter", "flags",
                 "passed_on", "gate", "linux", "agent", "root")

    def __init__(self, process: dict[str, Any], init_pid: int, init_pidfd: int, group: Cgroup,
                 stdio: tuple[int, int, int]) -> None:
        self.process, self.init_pid, self.init_pidfd = process, init_pid, init_pidfd
        self.group, self.stdio = group, stdio
        self.filter, self.flags = b"", 0
        self.linux: dict[str, Any] = {}  # config.json's, for the personality
        self.agent: Agent | None = None  # who is asked where the filter leaves a call open
        self.passed_on = 0  # so many descriptors from 3 on are the process's
        self.root = ""  # the directory that is its root, where it has one by chroot only
        self.gate: str | None = None  # where joiner and process are held at every operation


def enter_container(process: dict[str, Any], init_pid: int, init_pidfd: int, group: Cgroup,
                    stdio: tuple[int, int, int], plan: Plan) -> Entering:
    """Send config.json's process into the container of the plan. Returns while it is on its way."""
    order = Order(process, init_pid, init_pidfd, group, stdio)
    order.filter, order.flags = plan.filter, plan.filter_flags
    order.linux = plan.spec.get("linux") or {}
    order.root = "" if plan.pivots else plan.rootfs
    order.agent = connect_agent(order.linux, {
        "ociVersion": VERSION, "id": plan.ident, "status": "running",
        "pid": init_pid, "bundle": plan.bundle,
        "annotations": plan.spec.get("annotations") or {}})
    return send_inside(order)


def connect_agent(linux: dict[str, Any], state: dict[str, Any]) -> Agent | None:
    """The agent that the container's filter asks, if it asks one; told this state of the container.

    Raises LabError.
    """
    profile = linux.get("seccomp") or {}
    if not any(entry["action"] == "SCMP_ACT_NOTIFY" for entry in profile.get("syscalls") or ()):
        return None
    from runtime.oci import agent

    return agent.connect(profile, state)


def send_inside(order: Order) -> Entering:
    """The same, by what is in the order."""
    ours, theirs = sync.pair()
    joiner = os.fork()
    if joiner == 0:
        ours.close()
        join_and_fork(order, theirs)
    theirs.close()
    if order.agent is not None:
        order.agent.close()
    entering = Entering(ours)
    # The joiner is in the host's PID namespace, out of reach of those inside, and soon gone.
    os.waitpid(joiner, 0)
    while not entering.pid and entering.hear():
        continue  # what it said of the pid is there already
    return entering


def join_and_fork(order: Order, sock: _socket.socket) -> None:
    """In the joiner: enter the namespaces, leave the process behind, be gone."""
    teller, process = Teller(None), order.process
    try:
        observe(None)  # whoever watches our parent has a connection to it, and not to us
        gate = open_gate(order.gate)
        hold_at(order.gate, teller)
        program.import_ahead(process)
        # Outside the group still: CPUs to begin on, so that to enter disturbs no others.
        program.set_affinity(process, "initial")
        joins, birth = order.group.open_joins(), order.group.birth_fd()
        # While /proc/self is ours to write. From here to execve those inside can see us, and may
        # neither trace us nor open the host's program that we run (CVE-2019-5736).
        program.set_oom_score(process)
        processes.set_dumpable(False)
        if "attempts" in process:
            from runtime.oci import attempts  # noqa: F401  (inside, our files are out of reach)
        entered = enter(order.init_pid, order.init_pidfd)
        if order.root:
            # Where init made it, not where init is now: that may have gone elsewhere.
            enter_by_chroot(order.root)
        pid, _ = namespaces.clone3(namespaces.Flags(namespaces.CLONE_PARENT), birth)
        if pid == 0:
            run(order, joins, sock, entered, gate)
        # We are in the outer PID namespace still, so this is the pid the shim knows it by.
        sync.send(sock, {"pid": pid})
    except BaseException as error:
        tell_failure(sock, error, teller)
    finally:
        os._exit(0)


def open_gate(gate: str | None) -> int:
    """The gate's directory, through which the process will come to it; -1 where there is none."""
    if gate is None:
        return -1
    return os.open(os.path.dirname(gate) or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def hold_at(gate: str | None, teller: Teller) -> list[int]:
    """Connect to the gate, if there is one; the connection's descriptor."""
    if gate is None:
        return []
    from runtime.trace.wire import Wire

    wire = Wire(gate)
    teller.recorder.then = wire
    observe(teller)
    return [wire.socket.fileno()]


def enter(init_pid: int, init_pidfd: int) -> int:
    """All namespaces of init at once, but those we are in already: setns refuses our own user's.

    Returns which, as CLONE_NEW*. The cgroup one is left to the process: where namespaces delegate
    (nsdelegate), nobody is born into a group out of a namespace that does not hold his own.
    """
    mask = 0
    for kind, flag in KINDS.items():
        if not os.path.lexists(f"/proc/self/ns/{kind}"):
            continue  # a kernel without this kind
        try:
            inside = os.readlink(f"/proc/{init_pid}/ns/{kind}")
        except FileNotFoundError:
            # To go on would be to run the program on the host.
            raise Conflict("join the container: its first process is gone") from None
        if inside != os.readlink(f"/proc/self/ns/{kind}"):
            mask |= flag
    now = mask & ~namespaces.CLONE_NEWCGROUP
    if now:
        namespaces.setns(init_pidfd, namespaces.Flags(now))
    return mask


def run(order: Order, joins: list[int], sock: _socket.socket, entered: int, gate: int) -> None:
    """In the process itself: the second half of init's way. Leaves by execve or _exit."""
    teller, process = Teller(None), order.process
    try:
        held: list[int] = []
        if order.gate is not None:
            os.fchdir(gate)  # by its name it is out of reach from here
            held = hold_at(os.path.basename(order.gate), teller)
        observe(teller)
        if entered & namespaces.CLONE_NEWCGROUP:
            namespaces.setns(order.init_pidfd, namespaces.Flags(namespaces.CLONE_NEWCGROUP))
        program.reset_signals()
        processes.setsid()
        processes.join_session_keyring()
        move_stdio(order.stdio, process)
        if order.agent is not None:
            order.agent.know_self()
            held += order.agent.descriptors()
        processes.close_others([sock.fileno(), *joins, *held, *range(3, 3 + order.passed_on)])
        if entered & namespaces.CLONE_NEWUSER:
            # As init: the shim's user is nobody in this user namespace.
            identity.become_root_inside()
        with phase("limit"):
            order.group.join_self(joins)
            program.set_affinity(process, "final")
            program.set_rlimits(process)
            program.set_scheduling(process)
            program.set_personality(order.linux)
        master = terminal.attach(process, console=False) if process.get("terminal") else None
        path = "" if "attempts" in process else program.prepare(process, make=False)
        environment = program.environment(process)
        become_program(order, path, environment, master, sock)
    except BaseException as error:
        tell_failure(sock, error, teller)
    finally:
        os._exit(1)


def become_program(order: Order, path: str, environment: dict[str, str], master: int | None,
                   sock: _socket.socket) -> None:
    """Go down to what the program may, say "ready", hear "start", and be it."""
    process = order.process
    sealed = bool(process.get("noNewPrivileges"))
    with phase("drop"):
        program.set_labels(process)
        # As in init: a filter without no_new_privs needs the capabilities that are dropped.
        if order.filter and not sealed:
            seccomp.install(order.filter, order.flags, order.agent)
        identity.drop(process)
        processes.close_range_on_exec(3 + order.passed_on)
    sync.send(sock, {"ready": {"path": path}}, master)
    if master is not None:
        os.close(master)
    sync.wait_for_go(sock, "start")
    with phase("exec"):
        program.set_last_rlimits(process)
        if order.filter and sealed:
            seccomp.install(order.filter, order.flags, order.agent)
        if "attempts" in process:
            from runtime.oci import attempts

            sock.close()  # what execve would do: it tells the shim that the program runs
            observe(None)
            attempts.main(process["attempts"])
        processes.execve(path, process["args"], environment)
