"""Replays recorded conversations with a real dockerd against our own program.

A transcript is a file of JSON lines, a scenario each: {"name", "area", "files", "steps"}; a step
is {"argv", "stdin", "env", "stdout", "stderr", "code", "normalise", "ignore", "capture"}. Recorded
from docker 28.2 with dockerd 26.1 (`transcripts/`), already normalised: ids, times and durations
are placeholders. What a newer Docker answers otherwise is applied in `newer.py`; where we differ on
purpose is listed in `differences.py`.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TRANSCRIPTS = Path(__file__).parent / "transcripts"
STREAMS = ("stdout", "stderr", "code")

DURATION = (r"(?:Less than a second|About a minute|About an hour|"
            r"\d+ (?:second|minute|hour|day|week|month|year)s?)")
RULES: dict[str, list[tuple[str, str]]] = {
    "log": [(r'(?m)^time="[^\n]*\n', "")],
    "id": [(r"(?<![0-9a-zA-Z])[0-9a-f]{64}(?![0-9a-zA-Z])", "<id64>"),
           (r"(?<![0-9a-zA-Z])[0-9a-f]{12}(?![0-9a-zA-Z])", "<id12>")],
    "time": [(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", "<time>"),
             (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? [+-]\d{4} [A-Z]+", "<time>")],
    "ago": [(DURATION + r" ago", "<ago>"), (r"Up " + DURATION, "Up <dur>")],
    "root": [(r"/var/lib/(?:docker|container-lab)\b", "<root>")],
    "registry": [(r'Get "https://[^"]*": .*', 'Get "<registry>": <network error>'),
                 (r"dial tcp.*|lookup .*: no such host.*", "<network error>")],
    # Which link of the chain passed the error on is no matter; what went wrong is.
    "runtime": [(r"(?:failed to create task for container: )?(?:failed to create shim task: )?"
                 r"OCI runtime \w+ failed: (?:runc \w+ failed: )?(?:exec failed: )?"
                 r"(?:unable to start container process: )?(?:error during container init: )?",
                 "<runtime>: ")],
    "size": [(r"(?<![\w.])\d+(?:\.\d+)?(?:B|kB|MB|GB)\b", "<size>")],
    "ansi": [(r"\x1b\[[0-9;]*m", "")],
    "ip": [(r"\b172\.\d+\.\d+\.\d+\b", "<ip>")],
    "cpus": [(r"from 0\.01 to [\d.]+, as there are only \d+ CPUs",
              "from 0.01 to <n>, as there are only <n> CPUs"),
             (r"available: [\d,-]+", "available: <cpus>")],
    "pid": [(r"\b\d+\b", "<n>")],
    "columns": [(r" {2,}", "  "), (r"(?m) +$", "")],
}
ALWAYS = ["log", "id", "time", "ago", "root", "registry", "runtime"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One conversation. `file` is the transcript's name without its ending."""

    file: str
    name: str
    files: dict[str, str]
    steps: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What our program said to one step, normalised, and what it should have said."""

    argv: str
    expected: dict[str, Any]
    got: dict[str, Any]
    ignore: tuple[str, ...] = ()
    wrong: tuple[str, ...] = field(default=())

    @property
    def not_built(self) -> bool:
        """It refused by name what this version does not have."""
        return self.got["code"] == 125 and bool(re.search(r"is not built yet( \(.*\))?\n$",
                                                          self.got["stderr"]))


def scenarios() -> list[Scenario]:
    """All of them, in the order of files and lines."""
    found = []
    for path in sorted(TRANSCRIPTS.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            data = json.loads(line)
            found.append(Scenario(path.stem, data["name"], data.get("files", {}), data["steps"]))
    return found


def structure(value: Any) -> Any:
    """The shape of a JSON value: keys kept, leaves replaced by the name of their type."""
    if isinstance(value, dict):
        return {key: structure(item) for key, item in value.items()}
    if isinstance(value, list):
        return [structure(value[0])] if value else []
    if value is None:
        return "null"
    return {bool: "bool", int: "number", float: "number", str: "string"}[type(value)]


def normalise(text: str, names: list[Any], places: dict[str, str]) -> str:
    """The text with everything replaced that differs from run to run."""
    for place, name in places.items():
        text = text.replace(place, name)
    if "structure" in names:
        try:
            text = json.dumps(structure(json.loads(text)), indent=1, sort_keys=True) + "\n"
        except ValueError:
            pass
    for name in [*ALWAYS, *(name for name in names if name not in ALWAYS)]:
        rules = [tuple(name)] if isinstance(name, list) else RULES.get(name, [])
        for pattern, new in rules:
            text = re.sub(pattern, new, text)
    if "sort" in names:
        text = "".join(sorted(text.splitlines(keepends=True)))
    return text


class Program:
    """Our program with a root of its own, called as docker would be."""

    def __init__(self, command: list[str], root: Path, timeout_s: float = 30) -> None:
        self.command, self.root, self.timeout_s = command, root, timeout_s

    def __call__(self, *argv: str, cwd: Path | None = None, stdin: str = "",
                 env: dict[str, str] | None = None) -> tuple[str, str, int | None]:
        variables = {**os.environ, "LC_ALL": "C.UTF-8", "CONTAINER_LAB_ROOT": str(self.root),
                     "CONTAINER_LAB_PROGRAM": "docker", **(env or {})}
        try:
            done = subprocess.run([*self.command, *argv], cwd=cwd, input=stdin.encode(),
                                  capture_output=True, timeout=self.timeout_s, env=variables)
        except subprocess.TimeoutExpired:
            return "", f"no answer in {self.timeout_s} s\n", None
        return (done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"),
                done.returncode)

    def wipe(self) -> None:
        """Remove every container, and every image but the base."""
        containers = self("ps", "-aq")[0].split()
        if containers:
            self("rm", "-f", "-v", *containers)
        images = self("images", "-a", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")[0]
        for line in images.splitlines():
            name, _, ident = line.partition(" ")
            if name != "lab/base:latest":
                self("rmi", "-f", ident if "<none>" in name else name)


def play(program: Program, scenario: Scenario, folder: Path) -> list[Answer]:
    """Go through a scenario in an empty folder; what was said to each step."""
    for path, content in scenario.files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
        target.chmod(0o755 if content.startswith("#!") else 0o644)
    names = {"cwd": str(folder)}
    return [_step(program, step, folder, names) for step in scenario.steps]


def _step(program: Program, step: dict[str, Any], folder: Path, names: dict[str, str]) -> Answer:
    argv = []
    for word in step["argv"]:
        for name, value in names.items():
            word = word.replace("{" + name + "}", value)
        argv.append(word)
    out, err, code = program(*argv, cwd=folder, stdin=step.get("stdin", ""), env=step.get("env"))
    if "capture" in step:
        names[step["capture"]] = out.strip()
    rules = step.get("normalise", [])
    places = {str(folder): "{cwd}", str(program.root): "<root>"}
    got = {"stdout": normalise(out, rules, places),
           "stderr": normalise(err, [rule for rule in rules if rule != "structure"], places),
           "code": code}
    ignore = tuple(step.get("ignore", ()))
    wrong = tuple(stream for stream in STREAMS
                  if stream not in ignore and step.get(stream) != got[stream])
    return Answer(" ".join(step["argv"]), {stream: step.get(stream) for stream in STREAMS}, got,
                  ignore, wrong)


# ---- lab/base, the image that every scenario starts from

SCRIPTS = {
    "hog": "#!/bin/sh\n# hog SIZE: hold SIZE bytes (suffix k, m or g) in memory, then end.\n"
           'head -c "$1" /dev/zero | tail -c "$1" >/dev/null\n',
    "burn": "#!/bin/sh\n# burn: one busy loop, for ever.\nwhile :; do :; done\n",
    "chatter": "#!/bin/sh\n"
               "# chatter COUNT [PAUSE]: COUNT lines, odd ones on stdout, even ones on stderr.\n"
               'i=1\nwhile [ "$i" -le "${1:-10}" ]; do\n'
               '  if [ $((i % 2)) = 1 ]; then echo "line $i"; else echo "line $i" >&2; fi\n'
               '  [ -n "$2" ] && sleep "$2"\n  i=$((i + 1))\ndone\nexit 0\n',
}
PASSWD = ("root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
          "student:x:1000:1000:student:/home/student:/bin/sh\n"
          "nobody:x:65534:65534:nobody:/:/bin/false\n")
GROUP = "root:x:0:\ndaemon:x:1:\nlab:x:500:student\nstudent:x:1000:\nnogroup:x:65534:\n"


def make_base(path: Path, busybox: str) -> None:
    """Write the tar of the lab/base that the transcripts were recorded with."""
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True,
                             check=True).stdout.split()
    with tarfile.open(path, "w") as tar:
        for name in ("bin", "dev", "etc", "home", "proc", "root", "sys", "usr", "var"):
            _add(tar, name, tarfile.DIRTYPE)
        _add(tar, "tmp", tarfile.DIRTYPE, 0o1777)
        _add(tar, "home/student", tarfile.DIRTYPE, owner=1000)
        _add(tar, "bin/busybox", data=Path(busybox).read_bytes())
        for name in sorted(set(applets) - {"busybox"} - set(SCRIPTS)):
            _add(tar, "bin/" + name, tarfile.SYMTYPE, 0o777, link="busybox")
        for name, text in SCRIPTS.items():
            _add(tar, "bin/" + name, data=text.encode())
        _add(tar, "etc/passwd", mode=0o644, data=PASSWD.encode())
        _add(tar, "etc/group", mode=0o644, data=GROUP.encode())


def _add(tar: tarfile.TarFile, name: str, kind: bytes = tarfile.REGTYPE, mode: int = 0o755,
         data: bytes = b"", link: str = "", owner: int = 0) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname = kind, mode, len(data), link
    info.uid = info.gid = owner
    tar.addfile(info, io.BytesIO(data))
