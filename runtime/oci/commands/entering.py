"""exec: one more process in a container, for whoever asks by command line.

The process comes from --process FILE (config.json's process, as containerd and podman write it), or
from the container's own with what the options change. It is our child, so a subreaper above gets it
when we go (--detach); in the foreground we wait and pass on its exit code. The joining itself is
runtime/oci/exec.py's. Sources: runc-exec(8); runc's exec.go.
"""

from __future__ import annotations

import os

from runtime import documents
from runtime.cgroup import cgroup
from runtime.errors import Conflict, Invalid, LabError, NotFound, Unsupported
from runtime.kernel import processes
from runtime.oci import exec as joining
from runtime.oci import seccomp, spec, state, sync
from runtime.oci.commands import foreground, stdio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cgroup.cgroup import Cgroup
    from runtime.oci.cli import Settings
    from runtime.oci.options import Options
    from runtime.oci.state import Container

# Not inheritable: with it, a program with file capabilities would get them (CVE-2022-29162).
CAPABILITY_SETS = ("bounding", "effective", "permitted", "ambient")


def exec_(settings: Settings, options: Options, arguments: list[str]) -> int:
    """Start a process in the container, and unless --detach wait for it."""
    try:
        return enter(settings, options, arguments)
    except (LabError, OSError) as error:
        raise failed(error) from None


def failed(error: LabError | OSError) -> LabError:
    """The error as runc's exec tells it."""
    from runtime.oci.cli import text_of

    text = text_of(error)
    if isinstance(error, sync.ChildFailed):
        text = f"unable to start container process: {text}"
    return LabError(f"exec failed: {text}")


def enter(settings: Settings, options: Options, arguments: list[str]) -> int:
    """The same, with errors as they come."""
    container = state.load(settings.root, arguments[0])
    refuse(container, options)
    made = container.config()
    process = asked_for(made["process"], options, arguments[1:])
    spec.check_process(process)
    detached = bool(options.get("detach"))
    stdio.check(bool(process.get("terminal")), detached, options.get("console-socket") or "")
    passed_on = stdio.passed_on(process, options.get("preserve-fds") or 0)
    profile = (made.get("linux") or {}).get("seccomp") or {}
    filter_ = seccomp.filter_for(profile, state.filters(settings.root)) if profile else b""
    init_pidfd = hold(container)
    try:
        order = joining.Order(process, container.pid, init_pidfd,
                              groups(container, options.get("cgroup") or []), (0, 1, 2))
        order.filter, order.flags = filter_, seccomp.filter_flags(profile)
        order.passed_on, order.gate = passed_on, settings.gate
        order.linux = made.get("linux") or {}
        order.agent = joining.connect_agent(order.linux, container.report())
        entering = joining.send_inside(order)
    finally:
        os.close(init_pidfd)
    if not detached and entering.pid:
        foreground.forward_signals(entering.pidfd)
    while entering.hear():
        continue
    return keep(entering.outcome(), options, detached)


def keep(process: joining.Process, options: Options, detached: bool) -> int:
    """Tell who wants to know of it, and wait for it or let it go."""
    try:
        stdio.hand_over(process, options)
    except BaseException:
        processes.pidfd_send_signal(process.pidfd, 9)
        os.waitpid(process.pid, 0)
        raise
    if detached:
        return 0
    return foreground.follow(process.pid, process.pidfd, process.master)


def refuse(container: Container, options: Options) -> None:
    """Is the container in a state to be entered? Raises Conflict in runc's words."""
    status = container.status()
    if status in ("stopped", "creating"):
        raise Conflict("cannot exec in a stopped container")
    if status == "paused" and not options.get("ignore-paused"):
        raise Conflict("cannot exec in a paused container (use --ignore-paused to override)")


def hold(container: Container) -> int:
    """A descriptor of its first process, and of no other that got its number. Raises Conflict."""
    try:
        pidfd = processes.pidfd_open(container.pid)
    except OSError:
        raise Conflict("cannot exec in a stopped container") from None
    if not container.alive():
        os.close(pidfd)
        raise Conflict("cannot exec in a stopped container")
    return pidfd


def asked_for(own: dict[str, Any], options: Options, words: list[str]) -> dict[str, Any]:
    """The process to start: from the file, or the container's own, changed as asked."""
    path = options.get("process")
    if path:
        try:
            given: dict[str, Any] = documents.read(path)
        except OSError as error:
            raise NotFound(f"open {path}: {os.strerror(error.errno or 0).lower()}") from None
        return {"user": {}, **given}
    if not words:
        raise Invalid("process args cannot be empty")
    process = {**own, "args": words, "terminal": bool(options.get("tty")),
               "env": [*(own.get("env") or []), *(options.get("env") or [])]}
    if options.get("cwd"):
        process["cwd"] = options["cwd"]
    if "no-new-privs" in options:
        process["noNewPrivileges"] = options["no-new-privs"]
    for option, key in (("process-label", "selinuxLabel"), ("apparmor", "apparmorProfile")):
        if options.get(option):
            process[key] = options[option]
    process["user"] = user(own.get("user") or {}, options)
    process["capabilities"] = capabilities(own.get("capabilities") or {}, options.get("cap") or [])
    return process


def user(own: dict[str, Any], options: Options) -> dict[str, Any]:
    """--user UID[:GID] and --additional-gids. Raises Invalid."""
    changed = dict(own)
    given = options.get("user") or ""
    if given:
        uid, colon, gid = given.partition(":")
        for key, text in (("uid", uid), *((("gid", gid),) if colon else ())):
            if not (text.isascii() and text.isdigit()):
                raise Invalid(f"parsing {text} as int for {key} failed: strconv.Atoi: parsing "
                              f'"{text}": invalid syntax')
            changed[key] = int(text)
    more = options.get("additional-gids") or []
    for gid in more:
        if gid < 0:
            raise Invalid(f"additional-gids must be a positive number {gid}")
    if more:
        changed["additionalGids"] = [*(own.get("additionalGids") or []), *more]
    return changed


def capabilities(own: dict[str, Any], more: list[str]) -> dict[str, Any]:
    """The container's sets, and these added to all but the inheritable one."""
    added = {key: [*(own.get(key) or []), *more] for key in CAPABILITY_SETS} if more else {}
    return {**own, **added}


def groups(container: Container, wanted: list[str]) -> Cgroup:
    """The container's group, or groups below it: --cgroup [CONTROLLER[,…]:]PATH. Raises Invalid.

    A group below is the container's own work: it has to be there.
    """
    own = container.group()
    joined = own
    for each in wanted:
        names, colon, path = each.rpartition(":")
        below = "/".join(part for part in path.split("/") if part not in ("", "."))
        if ".." in below.split("/"):
            raise Invalid(f"bad sub cgroup path: {path}")
        if not colon:
            joined = cgroup.open_group(f"{own.path}/{below}" if below else own.path)
            continue
        for name in names.split(","):
            if name not in own.paths:
                raise Invalid(f"unknown controller {name} in SUBCGROUP parameter")
            joined.paths[name] = f"{own.paths[name]}/{below}" if below else own.paths[name]
    for directory in joined.directories():
        if not os.path.isdir(directory):
            raise NotFound(f"error adding pid to cgroups: {directory}/cgroup.procs: "
                           "no such file or directory")
    if wanted and own.version == 2 and any(":" in each for each in wanted):
        raise Unsupported("--cgroup with a controller: on cgroup v2 there is one tree for all")
    return joined
