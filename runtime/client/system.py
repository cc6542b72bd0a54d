"""version, info, events: the program and its engine as a whole.

The twins of docker/cli's system/version.go, info.go, events.go, with the same fields for --format.
"""

from __future__ import annotations

import os
import time

from runtime.client import times
from runtime.client.options import BUILT, ClientError, Command
from runtime.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from runtime.client.options import Options
    from runtime.client.session import Session

POLL_S = 0.1
EVENT_FILTERS = ("container", "event", "image", "label", "type")


def version(session: Session, given: Options, words: list[str]) -> int:
    """`version`, and `-v` as its first line alone."""
    number = number_of()
    if given.get("short"):
        session.say(f"{session.program} version {number}")
        return 0
    host = os.uname()
    fields = {"Client": {"Version": number, "Os": "linux", "Arch": architecture()},
              "Server": {"Version": number, "Os": "linux", "Arch": architecture(),
                         "KernelVersion": host.release}}
    if given.get("format"):
        return _by_template(session, given["format"], fields, "version", "system.versionInfo")
    session.say(f"Client: container-lab\n Version:           {number}\n"
                f" OS/Arch:           linux/{architecture()}\n\n"
                f"Server: container-lab, in the same process\n Version:          {number}\n"
                f" Kernel:           {host.release}")
    return 0


def number_of() -> str:
    """The version that is installed; a source tree has none."""
    from importlib import metadata

    try:
        return metadata.version("container-lab")
    except metadata.PackageNotFoundError:
        return "0.1.0"


def architecture() -> str:
    machine = os.uname().machine
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _by_template(session: Session, form: str, fields: dict[str, Any], name: str, kind: str) -> int:
    from runtime.client import format, tables
    from runtime.client.template_functions import TemplateError

    if form == "json":
        form = "{{json .}}"
    try:
        session.say(format.parse(form, name).render(tables.Row(fields, kind)))
    except TemplateError as error:
        session.say("")
        raise ClientError(str(error)) from None
    return 0


def info(session: Session, given: Options, words: list[str]) -> int:
    """`info`: how many of what, and what it stands on."""
    fields = _info(session)
    if given.get("format"):
        return _by_template(session, given["format"], fields, "", "system.dockerInfo")
    session.say("\n".join([
        f"Client: container-lab {fields['ServerVersion']}", "",
        "Server:",
        f" Containers: {fields['Containers']}",
        f"  Running: {fields['ContainersRunning']}",
        f"  Paused: {fields['ContainersPaused']}",
        f"  Stopped: {fields['ContainersStopped']}",
        f" Images: {fields['Images']}",
        f" Storage Driver: {fields['Driver']}",
        f" Logging Driver: {fields['LoggingDriver']}",
        f" Cgroup Driver: {fields['CgroupDriver']}",
        f" Cgroup Version: {fields['CgroupVersion']}",
        f" Runtimes: {' '.join(fields['Runtimes'])}",
        f" Default Runtime: {fields['DefaultRuntime']}",
        *([" Security Options:", "  rootless"] if fields["SecurityOptions"] else []),
        f" Kernel Version: {fields['KernelVersion']}",
        f" OSType: {fields['OSType']}",
        f" Architecture: {fields['Architecture']}",
        f" CPUs: {fields['NCPU']}",
        f" Name: {fields['Name']}",
        f" Docker Root Dir: {fields['DockerRootDir']}",
    ]))
    return 0


def _info(session: Session) -> dict[str, Any]:
    host, engine = os.uname(), session.engine
    states = [container.status for container in engine.containers()]
    running, paused = states.count("running"), states.count("paused")
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    unified = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
    from runtime.engine import runtimes

    return {
        "Containers": len(states), "ContainersRunning": running, "ContainersPaused": paused,
        "ContainersStopped": len(states) - running - paused,
        "Images": len(engine.images.images()), "Driver": "overlay2", "LoggingDriver": "json-file",
        "CgroupDriver": cgroup_driver(), "CgroupVersion": "2" if unified else "1",
        "Runtimes": runtimes.found(), "DefaultRuntime": runtimes.OURS,
        "SecurityOptions": ["name=rootless"] if os.geteuid() else [],
        "KernelVersion": host.release, "OSType": "linux", "Architecture": host.machine,
        "NCPU": os.cpu_count(), "MemTotal": memory, "Name": host.nodename,
        "DockerRootDir": engine.root, "ServerVersion": number_of(),
    }


def cgroup_driver() -> str:
    """Docker's word for a daemon without root to which no control group is delegated: none."""
    if os.geteuid() == 0:
        return "cgroupfs"
    from runtime.engine import rootless

    return "cgroupfs" if rootless.group_request()["controllers"] else "none"


def events(session: Session, given: Options, words: list[str]) -> int:
    """`events`: what the engine did, since then and from now on."""
    import sys

    now = time.time()
    wanted = _filters(given.get("filter", []))
    since = times.since(given["since"], now) if given.get("since") else now
    until = times.since(given["until"], now) if given.get("until") else None
    template = _event_template(given.get("format", ""))
    for event in _events(session, since, until):
        if _event_fits(event, wanted):
            session.say(_event_line(event) if template is None else template.render(_event(event)))
            sys.stdout.flush()
    return 0


def _filters(asked: list[str]) -> dict[str, list[str]]:
    from runtime.client import filters

    return filters.grouped(asked, EVENT_FILTERS)


def _event_template(form: str) -> Any:
    from runtime.client import tables

    if not form:
        return None
    return tables.parsed("{{json .}}" if form == "json" else form)


def _events(session: Session, since: float, until: float | None) -> Iterator[dict[str, Any]]:
    """The events in order; without an end, as they come."""
    from_ns = int(since * 1e9)
    while True:
        over = until is not None and time.time() >= until
        for event in session.engine.events(from_ns):
            if until is not None and event["timeNano"] > until * 1e9:
                return
            from_ns = max(from_ns, event["timeNano"] + 1)
            yield event
        if over:
            return
        time.sleep(POLL_S)


def _event_fits(event: dict[str, Any], wanted: dict[str, list[str]]) -> bool:
    attributes = event["Actor"]["Attributes"]
    for key, values in wanted.items():
        if key == "container":
            fits = any(event["Actor"]["ID"].startswith(value) or attributes.get("name") == value
                       for value in values)
        elif key == "event":
            fits = event["Action"] in values
        elif key == "type":
            fits = event["Type"] in values
        elif key == "image":
            fits = attributes.get("image") in values
        else:
            raise Invalid("filter events: label is not kept with an event")
        if not fits:
            return False
    return True


def _event(event: dict[str, Any]) -> dict[str, Any]:
    """With the fields that Docker has twice."""
    return {**event, "status": event["Action"], "Status": event["Action"],
            "id": event["Actor"]["ID"], "ID": event["Actor"]["ID"],
            "From": event["Actor"]["Attributes"].get("image", ""), "scope": "local",
            "Scope": "local", "Time": event["time"], "TimeNano": event["timeNano"]}


def _event_line(event: dict[str, Any]) -> str:
    attributes = event["Actor"]["Attributes"]
    told = ", ".join(f"{name}={attributes[name]}" for name in sorted(attributes))
    return (f"{times.rfc3339(event['timeNano'] / 1e9)} {event['Type']} {event['Action']} "
            f"{event['Actor']['ID']} ({told})")


FORMAT = ("format", "f", "string", BUILT, "<inspect>")

COMMANDS = {
    "version": Command(version, "[OPTIONS]", "Show the container-lab version information",
                       (FORMAT, ("short", "", "bool", BUILT, "One line, as -v prints it")), most=0),
    "info": Command(info, "[OPTIONS]", "Display system-wide information", (FORMAT,),
                    "system info, info", most=0),
    "events": Command(events, "[OPTIONS]", "Get real time events from the server", (
        ("filter", "f", "filter", BUILT, "Filter output based on conditions provided"),
        ("format", "", "string", BUILT, "<inspect>"),
        ("since", "", "string", BUILT, "Show all events created since timestamp"),
        ("until", "", "string", BUILT, "Stream events until this timestamp"),
    ), "system events, events", most=0),
}
