"""The table of contents of a container: what its first process does before it is the program.

Runs in the container's first process, single-threaded, from clone3 to execve; it never returns.
The twin of runc's standard_init_linux.go. Each block says why it cannot stand anywhere else.
It may not touch the engine's world: what it needs is in the plan (the bundle's config.json, the
mounts that make the root, descriptors), and what goes wrong travels to the shim as data.
"""

from __future__ import annotations

import errno
import os
import stat
from time import monotonic_ns

from runtime.errors import LabError, to_data
from runtime.kernel import files, namespaces, processes, seccomp, users
from runtime.oci import identity, program, rootfs, sync, terminal
from runtime.trace.operation import current_phase, observe, phase
from runtime.trace.recorder import Recorder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import _socket

    from runtime.cgroup.cgroup import Cgroup
    from runtime.oci.agent import Agent
    from runtime.oci.plan import Plan
    from runtime.trace.operation import Operation


class Teller:
    """Init's observer: keeps the operations, and after `aloud` writes each down before it happens.

    Aloud, because from seccomp on the process may not be allowed to write anything any more.
    """

    def __init__(self, record: int | None) -> None:
        self.recorder = Recorder("init", None, record)
        self.aloud = False

    def before(self, operation: Operation) -> None:
        self.recorder.before(operation)
        if self.aloud and operation.name != "execve":
            operation.start_ns = monotonic_ns()
            try:
                self.recorder.flush()
            except OSError as error:
                # RLIMIT_FSIZE, the program's and by now ours: the film ends here.
                if error.errno != errno.EFBIG:
                    raise

    def after(self, operation: Operation) -> None:
        self.recorder.after(operation)


def run(plan: Plan, group: Cgroup, joins: list[int], sock: _socket.socket) -> None:
    """Become the container's program. Leaves by execve, or by _exit after telling why not."""
    teller = Teller(plan.record)
    try:
        observe(teller if plan.filmed or plan.gate else None)
        if plan.gate:
            from runtime.trace.wire import Wire

            teller.recorder.then = Wire(plan.gate)
        become_container(plan, group, joins, sock, teller)
    except BaseException as error:  # whatever it is, the parent must hear of it
        tell_failure(sock, error, teller)
    finally:
        os._exit(1)


def become_container(plan: Plan, group: Cgroup, joins: list[int], sock: _socket.socket,
                     teller: Teller) -> None:
    """The whole way, in order."""
    spec, process = plan.spec, plan.process

    # First, so that nothing of this process is judged by what the caller left behind.
    program.reset_signals()
    with phase("isolate"):
        # The caller's umask would go through every mode of the root that is made here.
        users.umask(0)
        # Without a written map we are nobody here, and every file operation is EOVERFLOW.
        if plan.new_namespace("user"):
            sync.wait_for_go(sock, "mapped")
        # While this is the host's /proc, which tells who we are there.
        if plan.agent is not None:
            plan.agent.know_self()
        # Before the rest is made or entered: without an id in here, that belongs to nobody.
        if "user" in plan.namespaces:
            identity.become_root_inside()
            own_stdio(process)  # only now has the user a number
        # Whoever is in a namespace that we enter, or comes by exec while we wait for "start", may
        # neither trace us nor open the host's program that we run. (CVE-2016-9962, CVE-2019-5736)
        if plan.has_visitors():
            processes.set_dumpable(False)
        # A session of its own: a signal to the caller's terminal must not reach the container.
        processes.setsid()
        if plan.new_keyring:
            processes.join_session_keyring()
        # The mount namespace last: it takes the paths of the host away.
        if plan.doors:
            enter_namespaces(plan)

    with phase("root"):
        rootfs.prepare(plan, group)
        # When all is mounted and nothing entered: hooks may add to it, the host's side first.
        state = run_hooks(plan, sock) if spec.get("hooks") else None
        if plan.move_root:
            rootfs.move_root(plan.rootfs)
        elif plan.pivots:
            rootfs.enter_rootfs(plan.rootfs)
        else:
            rootfs.enter_by_chroot(plan.rootfs)
        if spec.get("hostname"):
            namespaces.sethostname(spec["hostname"])
        if spec.get("domainname"):
            namespaces.setdomainname(spec["domainname"])
        if plan.new_namespace("net"):
            rootfs.loopback_up()
        # Made before finish, for the root may become read-only; entered after, for the directory
        # may be one that is hidden.
        os.close(program.open_directory(process))
        # Before finish, which makes /proc/sys read-only.
        for name, value in ((spec.get("linux") or {}).get("sysctl") or {}).items():
            files.write_control(sysctl_file(name), value)
        # A pty needs the container's devpts; before the user changes, for its owner is set here;
        # before /dev may become read-only, for /dev/console is made in it.
        master = terminal.attach(process) if process.get("terminal") else None
        rootfs.finish(plan)
        path, environment = program.prepare(process), program.environment(process)

    with phase("limit"):
        # After the mounts, so that making the container is not throttled by its own CPU quota.
        # (On v2 it was born inside; there the quota holds from the first instruction.)
        group.join_self(joins)
        # After joining: where we are now is what the new namespace shows as its root.
        if plan.new_namespace("cgroup"):
            namespaces.unshare(namespaces.Flags(namespaces.CLONE_NEWCGROUP))
        # While still root, for more of any of it needs a capability.
        program.set_rlimits(process)
        program.set_scheduling(process)
        # From here on uname(2) may tell us another machine.
        program.set_personality(spec.get("linux") or {})

    sealed = bool(process.get("noNewPrivileges"))
    with phase("drop"):
        # For the execve to come. Before the user changes, for these files are root's.
        program.set_labels(process)
        # Without no_new_privs, installing a filter needs CAP_SYS_ADMIN: before it is dropped.
        if plan.filter and not sealed:
            install_filter(plan.filter, plan.filter_flags, plan.agent)
        identity.drop(process)
        # All descriptors but stdio end at execve, whoever left them open (CVE-2024-21626).
        processes.close_range_on_exec(3 + plan.passed_on)

    sync.send(sock, {"ready": {"path": path, "warnings": identity.warnings(process)}}, master)
    if master is not None:
        os.close(master)
    # While the shim makes up its mind, on the other CPU.
    teller.recorder.flush()
    sync.wait_for_start(sock, plan.listener)

    with phase("exec"):
        teller.aloud = True
        # Those that would have cut us short, who are Python; before a filter that may forbid it.
        program.set_last_rlimits(process)
        # With no_new_privs the filter comes as late as can be, for it judges our own calls too; but
        # before the hooks, which are programs of the image.
        if plan.filter and sealed:
            install_filter(plan.filter, plan.filter_flags, plan.agent)
        if state is not None:
            hooks_of(plan).run("startContainer", spec["hooks"], {**state, "status": "created"})
        processes.execve(path, process["args"], environment)


def run_hooks(plan: Plan, sock: _socket.socket) -> dict[str, Any]:
    """Let the host's side run its hooks, then run createContainer's. The state they were told."""
    hooks = hooks_of(plan)
    sync.send(sock, {"mounted": True})
    state: dict[str, Any] = sync.wait_for_go(sock, "hooked")["state"]
    hooks.run("createContainer", plan.spec["hooks"], state, plan.rootfs)
    return state


def hooks_of(plan: Plan) -> Any:
    """hooks.py, which a bundle without hooks need not import; once, while our files are there."""
    from runtime.oci import hooks

    return hooks


def enter_namespaces(plan: Plan) -> None:
    """Those that config.json names by path; the shim has opened them, and imported what we need."""
    from runtime.oci import namespaces as joined

    joined.enter(plan.doors)


def install_filter(program_: bytes, flags: int, agent: Agent | None) -> None:
    """The seccomp filter, and where it asks somebody, with its other end in that one's hands."""
    if agent is None:
        seccomp.set_filter(program_, flags)
        return
    from runtime.oci.agent import install

    install(program_, flags, agent)


def move_stdio(stdio: tuple[int, int, int], process: dict[str, Any]) -> None:
    """Put the three descriptors at 0, 1, 2."""
    # Away from 0 to 2 first: one of the three may stand where another has to go.
    spare = [os.dup(fd) if fd < 3 else fd for fd in stdio]
    for number, fd in enumerate(spare):
        os.dup2(fd, number)
    own_stdio(process)


def own_stdio(process: dict[str, Any]) -> None:
    """Give the output's pipes to the user: he may open /dev/stdout again, and root's say EACCES.

    One whose owner or user has no number here cannot be given: left as it is, as runc leaves it.
    """
    uid = (process.get("user") or {}).get("uid", 0)
    for number in (1, 2) if uid else ():
        if stat.S_ISFIFO(os.fstat(number).st_mode):
            try:
                os.fchown(number, uid, -1)
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.EINVAL):
                    raise


def sysctl_file(name: str) -> str:
    """net.ipv4.ip_forward, or net/ipv4/conf/eth0.5/… where a name has a point. sysctl(8)"""
    return f"/proc/sys/{name if '/' in name else name.replace('.', '/')}"


def tell_failure(sock: _socket.socket, error: BaseException, teller: Teller) -> None:
    """Send the error and all that was done so far; then there is nothing left to do."""
    if not isinstance(error, (LabError, OSError)):
        # A mistake of ours. Python's traceback is a file, which may be out of reach in here.
        error = LabError(f"{type(error).__name__}: {error}", where(error))
    try:
        teller.recorder.flush()
        sync.send(sock, {"error": to_data(error), "phase": current_phase()})
    except OSError:
        os._exit(1)


def where(error: BaseException) -> str:
    """Where it was raised: "runtime/oci/init.py:161"."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/runtime/')[2]}:{trace.tb_lineno}"
