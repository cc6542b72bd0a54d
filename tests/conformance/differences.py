"""Where we answer otherwise than the recorded Docker, and why: the whole list.

A row is (scenarios, command lines, reason), the first two as shell patterns. A command that says
"… is not built yet" needs no row: it says its reason itself. A row that names one scenario and that
nothing there needs any more makes the test fail, so the list cannot grow old.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

Row = tuple[str, str, str]

NONE = ("without --network a container has no network: Docker's bridge is not built yet, and none "
        "is the honest default (`run --help` says so)")
RUNTIME = "HostConfig.Runtime is our own runtime's name: containers do not run by runc"
BUILD = "follows a build, which is not built yet"
COMMIT = "follows a commit, which is not built yet"
EXPORT = "follows an export, which is not built yet"
COPY = "follows a cp, which is not built yet"
UPDATE = "follows an update, which is not built yet"
RESTART = "follows a restart policy, which is not built yet"
VOLUME = "follows a volume by name, which is not built yet"
NETWORK = "follows a network, which is not built yet"
PUBLISH = "follows a published port, which is not built yet"
SHARED = "follows a shareable IPC namespace, which is not built yet"
LOGGING = "follows a log driver other than json-file, which is not built yet"
PRUNE = "follows a system prune, which is not built yet"

OURS = "--step, the slow motion, is ours, and its help says so"

DIFFERENCES: list[Row] = [
    ("usage-texts", "start --help", OURS),
    ("inspect-container", "*HostConfig.Runtime*", RUNTIME),
    ("ps-formats", "*.Networks*", NONE),
    ("build-*", "*", BUILD),
    ("commit-history", "*", COMMIT),
    ("rmi-in-use", "*", COMMIT),
    ("import-export", "*", EXPORT),
    ("cp", "run *", COPY),
    ("cp-streams", "*", COPY),
    ("update", "inspect *", UPDATE),
    ("restart-policy", "*", RESTART),
    ("ps-formats", "ps *", VOLUME),
    ("run-volumes", "*", VOLUME),
    ("volume-errors", "rm box", VOLUME),
    ("volume-prune", "rm box", VOLUME),
    ("network-prune", "*", NETWORK),
    ("inspect-running", "*", PUBLISH),
    ("run-shared-ipc", "*", SHARED),
    ("logs", "logs quiet", LOGGING),
    ("system", "ps -aq", PRUNE),
    ("system", "info *", "the container that system prune would have removed is still there"),
]


def row_for(scenario: str, line: str) -> Row | None:
    """The row that excuses this command, if one does."""
    for row in DIFFERENCES:
        if fnmatchcase(scenario, row[0]) and fnmatchcase(line, row[1]):
            return row
    return None


def rows_of(scenario: str) -> list[Row]:
    """The rows that name this scenario alone."""
    return [row for row in DIFFERENCES if row[0] == scenario]
