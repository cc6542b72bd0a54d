"""ps, images, stats, top, logs, inspect: Docker's columns over what the engine says."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def two(lab: Callable[..., Any], engine: Any) -> Any:
    lab("create", "--name", "first", "-l", "team=red", "lab/base", "sh", "-c", "exit 3")
    lab("run", "-d", "--name", "second", "-l", "team=blue", "lab/base", "echo",
        "some rather long command line")
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3))
    for container in engine.made:
        container.config["Created"] = container.state["StartedAt"] = stamp
    engine.find("first").state.update(Status="exited", ExitCode=137, FinishedAt=stamp)
    return engine


def test_columns(lab: Callable[..., Any], two: Any) -> None:
    head, second, first = lab("ps", "-a").out.splitlines()
    assert head.split() == ["CONTAINER", "ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS",
                            "NAMES"]
    assert '"echo \'some rather l…"' in second and "Up 3 seconds" in second
    assert "Exited (137) 3 seconds ago" in first and first.startswith(two.find("first").id[:12])


@pytest.mark.parametrize(("flags", "names"), [
    ([], "second\n"), (["-a"], "second\nfirst\n"), (["-l"], "second\n"),
    (["-n", "1"], "second\n"), (["-f", "status=exited"], "first\n"),
    (["-a", "-f", "label=team=red"], "first\n"), (["-a", "-f", "label=team"], "second\nfirst\n"),
    (["-a", "-f", "name=fir"], "first\n"), (["-a", "-f", "since=first"], "second\n"),
    (["-a", "-f", "before=second"], "first\n"), (["-f", "exited=137"], "first\n"),
    (["-a", "-f", "ancestor=lab/base", "-f", "name=first"], "first\n"),
])
def test_which_are_listed(lab: Callable[..., Any], two: Any, flags: list[str], names: str) -> None:
    assert lab("ps", *flags, "--format", "{{.Names}}") == (0, names, "")


def test_formats(lab: Callable[..., Any], two: Any) -> None:
    assert lab("ps", "-a", "--format", "table {{.Names}}\\t{{.State}}").out == (
        "NAMES     STATE\nsecond    running\nfirst     exited\n")
    assert lab("ps", "--format", '{{.Label "team"}} {{upper .Names}}').out == "blue SECOND\n"
    assert lab("ps", "-q", "--no-trunc").out == two.find("second").id + "\n"


@pytest.mark.parametrize(("flags", "says"), [
    (["--format", "{{.Nosuch}}"],
     'failed to execute template: template: :1:2: executing "" at <.Nosuch>: can\'t evaluate field '
     "Nosuch in type *formatter.ContainerContext"),
    (["--format", "{{.Names"], "failed to parse template: template: :1: unclosed action"),
    (["-f", "bogus=1"], "Error response from daemon: invalid filter 'bogus'"),
    (["-f", "status=bogus"],
     "Error response from daemon: invalid filter 'status=bogus': invalid value for state (bogus): "
     "must be one of created, running, paused, restarting, removing, exited, dead"),
])
def test_mistakes(lab: Callable[..., Any], two: Any, flags: list[str], says: str) -> None:
    assert lab("ps", *flags) == (1, "", says + "\n")


def test_images(lab: Callable[..., Any]) -> None:
    head, row = lab("images").out.splitlines()
    assert head.split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert row.split()[:3] == ["lab/base", "latest", "4f" * 6] and row.endswith("1.99MB")
    assert lab("images", "nosuch", "-q").out == ""


def test_inspect(lab: Callable[..., Any], two: Any) -> None:
    assert lab("inspect", "--format", "{{.Name}} {{.State.ExitCode}} {{.ExecIDs}}", "first") == (
        0, "/first 137 []\n", "")
    assert lab("inspect", "nosuch") == (1, "[]\n", "Error: No such object: nosuch\n")
    assert lab("inspect", "-f", "{{.Name", "first").code == 64
    assert lab("inspect", "-f", "{{.No}}", "first") == (
        1, "\n", 'template parsing error: template: :1:2: executing "" at <.No>: map has no entry '
                 'for key "No"\n')
    assert lab("inspect", "first").out.startswith('[\n    {\n        "Id": "')


def test_top_and_stats(lab: Callable[..., Any], two: Any,
                       monkeypatch: pytest.MonkeyPatch) -> None:
    from runtime.client import statistics

    monkeypatch.setattr(statistics, "SAMPLE_S", 0)
    assert lab("top", "second").out == (
        "UID                 PID                 CMD\n"
        "root                4213                sh\n")
    row = lab("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}} {{.MemPerc}} {{.PIDs}}")
    assert row.out == "second 2MiB / 64MiB 3.12% 1\n"


def test_logs(lab: Callable[..., Any], two: Any) -> None:
    two.log = [{"stream": "stdout", "log": "line 1\n", "time": "2026-11-24T12:00:00.1Z"},
               {"stream": "stderr", "log": "line 2\n", "time": "2026-11-24T12:00:01.1Z"}]
    assert lab("logs", "first") == (0, "line 1\n", "line 2\n")
    assert lab("logs", "-n", "1", "first") == (0, "", "line 2\n")
    assert lab("logs", "-t", "--tail=1", "first").err == "2026-11-24T12:00:01.1Z line 2\n"
    assert lab("logs", "--since", "2026-11-24T12:00:01Z", "first") == (0, "", "line 2\n")
    assert lab("logs", "--since", "bogus", "first").err == (
        'invalid value for "since": failed to parse value as time or duration: "bogus"\n')
