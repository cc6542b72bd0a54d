"""JSON documents on disk: read whole, replaced whole, never seen half written.

Used by every process of the chain, also on the start path, where `import json` (12 ms, it pulls in
`re`) costs as much as the container's namespaces. So this goes to the C scanner and encoder that
`json` itself uses, under their private names, in this one file, and falls back to `json` where an
interpreter has none. State files: {"Status": "running", "Pid": 4213}.
"""

from __future__ import annotations

import errno
import os

from runtime.errors import Invalid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _Settings:
    """What the C scanner asks of its context; the attributes of json.JSONDecoder."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo: dict[str, str] = {}


def _light() -> tuple[Callable[[str], Any], Callable[[Any], str], Callable[[Any], str]]:
    import _json

    scan = _json.make_scanner(_Settings())  # type: ignore[arg-type]

    def parse(text: str) -> Any:
        # The scanner skips white space inside a document, not around it, and stops behind it.
        text = text.strip(" \t\n\r")
        try:
            value, end = scan(text, 0)
        except StopIteration as stop:
            raise ValueError(f"no value at character {stop.value}") from None
        if end != len(text):
            raise ValueError(f"something follows the document at character {end}")
        return value

    def refuse(value: object) -> None:
        raise TypeError(f"{type(value).__name__} is no JSON value")

    def encoder(quote: Any) -> Callable[[Any], str]:
        def encode(value: Any) -> str:
            encode_parts = _json.make_encoder(
                {}, refuse, quote, None, ":", ",", False, False, True
            )
            return "".join(encode_parts(value, 0))

        return encode

    plain, escaped = encoder(_json.encode_basestring), encoder(_json.encode_basestring_ascii)
    assert parse(plain({"a": [1, "é", None]})) == {"a": [1, "é", None]}
    return parse, plain, escaped


def _standard() -> tuple[Callable[[str], Any], Callable[[Any], str], Callable[[Any], str]]:
    import json

    def encode(value: Any, ascii_only: bool = False) -> str:
        return json.dumps(value, ensure_ascii=ascii_only, separators=(",", ":"))

    return json.loads, encode, lambda value: encode(value, True)


try:
    _parse, _encode, _encode_ascii = _light()
except (ImportError, AttributeError, TypeError, AssertionError):
    _parse, _encode, _encode_ascii = _standard()


def parse(text: str | bytes) -> Any:
    """The value of a JSON text. Raises ValueError."""
    if isinstance(text, bytes):
        text = text.decode()
    try:
        return _parse(text)
    except (ValueError, RecursionError, NameError) as error:
        raise ValueError(str(error)) from None
    except SystemError:
        # On bad input the C scanner wants to raise json.JSONDecodeError, and has nothing to raise
        # while json is not imported; then only that it is bad is known, not where.
        raise ValueError("it is cut short, or no JSON") from None


def encode(value: Any) -> str:
    """The value as JSON on one line, non-ASCII as it is.

    A file name that is not UTF-8 is in Python a text no encoding takes: that one is escaped.
    """
    text = _encode(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return _encode_ascii(value)
    return text


def read(path: str) -> Any:
    """The value in the file. Raises FileNotFoundError, or Invalid for a file cut short."""
    with open(path, "rb", buffering=0) as file:
        data = file.readall()
    try:
        return parse(data)
    except (ValueError, UnicodeDecodeError) as error:
        raise Invalid(f"read {path}: not a whole JSON document: {error}",
                      "cut short, or edited; move it away and run container-lab clean") from None


def write(path: str, value: Any, durable: bool = False, mode: int = 0o644) -> None:
    """Replace the file whole: a reader sees the old document or the new one.

    `durable` also survives a power cut (fsync of file and directory), which costs a disk's seek:
    for what must outlive the host's uptime, not for the state of processes, which do not.
    """
    replace_file(path, encode(value).encode() + b"\n", durable, mode)


def replace_file(path: str, data: bytes, durable: bool = False, mode: int = 0o644) -> None:
    """Replace the file by `data`, whole or not at all. Raises OSError (ENOSPC leaves the old)."""
    draft = f"{path}.{os.getpid()}.new"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view):]
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
    if durable:
        folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def append_line(path: str, value: Any) -> None:
    """Add the value as one line, in one write, so that lines of two processes never mix.

    Raises OSError, and leaves no half of a line, when the disk is full.
    """
    data = encode(value).encode() + b"\n"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        written = os.write(fd, data)
        if written < len(data):
            # The next line would be glued to it, and lost with it.
            os.ftruncate(fd, os.lseek(fd, 0, os.SEEK_CUR) - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
    finally:
        os.close(fd)


def read_lines(path: str) -> list[Any]:
    """The values of a file of JSON lines; no file is an empty list.

    A last line without its end was cut off by a crash, and is left out: append_line writes whole
    lines, so nothing else can be incomplete.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            data = file.readall()
    except FileNotFoundError:
        return []
    values = []
    for line in data.split(b"\n")[:-1]:
        try:
            values.append(parse(line))
        except ValueError:
            continue
    return values


def digest(data: bytes) -> str:
    """The sha256 of data as 64 hex digits, without the cost of importing hashlib."""
    try:
        from _sha256 import sha256  # type: ignore[import-not-found]  # Python 3.11
    except ImportError:
        try:
            from _sha2 import sha256  # type: ignore[import-not-found]  # 3.12 and later
        except ImportError:
            from hashlib import sha256
    return str(sha256(data).hexdigest())
