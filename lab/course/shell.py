"""The student's shell: an ordinary one, where `docker` is this program.

A directory beside the progress has one entry, `docker`, and stands first on this shell's PATH,
nowhere else; the state's root goes along in CONTAINER_LAB_ROOT. So every command line of the course
is the one that works on real Docker. `Terminal` types into such a shell through a pty, as a student
would.

    environment("/tmp/lab")  ->  {"PATH": "/tmp/lab/progress/shell:/usr/bin:…", "CONTAINER_LAB…": …}
    Terminal("/tmp/lab").type("docker ps")  ->  ("CONTAINER ID   IMAGE …", 0)
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import sys
import termios
import time
import uuid
from pathlib import Path

from lab.course.progress import folder
from runtime.errors import LabError

START = Path(__file__).resolve().parent.parent / "start.py"
# A real client's settings would send our commands to another daemon; the others would change the
# prompt or read the user's own start-up files.
FOREIGN = ("DOCKER_HOST", "DOCKER_CONTEXT", "BASH_ENV", "ENV", "PROMPT_COMMAND")
# What a terminal program writes besides text: colours, cursor moves, bracketed paste.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\r")
WINDOW = struct.pack("HHHH", 40, 200, 0, 0)


def environment(root: str | None) -> dict[str, str]:
    """What the student's shell has on top of the caller's environment. Raises LabError."""
    words = {"PATH": f"{provide_docker(folder(root) / 'shell')}:{os.environ.get('PATH', '/bin')}"}
    if root:
        words["CONTAINER_LAB_ROOT"] = os.path.abspath(root)
    return words


def whole_environment(root: str | None) -> dict[str, str]:
    """The caller's environment with the student's on top, and without a real client's settings."""
    found = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return found | environment(root)


def provide_docker(directory: Path) -> Path:
    """Make `docker` in the directory: a link to this program, or two lines that start it."""
    docker, program = directory / "docker", installed()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if program is None:
            _replace(docker, f'#!/bin/sh\nexec "{sys.executable}" -I -S "{START}" "$@"\n')
        elif not docker.is_symlink() or os.readlink(docker) != str(program):
            docker.unlink(missing_ok=True)
            docker.symlink_to(program)
    except OSError as error:
        raise LabError(f"make {docker}: {(error.strerror or '').lower()}") from None
    return directory


def _replace(script: Path, content: str) -> None:
    if script.is_symlink() or not script.exists() or script.read_text() != content:
        draft = script.with_name(f"docker.{os.getpid()}.new")
        draft.write_text(content)
        draft.chmod(0o755)
        draft.rename(script)


def installed() -> Path | None:
    """The program's own file, when it was installed as one."""
    for place in (Path(sys.argv[0]), Path(sys.executable).parent / "container-lab"):
        if place.name == "container-lab" and os.access(place, os.X_OK):
            return place.absolute()
    return None


def shell_command() -> list[str]:
    """bash without the user's start-up files, or sh."""
    bash = shutil.which("bash")
    return [bash, "--norc", "--noprofile", "--noediting", "-i"] if bash else ["/bin/sh", "-i"]


class Terminal:
    """A shell behind a pty, for whoever types instead of a student."""

    def __init__(self, root: str | None, timeout_s: float = 60.0) -> None:
        self._mark = uuid.uuid4().hex
        self._timeout_s = timeout_s
        self._text = ""
        # The prompt carries the exit status; its random part cannot be in what was typed.
        settings = whole_environment(root) | {"PS1": f"{self._mark}:$?:", "TERM": "dumb",
                                              "HISTFILE": "/dev/null"}
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            command = shell_command()
            try:
                os.execve(command[0], command, settings)
            finally:
                os._exit(127)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, WINDOW)
        self._until_prompt("start a shell")

    def type(self, line: str) -> tuple[str, int]:
        """Type a line and Enter; what was printed, and the exit status."""
        os.write(self._fd, line.encode() + b"\n")
        printed, status = self._until_prompt(line)
        # The terminal echoes what is typed into it.
        return printed.removeprefix(line).lstrip("\n"), status

    def _until_prompt(self, doing: str) -> tuple[str, int]:
        deadline = time.monotonic() + self._timeout_s
        prompt = re.compile(self._mark + r":(\d+):")
        while not (found := prompt.search(self._text)):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._fd], [], [], left)[0]:
                raise LabError(f"type {doing!r}: no prompt after {self._timeout_s:.0f} seconds")
            self._text += CONTROL.sub("", self._read(doing))
        printed, self._text = self._text[:found.start()], self._text[found.end():]
        return printed, int(found[1])

    def _read(self, doing: str) -> str:
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:
            data = b""
        if not data:
            raise LabError(f"type {doing!r}: the shell has ended")
        return data.decode(errors="replace")

    def close(self) -> None:
        """End the shell. What it started in the background goes on, as at a logout."""
        os.close(self._fd)
        deadline = time.monotonic() + 2
        while os.waitpid(self._pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
                return
            time.sleep(0.02)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
