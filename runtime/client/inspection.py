"""inspect, container inspect, image inspect: everything that is known of an object, as JSON.

The twin of docker/cli's system/inspect.go and its templates. The documents come from the engine in
Docker's shape; here they are found by kind, and printed whole (four spaces deep) or by --format.
"""

from __future__ import annotations

import sys

from runtime.client.options import BUILT, LATER, ClientError, Command
from runtime.errors import Invalid, LabError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runtime.client.options import Options
    from runtime.client.session import Session

# What this version has no objects of. Asked for one, it can say in Docker's words that there is
# none, since nothing could have made it.
NONE_OF = {"volume": "get {name}: no such volume", "network": "network {name} not found",
           "plugin": 'plugin "{name}" not found'}
SWARM = ("config", "node", "secret", "service", "task")
TYPES = ("config", "container", "image", "network", "node", "plugin", "secret", "service", "task",
         "volume")


def inspect(session: Session, given: Options, words: list[str]) -> int:
    """An object of whatever kind has this name; --type narrows it."""
    kind = given.get("type", "")
    if kind and kind not in TYPES:
        known = ", ".join(f'"{name}"' for name in TYPES)
        raise ClientError(f'unknown type: "{kind}": must be one of {known}')
    if kind in SWARM:
        raise Invalid('This node is not a swarm manager. Use "docker swarm init" or "docker swarm '
                      'join" to connect this node to swarm and try again.')
    return _print(session, given, words, lambda name: _find(session, kind, name, given))


def inspect_containers(session: Session, given: Options, words: list[str]) -> int:
    """`container inspect`."""
    return _print(session, given, words, lambda name: _find(session, "container", name, given))


def inspect_images(session: Session, given: Options, words: list[str]) -> int:
    """`image inspect`."""
    return _print(session, given, words, lambda name: _find(session, "image", name, given))


def _find(session: Session, kind: str, name: str, given: Options) -> dict[str, Any]:
    if kind in NONE_OF:
        raise NotFound(NONE_OF[kind].format(name=name))
    if kind == "image":
        return image_document(session, name)
    try:
        return _container_document(session, name, given)
    except NotFound:
        if kind == "container":
            raise
    try:
        return image_document(session, name)
    except (NotFound, Invalid):
        raise ClientError(f"Error: No such object: {name}") from None


def _container_document(session: Session, name: str, given: Options) -> dict[str, Any]:
    document: dict[str, Any] = session.engine.inspect(name)
    if given.get("size"):
        import os

        from runtime.client import listing

        container = session.engine.find(name)
        written = listing.tree_size(os.path.join(container.directory, "upper"))
        document["SizeRw"] = written
        below = session.engine.images.resolve(document["Image"]).size_bytes
        document["SizeRootFs"] = written + below
    return document


def image_document(session: Session, name: str) -> dict[str, Any]:
    """The image in the shape of Docker's API."""
    image = session.engine.images.resolve(name)
    told = image.config
    return {
        "Id": image.id, "RepoTags": image.names, "RepoDigests": [], "Parent": "",
        "Comment": told.get("Comment", ""), "Created": image.created, "DockerVersion": "",
        "Author": told.get("Author", ""), "Config": told["Config"],
        "Architecture": told.get("Architecture", ""), "Os": told.get("Os", "linux"),
        "Size": image.size_bytes,
        "GraphDriver": {"Data": _overlay(image.layers), "Name": "overlay2"},
        "RootFS": {"Type": "layers", "Layers": told["RootFS"]["DiffIDs"]},
        "Metadata": {"LastTagTime": "0001-01-01T00:00:00Z"},
    }


def _overlay(layers: list[str]) -> dict[str, str]:
    """Where the layers lie; the top one is what a container's own layer would be put on."""
    data = {"UpperDir": layers[-1]} if layers else {}
    if len(layers) > 1:
        data["LowerDir"] = ":".join(reversed(layers[:-1]))
    return data


def _print(session: Session, given: Options, names: list[str],
           find: Callable[[str], dict[str, Any]]) -> int:
    form = given.get("format", "")
    show = _by_template(session, form) if form and form != "json" else None
    found, errors = [], []
    for name in names:
        try:
            document = find(name)
        except ClientError as error:
            errors.append(str(error))
        except LabError as error:
            errors.append(f"Error response from daemon: {error}")
        else:
            found.append(document)
    if show is not None:
        for document in found:
            show(document)
    else:
        session.say(_whole(found, indent=not form))
    if errors:
        raise ClientError("\n".join(errors))
    return 0


def _whole(found: list[dict[str, Any]], indent: bool) -> str:
    import json

    if not found:
        return "[]"
    return json.dumps(found, ensure_ascii=False, indent=4 if indent else None,
                      separators=(",", ": ") if indent else (",", ":"))


def _by_template(session: Session, form: str) -> Callable[[dict[str, Any]], None]:
    from runtime.client import format
    from runtime.client.template_functions import TemplateError

    try:
        template = format.parse(form)
    except TemplateError as error:
        # 64 is what the docker command exits with here, and nowhere else.
        raise ClientError(f"template parsing error: {error}", exit_code=64) from None

    def show(document: dict[str, Any]) -> None:
        try:
            session.say(template.render(document))
        except TemplateError as error:
            session.say("")
            sys.stdout.flush()
            raise ClientError(f"template parsing error: {error}") from None

    return show


FORMAT = ("format", "f", "string", BUILT, "<inspect>")

COMMANDS = {
    "inspect": Command(
        inspect, "[OPTIONS] NAME|ID [NAME|ID...]",
        "Return low-level information on Docker objects", (
            FORMAT,
            ("size", "s", "bool", BUILT, "Display total file sizes if the type is container"),
            ("type", "", "string", BUILT, "Only inspect objects of the given type"),
        ), least=1),
    "container inspect": Command(
        inspect_containers, "[OPTIONS] CONTAINER [CONTAINER...]",
        "Display detailed information on one or more containers", (
            FORMAT, ("size", "s", "bool", BUILT, "Display total file sizes"),
        ), least=1),
    "image inspect": Command(
        inspect_images, "[OPTIONS] IMAGE [IMAGE...]",
        "Display detailed information on one or more images", (
            FORMAT, ("platform", "", "string", LATER, ""),
        ), least=1),
}
