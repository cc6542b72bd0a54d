"""Names of images, as people type them: `lab/base`, `ubuntu:24.04`, `localhost:5000/tea@sha256:…`.

The twin of distribution/reference, with its grammar and its sentences. Runs in the engine's and the
client's process, also on the start path, so the grammar is read by hand: `re` costs 9 ms.

    reference := [domain "/"] path *("/" path) [":" tag] ["@" digest]
    domain    := part *("." part) [":" digits]      has a dot or a colon, or is localhost
    path      := [a-z0-9]+ *( ("." | "_" | "__" | "-"+) [a-z0-9]+ )
    tag       := [A-Za-z0-9_] up to 127 of [A-Za-z0-9_.-]
    digest    := algorithm ":" at least 32 hex digits

Docker calls `docker.io/library/ubuntu:latest` by its familiar name `ubuntu`; so do we, everywhere.
Source: github.com/distribution/reference, reference.go and normalize.go.
"""

from __future__ import annotations

from runtime.errors import Invalid

BAD_FORMAT = "invalid reference format"
HUB = "docker.io"
LOWER = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
LETTERS = LOWER | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
HEX = frozenset("0123456789abcdef")


class Reference:
    """A name that was understood. Example: domain "docker.io", path "lab/base", tag "latest"."""

    __slots__ = ("domain", "path", "tag", "digest")

    def __init__(self, domain: str, path: str, tag: str = "", digest: str = "") -> None:
        self.domain, self.path, self.tag, self.digest = domain, path, tag, digest

    @property
    def name(self) -> str:
        """The familiar name without tag: `lab/base`, `ubuntu`, `localhost:5000/tea`."""
        if self.domain != HUB:
            return f"{self.domain}/{self.path}"
        return self.path.removeprefix("library/")

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return self.name + tag + (f"@{self.digest}" if self.digest else "")

    def with_tag(self) -> Reference:
        """The same with the tag `latest`, if it says neither tag nor digest."""
        if self.tag or self.digest:
            return self
        return Reference(self.domain, self.path, "latest")


def parse(text: str) -> Reference:
    """Understand a name. Raises Invalid with Docker's sentence."""
    if is_hex(text) and len(text) == 64:
        raise Invalid(f"invalid repository name ({text}), "
                      "cannot specify 64-byte hexadecimal strings")
    domain, rest = split_domain(text)
    remote = rest.partition("@")[0]
    remote = remote.partition(":")[0]
    if remote.lower() != remote:
        raise Invalid(f"{BAD_FORMAT}: repository name ({remote}) must be lowercase")
    rest, at, digest = rest.partition("@")
    path, colon, tag = rest.partition(":")
    if not (is_domain(domain) and all(is_path_part(part) for part in path.split("/"))):
        raise Invalid(BAD_FORMAT)
    if (colon and not is_tag(tag)) or (at and not is_digest(digest)):
        raise Invalid(BAD_FORMAT)
    if len(domain) + 1 + len(path) > 255:
        raise Invalid("repository name must not be more than 255 characters")
    return Reference(domain, path, tag, digest)


def split_domain(text: str) -> tuple[str, str]:
    """`ubuntu` → ("docker.io", "library/ubuntu"); what has no registry in front is the Hub's."""
    first, slash, rest = text.partition("/")
    looks_like_host = "." in first or ":" in first or first == "localhost" or first.lower() != first
    if not slash or not looks_like_host:
        first, rest = HUB, text
    if first == "index.docker.io":
        first = HUB
    if first == HUB and "/" not in rest:
        rest = f"library/{rest}"
    return first, rest


def is_domain(text: str) -> bool:
    host, colon, port = text.partition(":")
    if colon and not (port.isascii() and port.isdigit()):
        return False
    return all(part and set(part) <= LETTERS | {"-"} and part[0] != "-" and part[-1] != "-"
               for part in host.split("."))


def is_path_part(text: str) -> bool:
    """Whether text is letters and digits, with single separators (or dashes) between them."""
    if not text or text[0] not in LOWER or text[-1] not in LOWER:
        return False
    separator = ""
    for letter in text:
        if letter in LOWER:
            separator = ""
            continue
        separator += letter
        if separator not in (".", "_", "__") and separator.strip("-"):
            return False
    return True


def is_tag(text: str) -> bool:
    return 0 < len(text) <= 128 and set(text) <= LETTERS | set("_.-") and text[0] not in ".-"


def is_digest(text: str) -> bool:
    algorithm, _, value = text.partition(":")
    length = 64 if algorithm == "sha256" else max(32, len(value))
    return bool(algorithm) and set(algorithm) <= LOWER and len(value) == length and is_hex(value)


def is_hex(text: str) -> bool:
    return bool(text) and set(text) <= HEX
