"""What the workers tell the screens. Handlers own every change of state; workers only post.

    Sampled         the sampler has a new snapshot; an older one still waiting is dropped
    CommandStarted / CommandOutput / CommandEnded      a docker line that `r` runs
    Checked         the lesson's checks have been read again
"""

from __future__ import annotations

from textual.message import Message

from lab.snapshot import Snapshot


class Sampled(Message, bubble=False):
    """A new snapshot. Only the newest counts."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self.snapshot = snapshot

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Sampled)


class CommandStarted(Message, bubble=False):
    """The line runs now, as this process."""

    def __init__(self, line: str) -> None:
        super().__init__()
        self.line = line


class CommandOutput(Message, bubble=False):
    """A piece of what the line printed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class CommandEnded(Message, bubble=False):
    """The line ended with this exit code, Docker's."""

    def __init__(self, line: str, exit_code: int) -> None:
        super().__init__()
        self.line, self.exit_code = line, exit_code


class Checked(Message, bubble=False):
    """The results of the current step's checks; the newest replaces one still waiting."""

    def __init__(self, step_id: str, results: tuple[object, ...]) -> None:
        super().__init__()
        self.step_id, self.results = step_id, results

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Checked)
