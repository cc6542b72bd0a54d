"""What each kind of operation does, why it stands where it stands, and why not something simpler.

For whoever shows operations: the slow motion, `run --step`, the lessons. Never loaded by a start.
A test holds that every function decorated with @operation has an entry here.

    of({"name": "pivot_root", "arguments": {"new_root": ".", …}}).what     "Makes the overlay …"
"""

from __future__ import annotations

from runtime.trace.meanings import files, mounts, namespaces, privileges, processes
from runtime.trace.meanings.meaning import Arguments, Meaning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.trace.meanings.meaning import Cases

ALL: Cases = {**mounts.CASES, **files.CASES, **namespaces.CASES, **privileges.CASES,
              **processes.CASES}


def of(operation: dict[str, Any]) -> Meaning | None:
    """The meaning of an operation, by its name and arguments; None of one nobody knows."""
    arguments = Arguments({**(operation.get("arguments") or {}), "phase": operation.get("phase")})
    return next((case for case in ALL.get(operation["name"], ()) if case.fits(arguments)), None)
