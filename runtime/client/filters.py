"""--filter of ps and images: which of the engine's objects are meant.

What Docker's daemon does with `filters=` of its API; a key that it does not know is refused in its
words. Several values of one key are alternatives, several keys must all fit.

    containers(session, {"filter": ["status=exited", "name=tea"]})  → [Container, …], newest first
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from runtime.errors import Invalid, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.client.options import Options
    from runtime.client.session import Session
    from runtime.engine.engine import Container
    from runtime.image.store import Image

STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
FOR_CONTAINERS = ("ancestor", "before", "exited", "id", "label", "name", "network", "since",
                  "status", "volume")
LATER = ("expose", "health", "is-task", "isolation", "publish")
FOR_IMAGES = ("before", "dangling", "label", "reference", "since")


def grouped(asked: list[str], known: tuple[str, ...], later: tuple[str, ...] = ()
            ) -> dict[str, list[str]]:
    """{"name": ["tea", "ink"]} of ["name=tea", "name=ink"]. Raises Invalid, Unsupported."""
    wanted: dict[str, list[str]] = {}
    for text in asked:
        key, _, value = text.partition("=")
        key = key.strip().lower()
        if key in later:
            raise Unsupported(f"--filter {key} is not built yet", exit_code=125)
        if key not in known:
            raise Invalid(f"invalid filter '{key}'")
        wanted.setdefault(key, []).append(value.strip())
    return wanted


def containers(session: Session, given: Options) -> list[Container]:
    """The containers that `ps` with these flags is about, newest first."""
    wanted = grouped(given.get("filter", []), FOR_CONTAINERS, LATER)
    for state in wanted.get("status", []):
        if state not in STATES:
            raise Invalid(f"invalid filter 'status={state}': invalid value for state ({state}): "
                          f"must be one of {', '.join(STATES)}")
    number = 1 if given.get("latest") else given.get("last", -1)
    every = bool(given.get("all") or number > 0 or {"status", "exited"} & set(wanted))
    found = session.engine.containers()
    found = _between(found, wanted, session)
    found = [container for container in found
             if (every or container.status in ("running", "paused"))
             and all(_fits(session, container, key, values) for key, values in wanted.items())]
    return found[:number] if number > 0 else found


def _between(found: list[Container], wanted: dict[str, list[str]],
             session: Session) -> list[Container]:
    """Those created before, or since, another one; the list is newest first."""
    for key in ("before", "since"):
        for name in wanted.pop(key, []):
            ident = session.engine.find(name).id
            place = [container.id for container in found].index(ident)
            found = found[place + 1:] if key == "before" else found[:place]
    return found


def _fits(session: Session, container: Container, key: str, values: list[str]) -> bool:
    if key == "label":
        # Labels are the exception: all of them must be there.
        return all(has_label(container.config["Config"].get("Labels") or {}, value)
                   for value in values)
    return any(_is(session, container, key, value) for value in values)


def _is(session: Session, container: Container, key: str, value: str) -> bool:
    asked = container.config
    if key == "name":
        return bool(re.search(value.removeprefix("/"), container.name)
                    or re.search(value, "/" + container.name))
    if key == "id":
        return bool(container.id.startswith(value))
    if key == "status":
        return bool(container.status == value)
    if key == "exited":
        return container.status == "exited" and str(container.exit_code) == value
    if key == "network":
        return bool(asked["HostConfig"].get("NetworkMode") == value)
    if key == "volume":
        binds = asked["HostConfig"].get("Binds") or []
        return any(value in bind.split(":")[:2] for bind in binds)
    return bool(asked["Image"] == session.engine.images.resolve(value).id)


def has_label(labels: dict[str, str], wanted: str) -> bool:
    name, equals, value = wanted.partition("=")
    return name in labels and (not equals or labels[name] == value)


def images(session: Session, given: Options, repository: str) -> list[tuple[Image, list[str]]]:
    """The images that `images` is about, each with the names to show."""
    wanted = grouped(given.get("filter", []), FOR_IMAGES)
    patterns = wanted.pop("reference", []) + ([repository] if repository else [])
    found = session.engine.images.images()
    for key in ("before", "since"):
        for name in wanted.pop(key, []):
            place = [image.id for image in found].index(session.engine.images.resolve(name).id)
            found = found[place + 1:] if key == "before" else found[:place]
    shown = []
    for image in found:
        names = [name for name in image.names if not patterns or _named(name, patterns)]
        if (names or not patterns) and _image_fits(image, wanted):
            shown.append((image, names))
    return shown


def _named(name: str, patterns: list[str]) -> bool:
    repository = name.rpartition(":")[0]
    return any(fnmatchcase(name, pattern) or fnmatchcase(repository, pattern)
               for pattern in patterns)


def _image_fits(image: Image, wanted: dict[str, list[str]]) -> bool:
    for value in wanted.get("dangling", []):
        if value.lower() not in ("true", "1", "false", "0"):
            raise Invalid(f"invalid filter 'dangling=[{value}]'")
        if (value.lower() in ("true", "1")) == bool(image.names):
            return False
    labels = image.config["Config"].get("Labels") or {}
    return all(has_label(labels, value) for value in wanted.get("label", []))
