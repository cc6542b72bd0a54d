"""The table of contents of a container: what its first process does before it is the program.

Runs in the container's first process, single-threaded, from clone3 to execve; it never returns.
The twin of runc's standard_init_linux.go. `become_container` is the table: five phases, each with
the reason why it cannot stand anywhere else. A phase is a function below, in the same order, and
gives the reasons of its steps. It may not touch the engine's world: what it needs is in the plan
(the bundle's config.json, the mounts that make the root, descriptors), and what goes wrong travels
to the shim as data. The other side of it is create.py; sync.py draws what they say to each other.
"""

from __future__ import annotations

import errno
import os
import stat

from runtime.kernel import files, namespaces, processes, users
from runtime.oci import identity, program, rootfs, seccomp, sync, terminal
from runtime.oci.teller import Teller, tell_failure
from runtime.trace.operation import observe, phase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import _socket

    from runtime.cgroup.cgroup import Cgroup
    from runtime.oci.plan import Plan


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
    # What the caller ignores or blocks would be ignored and blocked in the container.
    program.reset_signals()

    # clone3 has made the namespaces. First of all, because what is mounted, named or joined before
    # this process is all in its own would be the host's.
    with phase("isolate"):
        isolate(plan, sock)

    # Before it is limited, so that making the container is not throttled by its own CPU quota; and
    # while still almighty, for mounts need CAP_SYS_ADMIN. Within: until pivot_root the host's files
    # can be reached, which the root is made of; after it, a path means the container's own.
    with phase("root"):
        state = make_root(plan, group, sock)
        enter_root(plan)
        master = finish_root(plan)
        path, environment = program.prepare(plan.process), program.environment(plan.process)

    # Still root, for to raise a limit or a priority takes a capability; and after the mounts, as
    # joined cgroups show in the new cgroup namespace from where they were joined.
    with phase("limit"):
        limit(plan, group, joins)

    # Nothing is left to do that needs more than the program may. Not earlier, for everything above
    # does; not later, for what follows may be long in coming, and waits with no more than that.
    with phase("drop"):
        warnings = drop(plan)

    # The container is created: runtime.md "Lifecycle", between step 2 and step 6.
    sync.send(sock, {"ready": {"path": path, "warnings": warnings}}, master)
    if master is not None:
        os.close(master)
    # While the shim makes up its mind, on the other CPU.
    teller.recorder.flush()
    sync.wait_for_start(sock, plan.listener)

    # Last, and only at the word "start". From here on each operation is told before it happens, for
    # the filter may forbid to tell of it.
    with phase("exec"):
        teller.aloud = True
        seal(plan, state)
        processes.execve(path, plan.process["args"], environment)


def isolate(plan: Plan, sock: _socket.socket) -> None:
    """Be somebody in the new namespaces, enter those there were, cut the ties to the caller."""
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
        own_stdio(plan.process)  # only now has the user a number
    # Whoever is in a namespace that we enter, or comes by exec while we wait for "start", may
    # neither trace us nor open the host's program that we run (CVE-2016-9962, CVE-2019-5736).
    if plan.has_visitors():
        processes.set_dumpable(False)
    # A session of its own: a signal to the caller's terminal must not reach the container.
    processes.setsid()
    # Keys are inherited unseen, as descriptors are not.
    if plan.new_keyring:
        processes.join_session_keyring()
    # The mount namespace last of them: it takes the paths of the host away.
    if plan.doors:
        from runtime.oci import namespaces as joined  # imported by the shim, where our files are

        joined.enter(plan.doors)


def make_root(plan: Plan, group: Cgroup, sock: _socket.socket) -> dict[str, Any] | None:
    """Mount it all at its place in the host's tree; returns the state that hooks were told."""
    rootfs.prepare(plan, group)
    if not plan.spec.get("hooks"):
        return None
    # When all is mounted and nothing entered: hooks may add to it, the host's side first.
    from runtime.oci import hooks

    sync.send(sock, {"mounted": True})
    state: dict[str, Any] = sync.wait_for_go(sock, "hooked")["state"]
    hooks.run("createContainer", plan.spec["hooks"], state, plan.rootfs)
    return state


def enter_root(plan: Plan) -> None:
    """Make it the root, and let the host's go."""
    if plan.move_root:
        rootfs.move_root(plan.rootfs)
    elif plan.pivots:
        rootfs.enter_rootfs(plan.rootfs)
    else:
        rootfs.enter_by_chroot(plan.rootfs)


def finish_root(plan: Plan) -> int | None:
    """What is done from inside, up to what is hidden and read-only; the terminal's master."""
    spec, process = plan.spec, plan.process
    if spec.get("hostname"):
        namespaces.sethostname(spec["hostname"])
    if spec.get("domainname"):
        namespaces.setdomainname(spec["domainname"])
    if plan.new_namespace("net"):
        rootfs.loopback_up()
    # Made before finish, for the root may become read-only; entered after, for the directory may be
    # one that is hidden.
    os.close(program.open_directory(process))
    # Before finish, which makes /proc/sys read-only.
    for name, value in ((spec.get("linux") or {}).get("sysctl") or {}).items():
        files.write_control(sysctl_file(name), value)
    # A pty needs the container's devpts; before the user changes, for its owner is set here; before
    # /dev may become read-only, for /dev/console is made in it.
    master = terminal.attach(process) if process.get("terminal") else None
    rootfs.finish(plan)
    return master


def limit(plan: Plan, group: Cgroup, joins: list[int]) -> None:
    """Join the control groups, and set what the kernel holds this one process to."""
    # (On v2 it was born inside; there the quota holds from the first instruction.)
    group.join_self(joins)
    # After joining: where we are now is what the new namespace shows as its root.
    if plan.new_namespace("cgroup"):
        namespaces.unshare(namespaces.Flags(namespaces.CLONE_NEWCGROUP))
    program.set_rlimits(plan.process)
    program.set_scheduling(plan.process)
    # From here on uname(2) may tell us another machine.
    program.set_personality(plan.spec.get("linux") or {})


def drop(plan: Plan) -> list[str]:
    """Go down to the user, the capabilities and the descriptors that the program will have.

    Returns what could not be given, as warnings.
    """
    # For the execve to come. Before the user changes, for these files are root's.
    program.set_labels(plan.process)
    # Without no_new_privs, installing a filter needs CAP_SYS_ADMIN: before it is dropped.
    if plan.filter and not plan.process.get("noNewPrivileges"):
        seccomp.install(plan.filter, plan.filter_flags, plan.agent)
    warnings = identity.drop(plan.process)
    # All descriptors but stdio end at execve, whoever left them open (CVE-2024-21626).
    processes.close_range_on_exec(3 + plan.passed_on)
    return warnings


def seal(plan: Plan, state: dict[str, Any] | None) -> None:
    """The last things before the program: what would have been in our own way until now."""
    # We are Python, and write down what we do; before a filter that may forbid it.
    program.set_last_rlimits(plan.process)
    # With no_new_privs the filter can come as late as this, and judges next to no calls of ours.
    if plan.filter and plan.process.get("noNewPrivileges"):
        seccomp.install(plan.filter, plan.filter_flags, plan.agent)
    # After the filter, for these are programs of the image.
    if state is not None:
        from runtime.oci import hooks

        hooks.run("startContainer", plan.spec["hooks"], {**state, "status": "created"})


def move_stdio(stdio: tuple[int, int, int], process: dict[str, Any]) -> None:
    """Put the three descriptors at 0, 1, 2: before anything else, by create.py."""
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
