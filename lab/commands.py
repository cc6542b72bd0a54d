"""Running a docker line for real, without the screen waiting for it.

A fresh process of this very program in a thread of its own: its output comes back as messages, its
standard input is empty, and it never gets Textual's own terminal (Textual paints on stderr). The
line is the student's: `docker` is this program, anything else is a shell's business, with `docker`
first on PATH as in the student's own shell.
  Commands(engine, post).run(["docker run --name ink --memory 48m lab/base hog 200M"])
When the lab closes, the clients end and the containers stay: the shim holds those.
"""

from __future__ import annotations

import os
import re
import select
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from textual.message import Message

from lab.course import shell
from lab.course.progress import folder
from lab.messages import CommandEnded, CommandOutput, CommandStarted
from runtime.errors import LabError

START = os.path.join(os.path.dirname(os.path.abspath(__file__)), "start.py")
OURS = [sys.executable, "-I", "-S", START]
LOOK_S = 0.1
# What only a shell understands; quotes and escapes shlex understands too.
_SHELL = re.compile(r"[|&;<>$`*?~#()]")


PROMPT = "(lab) # " if os.geteuid() == 0 else "(lab) $ "
# The words come from the program itself, as with `docker completion bash`, asked for at each Tab.
BASHRC = """# The lab's own shell; written anew at every start.
PS1='(lab) \\w \\$ '
unset HISTFILE PROMPT_COMMAND
_docker_of_the_lab() {
    local word
    COMPREPLY=()
    while IFS=$'\\t' read -r word _; do
        case $word in
            :0) [ ${#COMPREPLY[@]} = 0 ] && compopt -o default ;;
            :*) ;;
            *) COMPREPLY+=("$word") ;;
        esac
    done < <("${COMP_WORDS[0]}" __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _docker_of_the_lab docker container-lab
"""


class Commands:
    """One line at a time; `busy` is the one that runs."""

    def __init__(self, root: str | None, post: Callable[[Message], object],
                 spawner: Any = None) -> None:
        self.root, self.post, self.spawner = root, post, spawner
        self.busy = ""
        self._process: Any = None

    def run(self, lines: Sequence[str]) -> bool:
        """Run the lines one after the other, until one fails; False while others still run."""
        if self.busy or not lines:
            return False
        self.busy = lines[0]
        threading.Thread(target=self._run, args=(list(lines),), daemon=True).start()
        return True

    def close(self) -> None:
        """End the client of the line that runs, not its container."""
        process = self._process
        if process is not None:
            # KILL, since TERM would be passed on to the container, as Docker does.
            try:
                process.kill()
            except ProcessLookupError:
                pass

    def _run(self, lines: list[str]) -> None:
        for row in lines:
            self.busy = row
            self.post(CommandStarted(row))
            try:
                code = self._one(row)
            except (OSError, ValueError) as error:
                self.post(CommandOutput(f"{error}\n"))
                code = 127
            if row == lines[-1] or code not in (0, 137):
                self.busy = ""
                self.post(CommandEnded(row, code))
                return
            self.post(CommandEnded(row, code))
        self.busy = ""

    def _one(self, row: str) -> int:
        output, theirs = os.pipe2(os.O_CLOEXEC)
        try:
            self._process = process = self._start(row, theirs)
        finally:
            os.close(theirs)
        try:
            while piece := self._piece(output):
                self.post(CommandOutput(piece.decode("utf-8", "replace")))
        finally:
            os.close(output)
        code = int(process.wait())
        self._process = None
        return code if code >= 0 else 128 - code

    def _piece(self, output: int) -> bytes:
        """What the line prints next; nothing once it has ended.

        What it left in the background (`setsid -f sleep 600`) holds the pipe, and is not waited
        for.
        """
        while not select.select([output], [], [], LOOK_S)[0]:
            ended = isinstance(self._process, subprocess.Popen) and self._process.poll() is not None
            if ended and not select.select([output], [], [], 0)[0]:
                return b""
        return os.read(output, 65536)

    def _start(self, row: str, output: int) -> Any:
        """A fork of the spawner for a plain docker line, else a fresh process."""
        env, words = environment(self.root), argv(row)
        if row.startswith("docker "):
            # Its messages begin with the name it was called by.
            env["CONTAINER_LAB_PROGRAM"] = "docker"
        if self.spawner is not None and words[:4] == OURS:
            try:
                return self.spawner.launch(words[4:], env, output)
            except LabError:
                # The spawner is gone; a fresh Python does the same, more slowly.
                self.spawner = None
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                env=env, start_new_session=True)


def argv(row: str) -> list[str]:
    """The process that does this line: ours when it is a plain docker line, else a shell."""
    if not _SHELL.search(row):
        words = shlex.split(row)
        if words and words[0] in ("docker", "container-lab"):
            return [*OURS, *words[1:]]
    return ["/bin/sh", "-c", row]


def environment(root: str | None) -> dict[str, str]:
    """The student's environment: `docker` first on PATH is this program."""
    try:
        return shell.whole_environment(root)
    except LabError:
        # No place to put the link (a full disk, a read-only root): our own lines work without.
        return dict(os.environ) | ({"CONTAINER_LAB_ROOT": root} if root else {})


def shell_argv(root: str | None) -> list[str]:
    """A shell that says where one is: bash with our start-up file alone, else sh.

    The user's own start-up files would put another `docker` first, or an alias in its place.
    """
    bash = shutil.which("bash")
    if bash is None:
        return ["/bin/sh", "-i"]
    try:
        file = folder(root) / "bashrc"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(BASHRC)
    except (OSError, LabError):
        return [bash, "--norc", "--noprofile", "-i"]
    return [bash, "--noprofile", "--rcfile", str(file), "-i"]


def inside_argv(name: str) -> list[str]:
    """A shell inside a running container."""
    return [*OURS, "exec", "-it", name, "sh"]
