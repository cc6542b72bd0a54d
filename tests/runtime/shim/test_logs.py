"""The log's lines are Docker's, compared with the json module and not with our own encoder."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from runtime.shim import logs
from runtime.shim.logs import LONGEST, Log


@pytest.fixture
def log(tmp_path):
    trouble: list[str] = []
    log = Log(str(tmp_path / "log"), trouble.append)
    log.path, log.trouble_told = tmp_path / "log", trouble  # type: ignore[attr-defined]
    return log


def lines(log) -> list[dict[str, str]]:
    return [json.loads(line) for line in Path(log.path).read_text().split("\n")[:-1]]


@pytest.mark.parametrize("text", [
    "hi\n", "\n", 'quo"te\n', "back\\slash\n", "é漢😀\n", "tab\tbell\a\x00\x1f\n",
    '","stream":"stdout","time":"2026"},{"log":"\n', "\r\n", "\u2028\n",
])
def test_a_line(log, text):
    log.write("stdout", text.encode())
    (line,) = lines(log)
    assert line["log"] == text and line["stream"] == "stdout"
    assert list(line) == ["log", "stream", "time"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", line["time"])


def test_many_at_once_are_many_lines(log):
    log.write("stderr", b"".join(b'{"a":"%d"},\n' % n for n in range(100)))
    assert [line["log"] for line in lines(log)] == [f'{{"a":"{n}"}},\n' for n in range(100)]


def test_a_line_in_pieces_waits_for_its_end(log):
    log.write("stdout", b"one ")
    log.write("stderr", b"err\n")
    log.write("stdout", b"line\nnext")
    assert [(line["stream"], line["log"]) for line in lines(log)] == [
        ("stderr", "err\n"), ("stdout", "one line\n")]
    log.close()
    assert lines(log)[-1]["log"] == "next"


def test_a_long_line_is_cut_as_docker_cuts(log):
    """In pieces of 16 KiB without a newline, the last with."""
    log.write("stdout", b"x" * (LONGEST * 2 + 5))
    log.write("stdout", b"y\n")
    assert [len(line["log"]) for line in lines(log)] == [LONGEST, LONGEST, 7]
    assert [line["log"][-1] for line in lines(log)] == ["x", "x", "\n"]


def test_bytes_that_are_no_text(log):
    log.write("stdout", b"\xff\xfe\n")
    assert lines(log)[0]["log"] == "\ufffd\ufffd\n"


def test_a_full_disk_is_told_once(tmp_path):
    trouble: list[str] = []
    log = Log("/dev/full", trouble.append)
    for _ in range(3):
        log.write("stdout", b"hi\n")
    log.close()
    assert trouble == ["write the log: no space left on device"]


def test_a_line_that_the_disk_cut_in_two(log, monkeypatch):
    import os

    write, room = os.write, [10]

    def short(fd: int, data: bytes) -> int:
        return write(fd, data[:room[0]])

    monkeypatch.setattr(logs.os, "write", short)
    log.write("stdout", b"lost\n")
    room[0] = 1 << 20
    log.write("stdout", b"kept\n")
    text = Path(log.path).read_text().splitlines()
    assert len(text) == 2 and json.loads(text[1])["log"] == "kept\n"
    assert log.trouble_told == ["write the log: no space left on device"]


def test_times():
    assert logs.rfc3339(0) == "1970-01-01T00:00:00.000000000Z"
    assert logs.rfc3339(1795521787_114000123) == "2026-11-24T12:03:07.114000123Z"
