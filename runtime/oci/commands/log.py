"""What a command of container-lab-oci says besides its output: errors, warnings, debug lines.

The twin of logrus in runc; podman and containerd read its JSON form to learn why a start failed.

    text   time="2026-11-24T15:43:42Z" level=error msg="container does not exist"
    json   {"level":"error","msg":"container does not exist","time":"2026-11-24T15:43:42Z"}

Without --log the lines go to stderr. With it they go to the file, and an error is said on stderr
as well, bare. Source: runc's main.go and logrus' formatters.
"""

from __future__ import annotations

import os
import sys
import time

from runtime import documents
from runtime.errors import Invalid, LabError

PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/@^+"


class Log:
    """Where the lines go, and in which form."""

    __slots__ = ("fd", "form", "debugging")

    def __init__(self) -> None:
        self.fd, self.form, self.debugging = 2, "text", False

    def open(self, path: str, form: str, debugging: bool) -> None:
        """Write to the file from now on; "" is stderr. Raises Invalid, LabError."""
        self.debugging = debugging
        if form not in ("text", "json"):
            raise Invalid(f"invalid log-format: {form}")
        if path:
            try:
                self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC,
                                  0o644)
            except OSError as error:
                raise LabError(f"open {path}: {os.strerror(error.errno or 0).lower()}") from None
        self.form = form

    def error(self, text: str) -> None:
        """Why a command fails."""
        self.write("error", text)
        if self.fd != 2:
            sys.stderr.write(f"{text}\n")

    def warning(self, text: str) -> None:
        """What is not as it was asked for, and no reason to stop."""
        self.write("warning", text)

    def debug(self, text: str) -> None:
        """What is done, with --debug."""
        if self.debugging:
            self.write("debug", text)

    def write(self, level: str, text: str) -> None:
        """One line, in one write."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if self.form == "json":
            line = documents.encode({"level": level, "msg": text, "time": moment})
        else:
            line = f'time="{moment}" level={level} msg={quoted(text)}'
        os.write(self.fd, line.encode("utf-8", "surrogateescape") + b"\n")


def quoted(text: str) -> str:
    """A word as it is, anything else in quotes, as Go's %q writes it."""
    if text and not text.strip(PLAIN):
        return text
    return documents.encode(text).replace("\u007f", "\\x7f")
