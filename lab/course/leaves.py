"""The files that a student makes by hand in a lesson, and their removal.

    leaves = ["/tmp/$name-rules.json"]           lesson.toml: files and directories of the host

The lesson names them, with a value of the student's own, and a reset removes what was not there
before the attempt and was changed since. Mounts below (a student may have left out the namespace)
are let go of first, and nothing behind a mount or a link is touched.
"""

from __future__ import annotations

import os

from lab.course.attempt import Attempt
from lab.course.lesson import Lesson, fill
from runtime.inspect import mounts
from runtime.inspect.source import Source
from runtime.kernel.unmount import detach_all
from runtime.shim.removal import remove_tree


def paths(lesson: Lesson, variables: dict[str, str]) -> list[str]:
    """Every path that the lesson names, values filled in."""
    return [os.path.normpath(fill(path, variables)) for path in lesson.leaves]


def found_before(lesson: Lesson, variables: dict[str, str]) -> list[str]:
    """Those that are there before the attempt begins: not the lesson's, and never removed."""
    return [path for path in paths(lesson, variables) if os.path.lexists(path)]


def left(lesson: Lesson, attempt: Attempt, since_ns: int = 0) -> list[str]:
    """What of this attempt is there now, and was changed after `since_ns`."""
    begun = max(attempt.started_ns, since_ns)
    return [path for path in paths(lesson, attempt.vars)
            if path not in attempt.found and _changed_ns(path) >= begun]


def _changed_ns(path: str) -> int:
    try:
        return os.lstat(path).st_mtime_ns
    except OSError:
        return -1


def describe(path: str) -> str:
    """What removing it means, in one line."""
    return f"{path}, with all that is in it" if os.path.isdir(path) else path


def clear(found: list[str], source: Source) -> list[str]:
    """Remove them; returns what was done. Raises OSError."""
    for path in found:
        targets = [row.target for row in mounts.mounts(source, "self")
                   if row.target == path or row.target.startswith(f"{path}/")]
        for target in sorted(targets, reverse=True):
            detach_all(target)
        remove_tree(path)
    return [f"removed {path}" for path in found]
