"""Says in one line how many of the recorded commands pass, after the tests of the transcripts."""

from __future__ import annotations

import os

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The counts travel with the reports, so they are right with several workers too."""
    totals: dict[str, int] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") != "call":
                continue
            for name, value in report.user_properties:
                if name in ("scenarios", "commands", "same", "not built", "differ", "wrong"):
                    totals[name] = totals.get(name, 0) + value
    if totals:
        terminalreporter.write_line(
            f"transcripts: {totals['same']} of {totals['commands']} commands in "
            f"{totals['scenarios']} scenarios answer as Docker does; {totals['not built']} say "
            f"that they are not built yet, {totals['differ']} differ for a reason that is listed, "
            f"{totals['wrong']} are wrong")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this asks the kernel for containers: without root there is nothing to compare."""
    if os.geteuid() != 0:
        for item in items:
            if item.get_closest_marker("kernel") and "conformance" in str(item.path):
                item.add_marker(pytest.mark.skip(reason="needs root: it runs real containers"))
