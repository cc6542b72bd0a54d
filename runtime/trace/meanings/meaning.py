"""What a kind of operation means: one sentence what it does, one why it stands here, one why not.

Plain text, kept beside the operations by the concept they belong to (mounts.py here for
kernel/mounts.py) and never loaded by a start: whoever shows an operation asks `meanings.of`.
Where one call does several jobs, it has several meanings, and the arguments choose:

    CASES = {"mount": (Meaning("Mounts the overlay …", "…", when=lambda a: a["kind"] == "overlay"),
                       Meaning("Attaches a file system …", "…"))}       the last one always fits
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Cases = dict[str, tuple["Meaning", ...]]


class Arguments(dict[str, "Any"]):
    """The arguments of an operation as text; one that it has not is ""."""

    def __missing__(self, name: str) -> str:
        return ""


class Meaning:
    """The three sentences of one job; `when` says whether these arguments are that job."""

    __slots__ = ("what", "why", "instead", "when")

    def __init__(self, what: str, why: str, instead: str = "",
                 when: Callable[[Arguments], bool] | None = None) -> None:
        self.what, self.why, self.instead, self.when = what, why, instead, when

    def fits(self, arguments: Arguments) -> bool:
        """Is it the job of these arguments?"""
        return self.when is None or self.when(arguments)
