"""Evidence: from counters alone, once each, and not lost to a disk that was full for a while."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime.shim import evidence
from runtime.shim.evidence import MOST_KEPT, Evidence


@pytest.fixture
def seen(tmp_path, monkeypatch):
    """An Evidence, and the text of memory.events to be read next."""
    texts: list[str | None] = []
    monkeypatch.setattr(evidence.stats, "read_file", lambda group, name: (
        (texts[0], "/sys/fs/cgroup/memory/x/memory.oom_control") if texts[0] is not None else None))
    return Evidence(str(tmp_path / "evidence.jsonl"), "/container-lab/x"), texts


def lines(it: Evidence) -> list[dict]:
    return [json.loads(line) for line in Path(it.path).read_text().splitlines()]


def test_a_note(seen):
    it, _ = seen
    it.note("shim", "pause", text="é")
    (line,) = lines(it)
    assert line.pop("time") > 1e9
    assert line == {"who": "shim", "what": "pause", "text": "é"}


def test_counters_that_grow(seen):
    it, texts = seen
    texts[:] = ["max 0\noom_kill 0\n"]
    assert not it.read_memory_events()
    texts[:] = ["max 231\noom_kill 1\n"]
    assert it.read_memory_events()
    assert not it.read_memory_events(), "the same again is no news"
    assert [(line["what"], line["from"], line["to"]) for line in lines(it)] == [
        ("max", 0, 231), ("oom_kill", 0, 1)]
    assert {line["source"] for line in lines(it)} == {"/sys/fs/cgroup/memory/x/memory.oom_control"}
    assert it.oom_kills == 1


def test_a_container_that_lives_at_its_limit_fills_no_disk(seen):
    it, texts = seen
    for count in range(10000):
        texts[:] = [f"max {count}\nhigh {count}\noom_kill {count // 4000}\n"]
        it.read_memory_events()
    told = [(line["what"], line["from"], line["to"]) for line in lines(it)]
    assert len(told) < 32 and ("max", 4096, 8192) in told
    assert [each for each in told if each[0] == "oom_kill"] == [("oom_kill", 0, 1),
                                                                ("oom_kill", 1, 2)]


def test_no_counters(seen):
    it, texts = seen
    texts[:] = [None]
    assert not it.read_memory_events() and it.oom_kills == 0
    assert not Path(it.path).exists()


def test_a_full_disk_loses_nothing_that_fits_later(seen, tmp_path):
    it, _ = seen
    good, it.path = it.path, "/dev/full"
    for number in range(MOST_KEPT + 5):
        it.note("shim", f"note {number}")
    it.path = good
    it.note("shim", "last")
    assert [line["what"] for line in lines(it)] == [
        *[f"note {number}" for number in range(6, MOST_KEPT + 5)], "last"]
