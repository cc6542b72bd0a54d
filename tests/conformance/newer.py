"""Where dockerd 28.5 answers otherwise than the recorded 26.1: its answer is the one to give.

`expected(scenario, step)` is the step with the newer answer in it. Recorded from dockerd 28.5.2,
containerd 2.1.9 and runc 1.3.6 with the same client.
"""

from __future__ import annotations

import json
from typing import Any

# Exit code and streams of single commands: (command line, its changes).
ANSWERS: list[tuple[str, dict[str, Any]]] = [
    ("exec box nosuch", {"code": 127}),
    ("exec -w /nosuch box pwd", {"code": 127}),
    ("exec -w rel box pwd", {"code": 128}),
    ("exec -u nosuch box id", {
        "code": 1, "stdout": "",
        "stderr": "Error response from daemon: unable to find user nosuch: no matching entries in "
                  "passwd file\n"}),
    ("run --rm --network container:one lab/base true", {
        "stderr": "docker: Error response from daemon: cannot join network namespace of a non "
                  "running container: container one is exited\n\n"
                  "Run 'docker run --help' for more information\n"}),
]
# Words that changed wherever they stand.
WORDS = [
    (": unknown: permission denied", ": permission denied"),
    (": unknown\n", "\n"),
    (": unknown\r\n", "\r\n"),
    ('cannot remove container "/', 'cannot remove container "'),
    ("Unable to find group", "unable to find group"),
    ("Invalid isolation: \"bogus\" - linux only", "invalid isolation (bogus): linux only"),
]


def expected(step: dict[str, Any]) -> dict[str, Any]:
    """The step as 28.5 answers it."""
    step = dict(step)
    for line, changes in ANSWERS:
        # `container:one` is asked for twice; only the second time the container is gone.
        if " ".join(step["argv"]) == line and step["code"] != 0:
            step.update(changes)
    for stream in ("stdout", "stderr"):
        for old, new in WORDS:
            if stream in step:
                step[stream] = step[stream].replace(old, new)
    if "structure" in step.get("normalise", []) and "GraphDriver" in step.get("stdout", ""):
        step["stdout"] = _inspect(step["stdout"])
    return step


def _inspect(text: str) -> str:
    """`inspect` of a container has two keys more."""
    document = json.loads(text)
    for container in document:
        container["GraphDriver"]["Data"]["ID"] = "string"
        for network in container["NetworkSettings"]["Networks"].values():
            network["GwPriority"] = "number"
    return json.dumps(document, indent=1, sort_keys=True) + "\n"
