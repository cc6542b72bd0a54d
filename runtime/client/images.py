"""import, tag, rmi, history: what can be done to images so far; `images` itself is in listing.py.

The twins of docker/cli's image/import.go, tag.go, remove.go, history.go. The store behind the
engine does the work; here are the words.
"""

from __future__ import annotations

import os

from runtime.client import body as bodies
from runtime.client import listing, tables, times, units
from runtime.client.options import BUILT, LATER, ClientError, Command
from runtime.errors import Invalid, LabError, NotFound, Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, BinaryIO

    from runtime.client.options import Options
    from runtime.client.session import Session
    from runtime.image.store import Image

HISTORY = tables.Columns({
    "ID": "IMAGE", "CreatedSince": "CREATED", "CreatedAt": "CREATED AT",
    "CreatedBy": "CREATED BY", "Size": "SIZE", "Comment": "COMMENT",
}, ("ID", "CreatedSince", "CreatedBy", "Size", "Comment"), "*formatter.historyContext")


def import_image(session: Session, given: Options, words: list[str]) -> int:
    """`import`: a tar of a file system becomes an image of one layer."""
    source, name = words[0], words[1] if len(words) > 1 else ""
    if "://" in source:
        raise Unsupported("import of a URL is not built yet", "fetch it first", exit_code=125)
    file = _open(source)
    try:
        session.say(session.engine.import_image(file, name or None, given.get("change", []),
                                                given.get("message", "")))
    except Invalid as error:
        raise _plain(error) from None
    finally:
        file.close()
    return 0


def _open(source: str) -> BinaryIO:
    if source == "-":
        return os.fdopen(os.dup(0), "rb")
    try:
        return open(source, "rb")
    except OSError as error:
        raise ClientError(bodies.opening(source, error)) from None


def _plain(error: Invalid) -> LabError:
    """What the docker command finds wrong itself: a name. The rest is its daemon's."""
    return ClientError(str(error)) if str(error).startswith("invalid reference") else error


def tag(session: Session, given: Options, words: list[str]) -> int:
    """`tag`: one more name."""
    try:
        session.engine.images.tag(words[0], words[1])
    except Invalid as error:
        raise ClientError(f'Error parsing reference: "{words[1]}" is not a valid repository/tag: '
                          f"{error}") from None
    return 0


def remove(session: Session, given: Options, words: list[str]) -> int:
    """`rmi`: names, and with the last name the image."""
    code = 0
    used = [container.config["Image"] for container in session.engine.containers()]
    for name in words:
        try:
            report = session.engine.images.remove(name, force=given.get("force", False), used=used)
        except (LabError, OSError) as error:
            session.complain_of(error)
            if not (given.get("force") and isinstance(error, NotFound)):
                code = 1
        else:
            for entry in report:
                for what, name_or_id in entry.items():
                    session.say(f"{what}: {name_or_id}")
    return code


def history(session: Session, given: Options, words: list[str]) -> int:
    """`history`: the layers, newest first, and what made each."""
    image = session.engine.images.resolve(words[0])
    rows = _history(image, given)
    if given.get("quiet") and not given.get("format"):
        for row in rows:
            session.say(row["ID"])
    else:
        tables.show(session, rows, HISTORY, given.get("format", ""))
    return 0


def _history(image: Image, given: Options) -> list[dict[str, Any]]:
    human, whole = given.get("human", True), given.get("no-trunc", False)
    sizes = list(image.layer_sizes)
    rows: list[dict[str, Any]] = []
    for entry in image.document.get("history") or []:
        size = 0 if entry.get("empty_layer") or not sizes else sizes.pop(0)
        created = times.parse(entry.get("created", ""))
        by = entry.get("created_by", "")
        rows.insert(0, {
            "Comment": entry.get("comment", ""),
            "CreatedAt": times.rfc3339(created)[:19] + "Z",
            "CreatedBy": by if whole else listing.shorten(by, 45),
            "CreatedSince": listing.ago(created) if human else times.rfc3339(created)[:19] + "Z",
            "ID": "<missing>", "Size": units.size(size, 3) if human else str(size),
        })
    if rows:
        rows[0]["ID"] = image.id if whole else image.id.removeprefix("sha256:")[:12]
    return rows


COMMANDS = {
    "import": Command(import_image, "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
                      "Import the contents from a tarball to create a filesystem image", (
                          ("change", "c", "list", BUILT,
                           "Apply Dockerfile instruction to the created image"),
                          ("message", "m", "string", BUILT,
                           "Set commit message for imported image"),
                          ("platform", "", "string", LATER, ""),
                      ), "image import, import", least=1),
    "tag": Command(tag, "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
                   "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE", (),
                   "image tag, tag", least=2, most=2),
    "rmi": Command(remove, "[OPTIONS] IMAGE [IMAGE...]", "Remove one or more images", (
        ("force", "f", "bool", BUILT, "Force removal of the image"),
        ("no-prune", "", "bool", LATER, ""),
        ("platform", "", "string", LATER, ""),
    ), "image rm, image remove, rmi", least=1),
    "history": Command(history, "[OPTIONS] IMAGE", "Show the history of an image", (
        ("format", "", "string", BUILT, "<table>"),
        ("human", "H", "bool", BUILT,
         "Print sizes and dates in human readable format (default true)"),
        ("no-trunc", "", "bool", BUILT, "Don't truncate output"),
        ("quiet", "q", "bool", BUILT, "Only show image IDs"),
    ), "image history, history", least=1, most=1),
}
