"""ps and images: Docker's columns, filters and formats.

The twin of docker/cli's container/list.go, image/list.go and cli/command/formatter; the filters are
what its daemon does with them. Rows are dictionaries of ready texts: {"Names": "tea", "State":
"running", "Status": "Up 2 seconds (Paused)", …}.
"""

from __future__ import annotations

import os
import time

from runtime.client import filters, tables, times, units
from runtime.client.options import BUILT, HIDDEN, Command
from runtime.errors import LabError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.client.options import Options
    from runtime.client.session import Session
    from runtime.engine.engine import Container
    from runtime.image.store import Image

CONTAINERS = tables.Columns({
    "ID": "CONTAINER ID", "Names": "NAMES", "Image": "IMAGE", "Command": "COMMAND",
    "CreatedAt": "CREATED AT", "RunningFor": "CREATED", "Ports": "PORTS", "State": "STATE",
    "Status": "STATUS", "Size": "SIZE", "Labels": "LABELS", "Mounts": "MOUNTS",
    "LocalVolumes": "LOCAL VOLUMES", "Networks": "NETWORKS", "Platform": "PLATFORM",
}, ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"),
    "*formatter.ContainerContext")

IMAGES = tables.Columns({
    "Repository": "REPOSITORY", "Tag": "TAG", "Digest": "DIGEST", "ID": "IMAGE ID",
    "CreatedSince": "CREATED", "CreatedAt": "CREATED AT", "Size": "SIZE",
    "Containers": "CONTAINERS", "VirtualSize": "SIZE", "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
}, ("Repository", "Tag", "ID", "CreatedSince", "Size"), "*formatter.imageContext")


def list_containers(session: Session, given: Options, words: list[str]) -> int:
    """`ps`, `container ls`."""
    shown = filters.containers(session, given)
    if given.get("quiet") and not given.get("format"):
        for container in shown:
            session.say(container.id if given.get("no-trunc") else container.id[:12])
        return 0
    rows = [_container_row(session, container, given) for container in shown]
    columns = CONTAINERS
    if given.get("size"):
        columns = tables.Columns(columns.titles, (*columns.usual, "Size"), columns.kind)
    tables.show(session, rows, columns, given.get("format", ""))
    return 0


def _container_row(session: Session, container: Container, given: Options) -> dict[str, Any]:
    whole = given.get("no-trunc", False)
    asked = container.config
    created = times.parse(asked["Created"])
    labels = asked["Config"].get("Labels") or {}
    words = [f"'{word}'" if " " in word else word for word in asked["Args"]]
    command = " ".join([asked["Path"], *words])
    mounts = [source if whole else shorten(source, 15) for source in _sources(asked)]
    return {
        "Command": quote(command if whole else shorten(command, 20)),
        "CreatedAt": times.local(created),
        "ID": container.id if whole else container.id[:12],
        "Image": _image_name(asked["Config"]["Image"], whole),
        "Labels": ",".join(f"{name}={labels[name]}" for name in sorted(labels)),
        "LocalVolumes": "0",
        "Mounts": ",".join(mounts),
        "Names": container.name,
        "Networks": asked["HostConfig"].get("NetworkMode") or "none",
        "Platform": None,
        "Ports": "",
        "RunningFor": ago(created),
        "Size": _sizes(session, container) if given.get("size") else "0B",
        "State": container.status,
        "Status": status(container),
        "Label": lambda name: labels.get(name, ""),
    }


def _sources(asked: dict[str, Any]) -> list[str]:
    return [bind.split(":")[0] for bind in asked["HostConfig"].get("Binds") or []]


def _image_name(name: str, whole: bool) -> str:
    """An image given by its id is shown as short as one: sha256:4f… → 4f53…"""
    ident = name.removeprefix("sha256:")
    is_id = len(ident) == 64 and not ident.strip("0123456789abcdef")
    return ident[:12] if is_id and not whole else name


def status(container: Container) -> str:
    """Docker's sentence for the state: "Exited (137) 3 seconds ago"."""
    state, now = container.state, time.time()
    if container.status in ("running", "paused"):
        up = f"Up {units.duration(now - times.parse(state['StartedAt']))}"
        return up + (" (Paused)" if container.status == "paused" else "")
    if container.status != "exited":
        return container.status.capitalize()
    finished = times.parse(state.get("FinishedAt", ""))
    if not finished:
        return ""
    return f"Exited ({container.exit_code}) {ago(finished)}"


def ago(moment: float) -> str:
    # A damaged container has no such time.
    return f"{units.duration(time.time() - moment)} ago" if moment else "N/A"


def shorten(text: str, length: int) -> str:
    """At most so many characters, the last of them an ellipsis if something is missing."""
    return text if len(text) <= length else text[:length - 1] + "…"


def quote(text: str) -> str:
    """In double quotes, as Go's strconv.Quote."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\t", "\\t") + '"'


def _sizes(session: Session, container: Container) -> str:
    """What the container wrote, and with its image: "12B (virtual 1.99MB)"."""
    written = tree_size(os.path.join(container.directory, "upper"))
    try:
        below = session.engine.images.resolve(container.config["Image"]).size_bytes
    except LabError:
        below = 0
    return f"{units.size(written, 3)} (virtual {units.size(written + below, 3)})"


def tree_size(folder: str) -> int:
    """The bytes of all files below a folder; what vanishes meanwhile does not count."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue
    return total


def list_images(session: Session, given: Options, words: list[str]) -> int:
    """`images`, `image ls`."""
    images = filters.images(session, given, words[0] if words else "")
    rows = [row for image, names in images for row in _image_rows(image, names, given)]
    if given.get("quiet") and not given.get("format"):
        for row in rows:
            session.say(row["ID"])
        return 0
    columns = IMAGES
    if given.get("digests"):
        columns = tables.Columns(
            columns.titles, ("Repository", "Tag", "Digest", *columns.usual[2:]), columns.kind)
    tables.show(session, rows, columns, given.get("format", ""))
    return 0


def _image_rows(image: Image, names: list[str], given: Options) -> list[dict[str, str]]:
    """A row a name; an image without a name has one row, of <none>."""
    created = times.parse(image.created)
    size = units.size(image.size_bytes, 3)
    ident = image.id if given.get("no-trunc") else image.id.removeprefix("sha256:")[:12]
    rows = []
    for name in names or ["<none>:<none>"]:
        repository, _, tag = name.rpartition(":")
        rows.append({
            "Containers": "N/A", "CreatedAt": times.local(created), "CreatedSince": ago(created),
            "Digest": "<none>", "ID": ident, "Repository": repository, "SharedSize": "N/A",
            "Size": size, "Tag": tag, "UniqueSize": "N/A", "VirtualSize": size,
        })
    return rows


FILTER = ("filter", "f", "filter", BUILT, "Filter output based on conditions provided")
FORMAT = ("format", "", "string", BUILT, "<table>")

COMMANDS = {
    "ps": Command(list_containers, "[OPTIONS]", "List containers", (
        ("all", "a", "bool", BUILT, "Show all containers (default shows just running)"),
        FILTER, FORMAT,
        ("last", "n", "int", BUILT,
         "Show n last created containers (includes all states) (default -1)"),
        ("latest", "l", "bool", BUILT, "Show the latest created container (includes all states)"),
        ("no-trunc", "", "bool", BUILT, "Don't truncate output"),
        ("quiet", "q", "bool", BUILT, "Only display container IDs"),
        ("size", "s", "bool", BUILT, "Display total file sizes"),
    ), "container ls, container list, container ps, ps", most=0),
    "images": Command(list_images, "[OPTIONS] [REPOSITORY[:TAG]]", "List images", (
        ("all", "a", "bool", BUILT, "Show all images (default hides intermediate images)"),
        ("digests", "", "bool", BUILT, "Show digests"),
        FILTER, FORMAT,
        ("no-trunc", "", "bool", BUILT, "Don't truncate output"),
        ("quiet", "q", "bool", BUILT, "Only show image IDs"),
        ("tree", "", "bool", HIDDEN, ""),
    ), "image ls, image list, images", most=1),
}
