"""Reading a log: Docker's file, line by line, and the lines to come."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

pytestmark = pytest.mark.kernel


def test_the_file_is_dockers(engine, run):
    run("sh", "-c", "echo out; echo err >&2; printf 'no end'; echo 'é\"' >&2", name="tea")
    tea = engine.find("tea")
    assert tea.log_path.endswith(f"/{tea.id}/{tea.id}-json.log")
    lines = [json.loads(line) for line in Path(tea.log_path).read_text().splitlines()]
    assert lines == list(engine.logs("tea"))
    assert {(line["stream"], line["log"]) for line in lines} == {
        ("stdout", "out\n"), ("stderr", "err\n"), ("stdout", "no end"), ("stderr", 'é"\n')}
    assert all(line["time"].endswith("Z") and len(line["time"]) == 30 for line in lines)


def test_never_started(engine, make):
    assert list(engine.logs(make("true"))) == []
    assert list(engine.logs(make("true"), follow=True)) == []


def test_following_to_the_end(engine, make):
    container = make("sh", "-c", "while read line; do echo $line; done", OpenStdin=True)
    attachment = engine.attach(container)
    engine.start(container)
    lines = engine.logs(container, follow=True)
    for word in ("one", "two"):
        attachment.write(f"{word}\n".encode())
        assert next(lines)["log"] == f"{word}\n"
    threading.Timer(0.05, attachment.close_stdin).start()
    assert list(lines) == []


def test_following_one_that_is_killed_with_its_shim(engine, started, eventually):
    import os

    container = engine.find(started("sh", "-c", "echo hi; sleep 1000"))
    lines = engine.logs(container.id, follow=True)
    assert next(lines)["log"] == "hi\n"
    os.kill(container.state["ShimPid"], 9)
    assert list(lines) == []
    assert container.status == "exited"


def test_a_line_cut_in_two(engine, run):
    run("seq", "1", "3", name="tea")
    path = Path(engine.find("tea").log_path)
    one, two, three = path.read_text().splitlines(keepends=True)
    path.write_text(one + two[:20] + "\n" + three)
    assert [line["log"] for line in engine.logs("tea")] == ["1\n", "3\n"]


def test_a_start_again_adds_to_it(engine, run):
    run("echo", "hi", name="tea")
    engine.start("tea")
    engine.wait("tea")
    assert [line["log"] for line in engine.logs("tea")] == ["hi\n", "hi\n"]
